package batch_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/batch"
)

func TestBuilderRollback(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int32},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	}, nil)
	b, err := batch.NewBuilder(schema, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		b.Col(0).Int64(int64(i))
		b.Col(1).String("n")
		b.Col(2).Elem().String("a")
		if i == 3 {
			b.Rollback()
			continue
		}
		b.Col(2).EndList()
		b.Time(int64(10 - i))
		b.Position("p", int64(i), 0)
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	b.Col(0).Int64(1 << 40)
	b.Time(1)
	b.Position("p", 1, 0)
	if diff := cmp.Diff(`batch: column "id": 1099511627776 does not fit int32`, b.EndRow().Error()); diff != "" {
		t.Error(diff)
	}
	got, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(got.Record())
	if got.Rows() != 4 || got.MinTime() != 6 {
		t.Error(got.Rows(), got.MinTime())
	}
}
