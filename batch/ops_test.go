package batch_test

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/batch"
)

func drawSlice(t *rapid.T) *batch.Batch {
	b := drawBatch(t)
	from := rapid.IntRange(0, b.Rows()).Draw(t, "from")
	return b.Slice(from, rapid.IntRange(from, b.Rows()).Draw(t, "to"))
}

func drawIndices(t *rapid.T, b *batch.Batch) []int32 {
	if b.Rows() == 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.Int32Range(0, int32(b.Rows()-1)), 0, 20).Draw(t, "rows")
}

func int32s(values []int32) arrow.Array {
	b := array.NewInt32Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return b.NewArray()
}

func valid(t rapid.TB, b *batch.Batch) {
	t.Helper()
	for _, c := range b.Record().Columns() {
		if err := array.ValidateFull(c); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTakeAgainstArrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawSlice(t)
		rows := drawIndices(t, b)
		var cols []arrow.Array
		for _, c := range b.Record().Columns() {
			col, err := compute.TakeArray(t.Context(), c, int32s(rows))
			if err != nil {
				t.Fatal(err)
			}
			cols = append(cols, col)
		}
		want, err := batch.New(array.NewRecordBatch(b.Record().Schema(), cols, int64(len(rows))))
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Take(rows)
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, want, got)
		valid(t, got)
	})
}

func TestGatherNulls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawSlice(t)
		rows := append(drawIndices(t, b), -1)
		for i := range b.Columns() {
			got, err := batch.Gather(b.Column(i), rows)
			if err != nil {
				t.Fatal(err)
			}
			if err := array.ValidateFull(got); err != nil {
				t.Fatal(err)
			}
			if last := len(rows) - 1; got.DataType().ID() != arrow.NULL && got.IsValid(last) {
				t.Fatalf("row %d of %s is no null", last, got)
			}
			want, err := batch.Gather(b.Column(i), rows[:len(rows)-1])
			if err != nil {
				t.Fatal(err)
			}
			if !array.ApproxEqual(want, array.NewSlice(got, 0, int64(want.Len())), array.WithNaNsEqual(true)) {
				t.Fatalf("%s, want %s", got, want)
			}
		}
	})
}

func TestTakeOutOfRange(t *testing.T) {
	b := build(t, struct{ A int64 }{1})
	for _, rows := range [][]int32{{1}, {-1}, {-2}} {
		if _, err := b.Take(rows); err == nil {
			t.Errorf("take %d: no error", rows)
		}
	}
	if _, err := batch.Gather(b.Column(0), []int32{-2}); err == nil {
		t.Error("gather -2: no error")
	}
}

func TestConcatUndoesSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawSlice(t)
		var parts []*batch.Batch
		for from := 0; from < b.Rows() || from == 0; {
			to := min(b.Rows(), from+rapid.IntRange(1, 8).Draw(t, "rows"))
			part := b.Slice(from, to)
			if rapid.Bool().Draw(t, "copy") {
				var all []int32
				for i := range part.Rows() {
					all = append(all, int32(i))
				}
				var err error
				if part, err = part.Take(all); err != nil {
					t.Fatal(err)
				}
			}
			parts = append(parts, part)
			from = max(to, 1)
		}
		got, err := batch.Concat(parts)
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, b, got)
		valid(t, got)
	})
}

// hidden shows the hidden columns of a batch, a line per column.
func hidden(b *batch.Batch) []string {
	var out []string
	for i := b.Columns(); i < int(b.Record().NumCols()); i++ {
		c := b.Record().Column(i)
		line := b.Record().ColumnName(i)
		for k := range c.Len() {
			line += " " + c.ValueStr(k)
		}
		out = append(out, line)
	}
	return out
}

func rowsWith(t testing.TB, o batch.BuilderOptions, set func(b *batch.Builder, i int)) *batch.Batch {
	t.Helper()
	b, err := batch.NewBuilder(arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}}, nil), o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		b.Col(0).Int64(int64(i))
		set(b, i)
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

func TestConcatHidden(t *testing.T) {
	ints := rowsWith(t, batch.BuilderOptions{Offsets: batch.IntOffsets}, func(b *batch.Builder, i int) { b.Position("p", int64(i), 0) })
	bytes := rowsWith(t, batch.BuilderOptions{Offsets: batch.BytesOffsets}, func(b *batch.Builder, i int) {
		b.BytesPosition("q", []byte{byte('a' + i)}, int32(i))
		b.Weight(int64(i))
	})
	none := rowsWith(t, batch.BuilderOptions{}, func(b *batch.Builder, i int) { b.Kind(batch.Delete) })
	got, err := batch.Concat([]*batch.Batch{ints, bytes, none})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"@part p p q q (null) (null)",
		"@off gAAAAAAAAAA= gAAAAAAAAAE= YQ== Yg== (null) (null)",
		"@sub 0 0 0 1 0 0",
		"@weight 1 1 0 1 1 1",
		"@kind 0 0 0 0 3 3",
	}
	if diff := cmp.Diff(want, hidden(got)); diff != "" {
		t.Error(diff)
	}
	timed := rowsWith(t, batch.BuilderOptions{Time: true}, func(b *batch.Builder, i int) { b.Time(1) })
	for name, parts := range map[string][]*batch.Batch{
		"nothing":      nil,
		"times":        {timed, none},
		"other schema": {none, build(t, struct{ B int64 }{})},
	} {
		if _, err := batch.Concat(parts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawSlice(t)
		keep := rapid.SliceOfN(rapid.Bool(), b.Rows(), b.Rows()).Draw(t, "keep")
		var rows []int32
		for i, k := range keep {
			if k {
				rows = append(rows, int32(i))
			}
		}
		want, err := b.Take(rows)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Filter(keep)
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, want, got)
		if _, err := b.Filter(append(keep, true)); err == nil {
			t.Fatal("too many marks: no error")
		}
	})
}

func TestGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawSlice(t)
		n := rapid.IntRange(1, 5).Draw(t, "n")
		of := rapid.SliceOfN(rapid.Int32Range(-1, int32(n-1)), b.Rows(), b.Rows()).Draw(t, "of")
		if rapid.Bool().Draw(t, "sorted") {
			slices.Sort(of)
		}
		sorted, starts, err := b.Group(of, n)
		if err != nil {
			t.Fatal(err)
		}
		for g := range n {
			var rows []int32
			for i, o := range of {
				if int(o) == g {
					rows = append(rows, int32(i))
				}
			}
			want, err := b.Take(rows)
			if err != nil {
				t.Fatal(err)
			}
			sameRows(t, want, sorted.Slice(starts[g], starts[g+1]))
		}
	})
	b := build(t, struct{ A int64 }{})
	for _, of := range [][]int32{{1}, {-2}, {}, {0, 0}} {
		if _, _, err := b.Group(of, 1); err == nil {
			t.Errorf("groups %d of one row: no error", of)
		}
	}
}

func TestSplitByHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawSlice(t)
		n := rapid.IntRange(1, 40).Draw(t, "n")
		hashes := rapid.SliceOfN(rapid.Uint64(), b.Rows(), b.Rows()).Draw(t, "hashes")
		groups, err := batch.SplitByHash(b, hashes, n)
		if err != nil {
			t.Fatal(err)
		}
		if len(groups) != n {
			t.Fatalf("%d groups", len(groups))
		}
		for g, got := range groups {
			var rows []int32
			for i, h := range hashes {
				if batch.GroupOf(h, n) == g {
					rows = append(rows, int32(i))
				}
			}
			if got == nil && rows == nil {
				continue
			}
			want, err := b.Take(rows)
			if err != nil {
				t.Fatal(err)
			}
			sameRows(t, want, got)
		}
	})
}

func TestBytesOfSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t)
		cut := rapid.IntRange(0, b.Rows()).Draw(t, "cut")
		whole, parts := b.Bytes(), b.Slice(0, cut).Bytes()+b.Slice(cut, b.Rows()).Bytes()
		// A slice without nulls has no bitmap, bitmaps are rounded up, and each slice counts all dictionaries.
		dictionaries := int64(0)
		for _, c := range b.Record().Columns() {
			if d, ok := c.(*array.Dictionary); ok {
				dictionaries += int64(d.Dictionary().Data().SizeInBytes())
			}
		}
		if parts > whole+dictionaries+100 || parts < whole-100 {
			t.Fatalf("%d bytes in two slices, %d in one", parts, whole)
		}
	})
}

func TestDerive(t *testing.T) {
	in := rowsWith(t, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets}, func(b *batch.Builder, i int) {
		b.Time(int64(10 + i))
		b.Position("p", int64(20+i), 0)
		b.Weight(int64(5 + i))
	})
	out := build(t, make([]struct{ X string }, 4)...)
	got, err := in.Derive(out.Schema(), out.Record().Columns(), []int32{0, 0, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"@time 10 10 11 11", "@part p p p p", "@off 20 20 21 21", "@weight 5 0 6 0"}
	if diff := cmp.Diff(want, hidden(got)); diff != "" {
		t.Error(diff)
	}
	once, err := build(t, make([]struct{ A int64 }, 4)...).Derive(out.Schema(), out.Record().Columns(), []int32{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string(nil), hidden(once)); diff != "" {
		t.Error(diff)
	}
	if _, err := in.Derive(out.Schema(), out.Record().Columns(), []int32{0}); err == nil {
		t.Error("four rows from one: no error")
	}
}
