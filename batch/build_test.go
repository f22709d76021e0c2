package batch_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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

// Against the builders of Arrow: the same rows give the same columns, however often a row is begun and taken back.
func TestBuilderAgainstArrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema, rows := drawRows(t)
		b, err := batch.NewBuilder(schema, batch.BuilderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		split := rapid.IntRange(0, len(rows)).Draw(t, "split")
		for _, part := range [][]cells{rows[:split], rows[split:]} {
			for _, r := range part {
				if rapid.Bool().Draw(t, "take back") {
					begin(t, b, schema)
					b.Rollback()
				}
				putRow(t, b, r)
				if err := b.EndRow(); err != nil {
					t.Fatal(err)
				}
			}
			got, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			want, err := batch.New(arrowRecord(schema, part))
			if err != nil {
				t.Fatal(err)
			}
			sameRows(t, want, got)
			for i := range schema.NumFields() {
				if err := array.ValidateFull(got.Column(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// begin adds some columns of a row and stops in the middle of one.
func begin(t *rapid.T, b *batch.Builder, schema *arrow.Schema) {
	for i, f := range schema.Fields() {
		switch rapid.IntRange(0, 3).Draw(t, "begin") {
		case 0:
			put(b.Col(i), drawCell(t, f))
		case 1:
			if e := b.Col(i).Elem(); e != nil {
				e.Null()
			}
		case 2:
			if s, ok := f.Type.(*arrow.StructType); ok {
				put(b.Col(i).Field(0), drawCell(t, s.Field(0)))
			}
		}
	}
}
