package enrich

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/transforms/internal/cast"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// Data is a table to enrich from.
type Data struct {
	load func() (*batch.Batch, error)
}

// Func makes a table from what load returns. It is called when the graph is built, in every process of a job, and must
// return the same rows each time.
func Func(load func() (*batch.Batch, error)) Data { return Data{load} }

// Structs makes a table from structs, with the columns of batch.Mapping.
func Structs[T any](rows []T) Data {
	return Data{func() (*batch.Batch, error) {
		m, err := batch.NewMapping[T]()
		if err != nil {
			return nil, err
		}
		b, err := batch.NewBuilder(m.Schema(), batch.BuilderOptions{})
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if err := m.Append(b, &rows[i]); err != nil {
				return nil, fmt.Errorf("row %d: %w", i+1, err)
			}
			if err := b.EndRow(); err != nil {
				return nil, fmt.Errorf("row %d: %w", i+1, err)
			}
		}
		return b.Build()
	}}
}

// CSV makes a table from CSV text with a header line. The columns of schema are found by their exact names, others are
// left out. Values are read by the rules of clean.Cast; an empty field is null in a nullable column. A byte order
// mark is skipped, lines may end with LF or CRLF.
func CSV(data []byte, schema *arrow.Schema) Data {
	return Data{func() (*batch.Batch, error) { return readCSV(data, schema) }}
}

func readCSV(data []byte, schema *arrow.Schema) (*batch.Batch, error) {
	if schema == nil {
		return nil, errors.New("CSV: the schema is nil; name the columns and their types")
	}
	lines, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("CSV: %w", err)
	}
	if len(lines) == 0 {
		return nil, errors.New("CSV: the header line is missing")
	}
	var errs []error
	cols := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		at := slices.Index(lines[0], f.Name)
		if at < 0 {
			errs = append(errs, fmt.Errorf("CSV: there is no column %q; there are: %q", f.Name, lines[0]))
			continue
		}
		cols[i], err = csvColumn(f, at, lines[1:])
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return batch.New(array.NewRecordBatch(schema, cols, int64(len(lines)-1)))
}

// csvColumn reads one column.
func csvColumn(f arrow.Field, at int, lines [][]string) (arrow.Array, error) {
	text := column.NewBuilder(arrow.BinaryTypes.String, len(lines))
	for _, l := range lines {
		text.Bytes([]byte(l[at]))
	}
	convert, err := cast.Find(arrow.BinaryTypes.String, f.Type)
	if err != nil {
		return nil, fmt.Errorf("CSV: column %q: %w", f.Name, err)
	}
	v := column.Of(text.Array())
	out := column.NewBuilder(f.Type, len(lines))
	for row, l := range lines {
		if l[at] == "" && f.Nullable {
			out.Null()
		} else if err := convert(&v, row, out); err != nil {
			return nil, fmt.Errorf("CSV: record %d, column %q: %.40q: %w", row+1, f.Name, l[at], err)
		}
	}
	return out.Array(), nil
}
