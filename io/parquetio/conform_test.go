package parquetio_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/iotest"
	"github.com/millrace-io/millrace/io/parquetio"
)

func TestConform(t *testing.T) {
	iotest.Sink(t, iotest.Parquet(), func(t *testing.T) iotest.SinkFixture {
		return iotest.SinkFixture{
			New: func(url string) (flow.Sink, error) {
				return parquetio.NewSink(parquetio.Options{URL: url, PartitionBy: []string{"day(at)", "vendor"}, RowGroupRows: 10, Roll: flow.Roll{Rows: 20}})
			},
			Rows:   []*batch.Batch{conformRows(t, 0, 50), conformRows(t, 50, 57), conformRows(t, 57, 100)},
			Decode: decode,
			Bad: []*arrow.Schema{
				arrow.NewSchema([]arrow.Field{{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us}}, nil),
				arrow.NewSchema([]arrow.Field{
					{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us},
					{Name: "vendor", Type: arrow.BinaryTypes.String},
					{Name: "Vendor", Type: arrow.BinaryTypes.String},
				}, nil),
			},
		}
	})
}

func conformRows(t *testing.T, from, to int64) *batch.Batch {
	t.Helper()
	b, err := batch.NewBuilder(arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "vendor", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "tags", Type: arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.BinaryTypes.String, Nullable: true}), Nullable: true},
	}, nil), batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		b.Col(0).Int64(i)
		if i%7 != 0 {
			b.Col(1).Int64((i%3 - 1) * 86_400_000_000)
		}
		switch i % 5 {
		case 1:
			b.Col(2).String("a/b")
		case 2:
			b.Col(2).String("__HIVE_DEFAULT_PARTITION__")
		case 3:
			b.Col(2).String("")
		case 4:
			b.Col(2).String(fmt.Sprint("\xff"[:i%2], "ü"))
		}
		for range i % 3 {
			b.Col(3).Elem().String("x")
			b.Col(3).Elem().Null()
		}
		if i%4 != 0 {
			b.Col(3).EndList()
		} else {
			b.Col(3).Null()
		}
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func decode(data []byte) ([]arrow.RecordBatch, error) {
	f, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 1 << 20}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	records, err := r.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return nil, err
	}
	var out []arrow.RecordBatch
	for records.Next() {
		rec := records.RecordBatch()
		rec.Retain()
		out = append(out, rec)
	}
	return out, nil
}
