package parquetio

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/millrace-io/millrace/batch"
)

// Encode writes one file. It holds one row group, about as large as it is in the file.
func (s *sink) Encode(w io.Writer, schema *arrow.Schema, in iter.Seq2[*batch.Batch, error]) error {
	buf := bufio.NewWriterSize(w, 256<<10)
	e := encoder{sink: s, schema: arrow.NewSchema(s.fileFields(schema), nil)}
	for b, err := range in {
		if err != nil {
			return fmt.Errorf("parquetio: read the staged rows: %w", err)
		}
		if b.Rows() == 0 {
			continue
		}
		if err := e.write(buf, b); err != nil {
			return fmt.Errorf("parquetio: write: %w", err)
		}
	}
	if err := e.close(buf); err != nil {
		return fmt.Errorf("parquetio: write: %w", err)
	}
	return buf.Flush()
}

// fileFields gives the columns of the files.
func (s *sink) fileFields(in *arrow.Schema) []arrow.Field {
	var out []arrow.Field
	for _, f := range in.Fields() {
		if !s.dropped(f.Name) {
			out = append(out, f)
		}
	}
	return out
}

func (s *sink) dropped(column string) bool {
	for _, p := range s.parts {
		if s.o.DropPartitionColumns && p.per == identity && p.column == column {
			return true
		}
	}
	return false
}

// encoder writes one file.
type encoder struct {
	sink   *sink
	schema *arrow.Schema
	file   *pqarrow.FileWriter
	bytes  int64 // of the rows in the row group, in memory
}

func (e *encoder) write(w io.Writer, b *batch.Batch) error {
	rec, err := e.record(b)
	if err != nil {
		return err
	}
	if e.file == nil {
		err = e.open(w, rec)
	} else if e.bytes >= e.sink.o.RowGroupBytes {
		e.bytes = 0
		err = e.file.NewBufferedRowGroupChecked()
	}
	if err != nil {
		return err
	}
	e.bytes += b.Bytes()
	return e.file.WriteBuffered(rec)
}

// open begins the file. first shows which columns a dictionary pays for; nil if the file has no rows.
func (e *encoder) open(w io.Writer, first arrow.RecordBatch) error {
	props := []parquet.WriterProperty{
		parquet.WithCompression(codecs[e.sink.o.Compression]),
		parquet.WithMaxRowGroupLength(e.sink.o.RowGroupRows),
		parquet.WithStoreDecimalAsInteger(true),
	}
	for i, f := range e.schema.Fields() {
		if first != nil && !repeats(first.Column(i)) {
			props = append(props, parquet.WithDictionaryFor(f.Name, false))
		}
	}
	var err error
	only := struct{ io.Writer }{w} // the writer would close what can be closed
	e.file, err = pqarrow.NewFileWriter(e.schema, only, parquet.NewWriterProperties(props...), pqarrow.DefaultWriterProps())
	return err
}

func (e *encoder) close(w io.Writer) error {
	if e.file == nil {
		if err := e.open(w, nil); err != nil {
			return err
		}
	}
	return e.file.Close()
}

// record gives the columns of the file.
func (e *encoder) record(b *batch.Batch) (arrow.RecordBatch, error) {
	var cols []arrow.Array
	for i := range b.Columns() {
		if e.sink.dropped(b.Record().ColumnName(i)) {
			continue
		}
		col, err := plain(b.Column(i))
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", b.Record().ColumnName(i), err)
		}
		cols = append(cols, col)
	}
	if len(cols) != e.schema.NumFields() {
		return nil, fmt.Errorf("a batch has %d columns, the file %d", len(cols), e.schema.NumFields())
	}
	for i, f := range e.schema.Fields() {
		if !arrow.TypeEqual(f.Type, cols[i].DataType()) {
			return nil, fmt.Errorf("column %q has type %s in a batch and %s in the file", f.Name, cols[i].DataType(), f.Type)
		}
	}
	return array.NewRecordBatch(e.schema, cols, int64(b.Rows())), nil
}

// sampleRows is the number of rows that decide about dictionaries.
const sampleRows = 4096

// repeats says whether few enough distinct values stand at the head of col that a dictionary pays: at most a quarter.
// With dictionaries on every column a file takes twice the time to write, without any it is half as large again.
func repeats(col arrow.Array) bool {
	if _, nested := col.DataType().(arrow.NestedType); nested {
		return true
	}
	n := min(col.Len(), sampleRows)
	distinct, err := compute.UniqueArray(context.Background(), array.NewSlice(col, 0, int64(n)))
	return err != nil || distinct.Len() <= n/4
}
