package batch_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/batch"
)

func nulls(t arrow.DataType) arrow.Array { return array.MakeArrayOfNull(memory.DefaultAllocator, t, 1) }

func int64s(values ...int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return b.NewArray()
}

func TestNewFaults(t *testing.T) {
	type named struct {
		name string
		col  arrow.Array
	}
	one := int64s(1)
	tests := []struct {
		cols []named
		want string
	}{
		{[]named{{"a", one}, {"@time", one}, {"@weight", one}}, ""},
		{[]named{{"@part", nulls(batch.PartType)}, {"@off", nulls(arrow.PrimitiveTypes.Int64)}}, ""},
		{[]named{{"@time", one}, {"a", one}}, `batch: column "a" stands behind the hidden column "@time"`},
		{[]named{{"@time", int32s([]int32{1})}}, `batch: hidden column "@time" has type int32, it may have [int64]`},
		{[]named{{"@clock", one}}, `batch: hidden column "@clock" has type int64, it may have []`},
		{[]named{{"@weight", one}, {"@time", one}}, `batch: hidden column "@time" stands behind "@weight": their order is [@time @part @off @sub @weight @kind]`},
		{[]named{{"@time", one}, {"@time", one}}, `batch: hidden column "@time" stands behind "@time": their order is [@time @part @off @sub @weight @kind]`},
		{[]named{{"@time", nulls(arrow.PrimitiveTypes.Int64)}}, `batch: hidden column "@time" has 1 nulls`},
	}
	for _, tt := range tests {
		var fields []arrow.Field
		var cols []arrow.Array
		for _, c := range tt.cols {
			fields = append(fields, arrow.Field{Name: c.name, Type: c.col.DataType(), Nullable: true})
			cols = append(cols, c.col)
		}
		_, err := batch.New(array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, 1))
		if diff := cmp.Diff(tt.want, errorText(err)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWithHidden(t *testing.T) {
	b := build(t, struct{ A int64 }{1}, struct{ A int64 }{2})
	timed, err := b.WithHidden(batch.TimeColumn, int64s(30, 20))
	if err != nil {
		t.Fatal(err)
	}
	both, err := timed.WithHidden(batch.WeightColumn, int64s(3, 4))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := both.WithHidden(batch.TimeColumn, nil)
	if err != nil {
		t.Fatal(err)
	}
	type shape struct {
		Hidden           []string
		Min, Max, Weight int64
		HasTime          bool
	}
	var got []shape
	for _, x := range []*batch.Batch{b, timed, both, bare} {
		got = append(got, shape{hidden(x), x.MinTime(), x.MaxTime(), x.Weight(), x.HasTime()})
	}
	want := []shape{
		{nil, batch.NoTime, batch.NoTime, 2, false},
		{[]string{"@time 30 20"}, 20, 30, 2, true},
		{[]string{"@time 30 20", "@weight 3 4"}, 20, 30, 7, true},
		{[]string{"@weight 3 4"}, batch.NoTime, batch.NoTime, 7, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, col := range map[string]arrow.Array{
		"time": int64s(1, 2), batch.TimeColumn: int64s(1), batch.SubColumn: int64s(1, 2),
	} {
		if _, err := b.WithHidden(name, col); err == nil {
			t.Errorf("column %q of %d rows and type %s: no error", name, col.Len(), col.DataType())
		}
	}
}

func TestWith(t *testing.T) {
	b := rowsWith(t, batch.BuilderOptions{Time: true}, func(b *batch.Builder, i int) { b.Time(int64(i)) })
	other := build(t, make([]struct {
		X bool
		Y string
	}, 2)...)
	got, err := b.With(other.Schema(), other.Record().Columns())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"@time 0 1"}, hidden(got)); diff != "" || !got.Schema().Equal(other.Schema()) {
		t.Error(diff, got.Schema())
	}
	if got.Find("y") == nil || got.Find("@time") != nil || got.Find("a") != nil {
		t.Error("Find finds what is not visible, or does not what is")
	}
	short, _ := other.Take([]int32{0})
	for name, cols := range map[string][]arrow.Array{
		"too few columns": other.Record().Columns()[:1],
		"too few rows":    short.Record().Columns(),
		"other types":     {other.Column(1), other.Column(0)},
	} {
		if _, err := b.With(other.Schema(), cols); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPartRanges(t *testing.T) {
	parts := []string{"b", "a", "b"}
	b, err := batch.NewBuilder(arrow.NewSchema(nil, nil), batch.BuilderOptions{Offsets: batch.IntOffsets})
	for i, p := range parts {
		b.Position(p, int64(-i), 0)
		b.Weight(int64(i + 1))
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	ints, err2 := b.Build()
	bytes := rowsWith(t, batch.BuilderOptions{Offsets: batch.BytesOffsets}, func(b *batch.Builder, i int) {
		b.BytesPosition("s", []byte{byte('z' - i)}, 0)
	})
	none := build(t, struct{ A int64 }{}, struct{ A int64 }{})
	mixed, err3 := batch.Concat([]*batch.Batch{none, bytes})
	if err != nil || err2 != nil || err3 != nil {
		t.Fatal(err, err2, err3)
	}
	tests := map[string]struct {
		in   *batch.Batch
		want []batch.PartRange
	}{
		"numbers": {ints, []batch.PartRange{
			{"a", 1, 2, batch.OffsetBytes(-1), batch.OffsetBytes(-1)},
			{"b", 2, 4, batch.OffsetBytes(-2), batch.OffsetBytes(0)},
		}},
		"bytes":       {bytes, []batch.PartRange{{"s", 2, 2, []byte("y"), []byte("z")}}},
		"no position": {none, []batch.PartRange{{"", 2, 2, nil, nil}}},
		"both":        {mixed, []batch.PartRange{{"", 2, 2, nil, nil}, {"s", 2, 2, []byte("y"), []byte("z")}}},
		"no rows":     {none.Slice(0, 0), []batch.PartRange{}},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, batch.PartRanges(tt.in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
