package parquetio

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

func TestReveal(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil)
	ints, _ := batch.NewBuilder(schema, batch.BuilderOptions{Offsets: batch.IntOffsets})
	for i := range int64(2) {
		ints.Col(0).Int64(i)
		ints.Position("trips/0", 40+i, int32(i))
		ints.Weight(1 + i)
		if err := ints.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	opaque, _ := batch.NewBuilder(schema, batch.BuilderOptions{Offsets: batch.BytesOffsets, Time: true})
	opaque.Col(0).Int64(2)
	opaque.Time(0)
	opaque.BytesPosition("shard", []byte{1, 0xab}, 0)
	none, _ := batch.NewBuilder(schema, batch.BuilderOptions{})
	none.Col(0).Int64(3)
	for _, b := range []*batch.Builder{opaque, none} {
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	step := reveal(schema, Options{Positions: true, Weights: true})
	fn, err := step.Open()
	if err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, b := range []*batch.Builder{ints, opaque, none} {
		in, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		var out flow.StepOut
		if err := fn(in, &out); err != nil {
			t.Fatal(err)
		}
		rec := out.Rows()[0].Record()
		if n := in.Record().NumCols(); rec.NumCols() != n+3 {
			t.Errorf("%d columns, want three more than %d: the hidden ones stay", rec.NumCols(), n)
		}
		for row := range int(rec.NumRows()) {
			var line []string
			for _, c := range rec.Columns()[:4] {
				line = append(line, c.ValueStr(row))
			}
			got = append(got, line)
		}
	}
	want := [][]string{
		{"0", "trips/0", "40", "1"}, {"1", "trips/0", "41/1", "2"}, {"2", "shard", "01ab", "1"}, {"3", "(null)", "(null)", "1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
