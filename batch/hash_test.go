package batch_test

import (
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/batch"
)

// same says whether two cells of one type are equal by the rules of Hash.
func same(a, b cell) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && (a == b || math.IsNaN(a) && math.IsNaN(b))
	case []cell:
		b, ok := b.([]cell)
		return ok && sameCells(a, b)
	case cells:
		b, ok := b.(cells)
		return ok && sameCells(a, b)
	case []byte:
		b, ok := b.([]byte)
		return ok && string(a) == string(b)
	}
	return a == b
}

func sameCells(a, b []cell) bool {
	for i := range min(len(a), len(b)) {
		if !same(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestHashAndEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema, rows := drawRows(t)
		rows = append(rows, rows...) // so that there are equal ones
		b, err := batch.NewBuilder(schema, batch.BuilderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			putRow(t, b, r)
			if err := b.EndRow(); err != nil {
				t.Fatal(err)
			}
		}
		x, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		x = drawDictionaries(t, x)
		cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
		checkHashes(t, x, rows)
		checkHashes(t, x.Slice(cut, len(rows)), rows[cut:])
	})
}

func checkHashes(t *rapid.T, x *batch.Batch, rows []cells) {
	var cols []int
	if rapid.Bool().Draw(t, "some columns") {
		cols = rapid.SliceOfN(rapid.IntRange(0, x.Columns()-1), 1, 3).Draw(t, "cols")
	}
	hashes, err := batch.Hash(x, cols)
	if err != nil {
		t.Fatal(err)
	}
	pick := func(r cells) cells {
		var out cells
		for _, i := range cols {
			out = append(out, r[i])
		}
		if cols == nil {
			return r
		}
		return out
	}
	for i := range rows {
		for k := range rows {
			want := same(pick(rows[i]), pick(rows[k]))
			if got := batch.EqualRows(batch.Row{Batch: x, Index: i}, batch.Row{Batch: x, Index: k}, cols); got != want {
				t.Fatalf("rows %v and %v: equal %t", rows[i], rows[k], got)
			}
			if got := hashes[i] == hashes[k]; got != want {
				t.Fatalf("rows %v and %v: equal hashes %t", rows[i], rows[k], got)
			}
		}
	}
}

// column makes a batch of one column from values in Arrow's JSON.
func column(t testing.TB, typ arrow.DataType, json string) *batch.Batch {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, typ, strings.NewReader(json))
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: typ, Nullable: true}}, nil)
	b, err := batch.New(array.NewRecordBatch(schema, []arrow.Array{a}, int64(a.Len())))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHashAcrossTypes(t *testing.T) {
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}
	tests := []struct {
		a, b  arrow.DataType
		json  string
		equal bool
	}{
		{arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int64, `[-5]`, true},
		{arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, `[-5]`, true},
		{arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int32, `[200]`, true},
		{arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Int64, `[200]`, true},
		{arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint16, `[200]`, true},
		{arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, `[0.5]`, true},
		{arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float64, `[1]`, false},
		{arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, `["x"]`, true},
		{arrow.BinaryTypes.Binary, &arrow.FixedSizeBinaryType{ByteWidth: 3}, `["AAAA"]`, true},
		{arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary, `["AAAA"]`, true},
		{arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, `["AAAA"]`, false},
		{dict, arrow.BinaryTypes.String, `["x"]`, true},
		{dict, arrow.BinaryTypes.String, `[null]`, true},
		{arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64, `[null]`, true},
		{arrow.Null, arrow.PrimitiveTypes.Int64, `[null]`, true},
		{arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int64, `[null]`, true},
		{arrow.FixedWidthTypes.Date32, arrow.PrimitiveTypes.Int32, `[7]`, false},
		{arrow.FixedWidthTypes.Timestamp_us, &arrow.TimestampType{Unit: arrow.Microsecond}, `[7]`, true},
		{arrow.FixedWidthTypes.Timestamp_us, arrow.FixedWidthTypes.Timestamp_ms, `[7]`, false},
		{&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 20, Scale: 2}, `["1.50"]`, true},
		{&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 9, Scale: 3}, `["0"]`, false},
		{arrow.ListOf(arrow.PrimitiveTypes.Int8), arrow.ListOf(arrow.PrimitiveTypes.Int64), `[[1, null]]`, true},
	}
	for _, tt := range tests {
		a, b := column(t, tt.a, tt.json), column(t, tt.b, tt.json)
		if got := batch.EqualRows(batch.Row{Batch: a}, batch.Row{Batch: b}, nil); got != tt.equal {
			t.Errorf("%s and %s, %s: equal %t", tt.a, tt.b, tt.json, got)
		}
		if got := hashOf(t, a)[0] == hashOf(t, b)[0]; got != tt.equal {
			t.Errorf("%s and %s, %s: equal hashes %t", tt.a, tt.b, tt.json, got)
		}
	}
}

func hashOf(t testing.TB, b *batch.Batch) []uint64 {
	t.Helper()
	h, err := batch.Hash(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashSpecialFloats(t *testing.T) {
	type row struct{ F float64 }
	odd := math.Float64frombits(math.Float64bits(math.NaN()) ^ 1)
	h := hashOf(t, build(t, row{0}, row{math.Copysign(0, -1)}, row{math.NaN()}, row{odd}, row{1}))
	if h[0] != h[1] || h[2] != h[3] || h[0] == h[2] || h[0] == h[4] {
		t.Errorf("%x", h)
	}
}

// A null is not what stands in its place, and a decimal is more than its low half.
func TestHashTellsApart(t *testing.T) {
	for _, typ := range append(scalarTypes, arrow.ListOf(arrow.PrimitiveTypes.Int64), arrow.StructOf()) {
		if typ == arrow.Null {
			continue
		}
		a, b := nulls(typ), nulls(typ)
		valid := array.MakeFromData(array.NewData(typ, 1, append([]*memory.Buffer{nil}, b.Data().Buffers()[1:]...), b.Data().Children(), 0, 0))
		apart(t, a, valid)
	}
	typ := &arrow.Decimal128Type{Precision: 38}
	d := array.NewDecimal128Builder(memory.DefaultAllocator, typ)
	d.Append(decimal128.New(1, 5))
	d.Append(decimal128.New(2, 5))
	x := d.NewArray()
	apart(t, array.NewSlice(x, 0, 1), array.NewSlice(x, 1, 2))
}

// apart wants two values to be unequal.
func apart(t *testing.T, a, b arrow.Array) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: a.DataType(), Nullable: true}}, nil)
	x, err := batch.New(array.NewRecordBatch(schema, []arrow.Array{a}, 1))
	y, err2 := batch.New(array.NewRecordBatch(schema, []arrow.Array{b}, 1))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if batch.EqualRows(batch.Row{Batch: x}, batch.Row{Batch: y}, nil) {
		t.Errorf("%s: %s and %s are equal", a.DataType(), a, b)
	}
	if hashOf(t, x)[0] == hashOf(t, y)[0] {
		t.Errorf("%s: %s and %s have the same hash", a.DataType(), a, b)
	}
}

// A stored state and the key groups of a running job depend on these numbers: they must never change.
func TestHashIsPinned(t *testing.T) {
	type row struct {
		I int64
		N *int32
		F float64
		S string
		B []byte
		D decimal128.Num `millrace:",decimal(9,2)"`
		L []string
		P struct{ X, Y bool }
	}
	got := hashOf(t, build(t, row{}, row{I: -1, N: new(int32), F: 0.5, S: "é", B: []byte{0}, D: decimal128.FromI64(-7), L: []string{"", "a"}}))
	want := []uint64{0xb289fa0c4a70bd23, 0xbb7ce7aed7c0f57c}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s%x", diff, got)
	}
	if g := []int{batch.GroupOf(0, 32), batch.GroupOf(1<<63, 32), batch.GroupOf(math.MaxUint64, 32)}; !cmp.Equal(g, []int{0, 16, 31}) {
		t.Error(g)
	}
}

func TestHashUnsupported(t *testing.T) {
	b := column(t, arrow.ListOf(arrow.FixedWidthTypes.Float16), `[[1]]`)
	_, err := batch.Hash(b, nil)
	want := `batch: hash column "c": type float16 is not supported (field "item" of list<item: float16, nullable>)`
	if diff := cmp.Diff(want, errorText(err)); diff != "" {
		t.Error(diff)
	}
}
