package parquetio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/parquetio"
	"pgregory.net/rapid"
)

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatal(...any)
}

func seq(bs ...*batch.Batch) iter.Seq2[*batch.Batch, error] {
	return func(yield func(*batch.Batch, error) bool) {
		for _, b := range bs {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func encode(t fataler, s flow.Sink, schema *arrow.Schema, bs ...*batch.Batch) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := s.Encode(&w, schema, seq(bs...)); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// read gives the columns of a file and the number of its row groups.
func read(t fataler, data []byte) (arrow.RecordBatch, int) {
	t.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return concat(t, table), f.NumRowGroups()
}

// concat gives the rows of a table as one record.
func concat(t fataler, table arrow.Table) arrow.RecordBatch {
	t.Helper()
	if table.NumRows() == 0 {
		return array.NewRecordBuilder(memory.DefaultAllocator, table.Schema()).NewRecordBatch()
	}
	cols := make([]arrow.Array, table.NumCols())
	for i := range cols {
		var err error
		if cols[i], err = array.Concatenate(table.Column(i).Data().Chunks(), memory.DefaultAllocator); err != nil {
			t.Fatal(err)
		}
	}
	return array.NewRecordBatch(table.Schema(), cols, table.NumRows())
}

func rowTexts(rec arrow.RecordBatch) [][]string {
	rows := make([][]string, rec.NumRows())
	for i := range rows {
		for _, c := range rec.Columns() {
			rows[i] = append(rows[i], show(c, i))
		}
	}
	return rows
}

// show prints a value. What lies below a null does not count.
func show(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return "null"
	}
	var parts []string
	switch a := a.(type) {
	case *array.Binary:
		return fmt.Sprintf("%q", a.Value(i))
	case *array.String:
		return fmt.Sprintf("%q", a.Value(i))
	case array.ListLike:
		for from, to := a.ValueOffsets(i); from < to; from++ {
			parts = append(parts, show(a.ListValues(), int(from)))
		}
		return fmt.Sprint(parts)
	case *array.Struct:
		for f := range a.NumField() {
			parts = append(parts, show(a.Field(f), i))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return a.ValueStr(i)
}

func types(s *arrow.Schema) []string {
	var out []string
	for _, f := range s.Fields() {
		out = append(out, fmt.Sprintf("%s %s %v", f.Name, f.Type, f.Nullable))
	}
	return out
}

func TestEncodeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := arrow.NewSchema(genFields(t, 2), nil)
		s, err := parquetio.NewSink(parquetio.Options{
			URL:           "lake",
			RowGroupRows:  rapid.Int64Range(1, 8).Draw(t, "rowGroupRows"),
			RowGroupBytes: rapid.SampledFrom([]int64{1, 1000, 0}).Draw(t, "rowGroupBytes"),
			Compression:   rapid.SampledFrom([]string{"", "zstd", "none"}).Draw(t, "compression"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(schema); err != nil {
			t.Fatal(err)
		}
		var batches []*batch.Batch
		want := [][]string{}
		for range rapid.IntRange(0, 3).Draw(t, "batches") {
			b := genBatch(t, schema, rapid.IntRange(0, 8).Draw(t, "rows"))
			if n := b.Rows(); n > 0 {
				b = b.Slice(rapid.IntRange(0, n-1).Draw(t, "from"), n)
			}
			routing, err := s.Route(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(flow.Routing{Dests: []string{""}}, routing); diff != "" {
				t.Fatal(diff)
			}
			batches = append(batches, b)
			want = append(want, rowTexts(b.Visible())...)
		}
		data := encode(t, s, schema, batches...)
		got, _ := read(t, data)
		if diff := cmp.Diff(types(schema), types(got.Schema())); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want, rowTexts(got)); diff != "" {
			t.Fatal(diff)
		}
		if !bytes.Equal(data, encode(t, s, schema, batches...)) {
			t.Fatal("the same rows gave other bytes")
		}
	})
}

// BR-050: a double comes back with its bits, be it a number or not.
func TestEncodeDoublesAtTheEdge(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.PrimitiveTypes.Float64}}, nil)
	s, err := parquetio.NewSink(parquetio.Options{URL: "lake"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.NewBuilder(schema, batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []uint64{math.Float64bits(math.NaN()), 0x7ff0000000000000, 0xfff0000000000000, 1 << 63, 1, math.Float64bits(math.MaxFloat64)}
	for _, bits := range want {
		b.Col(0).Float64(math.Float64frombits(bits))
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	rec, _ := read(t, encode(t, s, schema, rows))
	var got []uint64
	for _, v := range rec.Column(0).(*array.Float64).Values() {
		got = append(got, math.Float64bits(v))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeRowGroups(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	rows := func(from, to int64) *batch.Batch {
		b, _ := batch.NewBuilder(schema, batch.BuilderOptions{})
		for n := from; n < to; n++ {
			b.Col(0).Int64(n)
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
	for _, c := range []struct {
		name    string
		o       parquetio.Options
		batches []*batch.Batch
		groups  int
	}{
		{"no rows", parquetio.Options{}, nil, 0},
		{"one", parquetio.Options{}, []*batch.Batch{rows(0, 100), rows(100, 200)}, 1},
		{"rows, exact", parquetio.Options{RowGroupRows: 100}, []*batch.Batch{rows(0, 100), rows(100, 200)}, 2},
		{"rows, across", parquetio.Options{RowGroupRows: 70}, []*batch.Batch{rows(0, 100), rows(100, 200)}, 3},
		{"bytes", parquetio.Options{RowGroupBytes: 800}, []*batch.Batch{rows(0, 50), rows(50, 100), rows(100, 101), rows(101, 102)}, 2},
		{"an empty batch", parquetio.Options{}, []*batch.Batch{rows(0, 0)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, groups := read(t, encode(t, mustSink(t, c.o), schema, c.batches...))
			want := [][]string{}
			for _, b := range c.batches {
				want = append(want, rowTexts(b.Record())...)
			}
			if diff := cmp.Diff(want, rowTexts(got)); diff != "" {
				t.Error(diff)
			}
			if groups != c.groups {
				t.Errorf("%d row groups, want %d", groups, c.groups)
			}
		})
	}
}

// BR-034, with a null list that hides elements.
func TestEncodeLists(t *testing.T) {
	list := arrow.ListOf(arrow.PrimitiveTypes.Int64)
	offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, 1, 3, 3, 4}))
	valid := memory.NewBufferBytes([]byte{0b1101})
	values := fromJSON(t, arrow.PrimitiveTypes.Int64, "[7, 8, 9, null]").Column(0)
	col := array.MakeFromData(array.NewData(list, 4, []*memory.Buffer{valid, offsets}, []arrow.ArrayData{values.Data()}, 1, 0))
	if diff := cmp.Diff([][]string{{"[7]"}, {"null"}, {"[]"}, {"[null]"}}, column(t, col)); diff != "" {
		t.Error(diff)
	}
}

// Null structs do not shift the decimals of the others.
func TestEncodeDecimalsBesideNullStructs(t *testing.T) {
	wide := array.NewDecimal128Builder(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: 38, Scale: 1})
	wide.AppendValues([]decimal128.Num{{}, decimal128.FromI64(10), decimal128.FromI64(20)}, nil)
	values := wide.NewArray()
	structs := array.MakeFromData(array.NewData(arrow.StructOf(arrow.Field{Name: "d", Type: values.DataType()}), 3,
		[]*memory.Buffer{memory.NewBufferBytes([]byte{0b110})}, []arrow.ArrayData{values.Data()}, 1, 0))
	if diff := cmp.Diff([][]string{{"null"}, {"{1}"}, {"{2}"}}, column(t, structs)); diff != "" {
		t.Error(diff)
	}
}

// column writes one column and reads it back.
func column(t *testing.T, col arrow.Array) [][]string {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: col.DataType(), Nullable: true}}, nil)
	in, err := batch.New(array.NewRecordBatch(schema, []arrow.Array{col}, int64(col.Len())))
	if err != nil {
		t.Fatal(err)
	}
	s := mustSink(t, parquetio.Options{})
	if routing, err := s.Route(in); err != nil || routing.Of != nil {
		t.Fatal(routing, err)
	}
	got, _ := read(t, encode(t, s, schema, in))
	return rowTexts(got)
}

func TestEncodeFails(t *testing.T) {
	in := textBatch(t, "c", slices.Repeat([]*string{new(string)}, 10)...)
	s := mustSink(t, parquetio.Options{})
	bad := errors.New("disk full")
	if err := s.Encode(failing{bad}, in.Schema(), seq(in)); !errors.Is(err, bad) {
		t.Errorf("writer: %v", err)
	}
	err := s.Encode(new(bytes.Buffer), in.Schema(), func(yield func(*batch.Batch, error) bool) { yield(nil, bad) })
	if !errors.Is(err, bad) {
		t.Errorf("reader: %v", err)
	}
	other := arrow.NewSchema([]arrow.Field{{Name: "c", Type: arrow.PrimitiveTypes.Int64}}, nil)
	if err := s.Encode(new(bytes.Buffer), other, seq(in)); err == nil || !strings.Contains(err.Error(), `column "c" has type utf8`) {
		t.Errorf("schema: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
