package parquetio_test

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/parquetio"
	"pgregory.net/rapid"
)

// dests gives the destination of every row; "refused: rule" for a refused one.
func dests(r flow.Routing) []string {
	out := make([]string, len(r.Of))
	for i, d := range r.Of {
		if d >= 0 {
			out[i] = r.Dests[d]
		}
	}
	for _, f := range r.Refused {
		out[f.Row] = "refused: " + f.Rule
	}
	return out
}

func route(t fataler, s flow.Sink, b *batch.Batch) []string {
	t.Helper()
	r, err := s.Route(b)
	if err != nil {
		t.Fatal(err)
	}
	return dests(r)
}

// fromJSON makes a batch of one column.
func fromJSON(t testing.TB, typ arrow.DataType, values string) *batch.Batch {
	t.Helper()
	col, _, err := array.FromJSON(memory.DefaultAllocator, typ, strings.NewReader(values))
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: typ, Nullable: true}}, nil)
	b, err := batch.New(array.NewRecordBatch(schema, []arrow.Array{col}, int64(col.Len())))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// BR-047: an integer in a folder's name has all its digits. BR-071: days far from now.
func TestRouteValues(t *testing.T) {
	const null = "c=__HIVE_DEFAULT_PARTITION__"
	for _, c := range []struct {
		by     string
		typ    arrow.DataType
		values string
		want   []string
	}{
		{"c", arrow.PrimitiveTypes.Int64, `[1, null, -9223372036854775808, 9007199254740993, 1]`, []string{"c=1", null, "c=-9223372036854775808", "c=9007199254740993", "c=1"}},
		{"c", arrow.PrimitiveTypes.Uint64, `[18446744073709551615]`, []string{"c=18446744073709551615"}},
		{"c", arrow.PrimitiveTypes.Int8, `[-1, null]`, []string{"c=-1", null}},
		{"c", arrow.FixedWidthTypes.Boolean, `[true, false, null]`, []string{"c=true", "c=false", null}},
		{"c", &arrow.Decimal128Type{Precision: 5, Scale: 2}, `["1.50", "-0.01", "1.50"]`, []string{"c=1.50", "c=-0.01", "c=1.50"}},
		{"c", arrow.FixedWidthTypes.Date32, `["1969-12-31", "2024-02-29", "0001-01-01"]`, []string{"c=1969-12-31", "c=2024-02-29", "c=0001-01-01"}},
		{"c", arrow.FixedWidthTypes.Timestamp_us, `["1969-12-31 23:59:59.5Z", "2019-01-15 08:30:00Z"]`, []string{"c=1969-12-31 23%3A59%3A59.5", "c=2019-01-15 08%3A30%3A00"}},
		{
			"day(c)", arrow.FixedWidthTypes.Timestamp_us, `["1969-12-31 23:59:59.999999Z", "1970-01-01T00:00:00Z", "1600-01-01T00:00:00Z", "2300-06-01T00:00:00Z", "9999-12-31 23:59:59Z", "0001-01-01T00:00:00Z", null]`,
			[]string{"c_day=1969-12-31", "c_day=1970-01-01", "c_day=1600-01-01", "c_day=2300-06-01", "c_day=9999-12-31", "c_day=0001-01-01", "c_day=__HIVE_DEFAULT_PARTITION__"},
		},
		{"day(c)", arrow.FixedWidthTypes.Timestamp_s, `[-1, 0, -86400, -86401]`, []string{"c_day=1969-12-31", "c_day=1970-01-01", "c_day=1969-12-31", "c_day=1969-12-30"}},
		{"day(c)", arrow.FixedWidthTypes.Timestamp_ns, `["1969-12-31 23:59:59.999999999Z"]`, []string{"c_day=1969-12-31"}},
		{"day(c)", arrow.FixedWidthTypes.Date32, `["2019-01-15"]`, []string{"c_day=2019-01-15"}},
		{"hour(c)", arrow.FixedWidthTypes.Timestamp_ms, `["1969-12-31 23:59:59.999Z", "2019-01-15 08:30:00Z"]`, []string{"c_hour=1969-12-31-23", "c_hour=2019-01-15-08"}},
		{"hour(c)", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Asia/Kolkata"}, `["2026-03-08T05:59:59Z"]`, []string{"c_hour=2026-03-08-05"}},
	} {
		t.Run(c.by+" "+c.typ.String(), func(t *testing.T) {
			s := mustSink(t, parquetio.Options{PartitionBy: []string{c.by}})
			b := fromJSON(t, c.typ, c.values)
			if err := s.Check(b.Schema()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, route(t, s, b)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// BR-028 and BR-029.
func TestRouteTexts(t *testing.T) {
	text := func(s string) *string { return &s }
	b := textBatch(t, "c", text("a/b"), text("../x"), text("x=y"), text("50%"), text("%2F"), text("10:30"), text("a b"), text("a+b"),
		text("#1?"), text("ü"), text("tab\there"), text("line\nbreak"), text("."), text(".."), text("A"), text("a"), text("z\x00\x7f"),
		text(""), nil, text("__HIVE_DEFAULT_PARTITION__"), text(" "), text("\xff"), text(strings.Repeat("x", 253)), text(strings.Repeat("x", 254)))
	want := []string{
		"c=a%2Fb", "c=..%2Fx", "c=x%3Dy", "c=50%25", "c=%252F", "c=10%3A30", "c=a b", "c=a+b",
		"c=%231%3F", "c=ü", "c=tab%09here", "c=line%0Abreak", "c=.", "c=..", "c=A", "c=a", "c=z%00%7F",
		"c=__HIVE_DEFAULT_PARTITION__", "c=__HIVE_DEFAULT_PARTITION__", "c=%5F_HIVE_DEFAULT_PARTITION__", "c= ",
		"refused: utf-8", "c=" + strings.Repeat("x", 253), "refused: folder",
	}
	if diff := cmp.Diff(want, route(t, mustSink(t, parquetio.Options{PartitionBy: []string{"c"}}), b)); diff != "" {
		t.Error(diff)
	}
	want[17] = "refused: empty-partition"
	if diff := cmp.Diff(want, route(t, mustSink(t, parquetio.Options{PartitionBy: []string{"c"}, DropPartitionColumns: true}), b)); diff != "" {
		t.Error("dropped: ", diff)
	}
}

// Every value stays one folder below the root, distinct values have distinct folders, and each is read back exactly.
func TestRouteEscapes(t *testing.T) {
	s := mustSink(t, parquetio.Options{PartitionBy: []string{"c"}})
	nasty := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("/.%=:2F5_\x00\n\\ ~ü"))),
		rapid.SampledFrom([]string{".", "..", "../..", "__HIVE_DEFAULT_PARTITION__", "%5F_HIVE_DEFAULT_PARTITION__", "/etc"}))
	rapid.Check(t, func(rt *rapid.T) {
		values := rapid.SliceOfDistinct(nasty, rapid.ID[string]).Draw(rt, "values")
		var in []*string
		for i := range values {
			in = append(in, &values[i])
		}
		seen := map[string]string{}
		for i, d := range route(rt, s, textBatch(t, "c", in...)) {
			if strings.HasPrefix(d, "refused") {
				continue
			}
			if d != path.Clean(d) || strings.ContainsAny(d, "/\\\x00") {
				rt.Fatalf("%q: folder %q leaves its place", values[i], d)
			}
			if other, ok := seen[d]; ok {
				rt.Fatalf("%q and %q share the folder %q", values[i], other, d)
			}
			seen[d] = values[i]
			back, err := url.PathUnescape(strings.TrimPrefix(d, "c="))
			if values[i] != "" && (err != nil || back != values[i]) {
				rt.Fatalf("%q comes back as %q: %v", values[i], back, err)
			}
		}
	})
}

// Several partition columns against a plain loop.
func TestRouteColumns(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	s := mustSink(t, parquetio.Options{PartitionBy: []string{"day(at)", "n", "s"}})
	rapid.Check(t, func(rt *rapid.T) {
		b, _ := batch.NewBuilder(schema, batch.BuilderOptions{})
		var want []string
		for range rapid.IntRange(1, 50).Draw(rt, "rows") {
			parts := []string{"at_day=__HIVE_DEFAULT_PARTITION__", "n=__HIVE_DEFAULT_PARTITION__", "s=__HIVE_DEFAULT_PARTITION__"}
			if d := rapid.IntRange(-2, 2).Draw(rt, "day"); d != 2 {
				b.Col(0).Int64(int64(d) * 86_400_000_000)
				parts[0] = "at_day=" + map[int]string{-2: "1969-12-30", -1: "1969-12-31", 0: "1970-01-01", 1: "1970-01-02"}[d]
			}
			if n := rapid.Int64Range(0, 3).Draw(rt, "n"); n != 0 {
				b.Col(1).Int64(n)
				parts[1] = fmt.Sprint("n=", n)
			}
			if v := rapid.SampledFrom([]string{"", "x", "y"}).Draw(rt, "s"); v != "" {
				b.Col(2).String(v)
				parts[2] = "s=" + v
			}
			if err := b.EndRow(); err != nil {
				rt.Fatal(err)
			}
			want = append(want, strings.Join(parts, "/"))
		}
		in, err := b.Build()
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, route(rt, s, in)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// What Parquet cannot hold is refused by row, wherever in the column it lies.
func TestRouteRefuses(t *testing.T) {
	str := arrow.BinaryTypes.String
	texts := func() *array.StringBuilder { return array.NewStringBuilder(memory.DefaultAllocator) }
	bad := texts()
	bad.AppendValues([]string{"ok", "\xc3", "ü", "x"}, []bool{true, true, true, false})
	lists := array.NewListBuilder(memory.DefaultAllocator, str)
	for _, l := range [][]string{{"a"}, {}, {"\x00\xa8\x59\xe2\x77", "b"}, {"c"}} {
		lists.Append(true)
		lists.ValueBuilder().(*array.StringBuilder).AppendValues(l, nil)
	}
	required := arrow.StructOf(arrow.Field{Name: "r", Type: str})
	structs := array.NewStructBuilder(memory.DefaultAllocator, required)
	for _, valid := range []bool{true, false, true} {
		structs.Append(valid)
		structs.FieldBuilder(0).AppendNull()
	}
	dec := array.NewDecimal128Builder(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: 5, Scale: 2})
	dec.AppendValues([]decimal128.Num{decimal128.FromI64(99999), decimal128.FromI64(-100000), decimal128.New(-1<<63, 0)}, nil)
	secs := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: arrow.Second})
	secs.AppendValues([]arrow.Timestamp{1 << 53, 1 << 62}, nil)
	times := array.NewTime64Builder(memory.DefaultAllocator, &arrow.Time64Type{Unit: arrow.Microsecond})
	times.AppendValues([]arrow.Time64{0, -1, 86_400_000_000}, nil)
	for _, c := range []struct {
		name   string
		col    arrow.Array
		want   map[int32]string
		reason string
	}{
		{"text", bad.NewArray(), map[int32]string{1: "utf-8"}, `column "c": the text is not valid UTF-8: byte 0 is 0xC3`},
		{"list", lists.NewArray(), map[int32]string{2: "utf-8"}, `column "c.item": the text is not valid UTF-8: byte 1 is 0xA8`},
		{"struct", structs.NewArray(), map[int32]string{0: "required", 2: "required"}, `column "c.r": null in a column that is declared not null`},
		{"decimal", dec.NewArray(), map[int32]string{1: "range", 2: "range"}, `column "c": -1000 does not fit the Parquet form of decimal(5, 2)`},
		{"seconds", secs.NewArray(), map[int32]string{1: "range"}, ""},
		{"time", times.NewArray(), map[int32]string{1: "range", 2: "range"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusesRows(t, c.col, c.want, c.reason)
		})
	}
}

func refusesRows(t *testing.T, col arrow.Array, want map[int32]string, reason string) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: col.DataType(), Nullable: true}}, nil)
	b, err := batch.New(array.NewRecordBatch(schema, []arrow.Array{col}, int64(col.Len())))
	if err != nil {
		t.Fatal(err)
	}
	s := mustSink(t, parquetio.Options{})
	for from := range b.Rows() { // a slice gives the same answers
		r, err := s.Route(b.Slice(from, b.Rows()))
		if err != nil {
			t.Fatal(err)
		}
		got, wanted := map[int32]string{}, map[int32]string{}
		for _, f := range r.Refused {
			got[f.Row+int32(from)] = f.Rule
		}
		for row, rule := range want {
			if row >= int32(from) {
				wanted[row] = rule
			}
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Fatalf("from row %d: %s", from, diff)
		}
		if from == 0 && reason != "" && r.Refused[0].Reason != reason {
			t.Errorf("reason %q, want %q", r.Refused[0].Reason, reason)
		}
	}
}

// What lies below a null is not there.
func TestRouteBelowNull(t *testing.T) {
	texts := array.NewStringBuilder(memory.DefaultAllocator)
	texts.AppendValues([]string{"\xff", "a"}, nil)
	offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, 1, 2}))
	col := array.MakeFromData(array.NewData(arrow.ListOf(arrow.BinaryTypes.String), 2,
		[]*memory.Buffer{memory.NewBufferBytes([]byte{0b10}), offsets}, []arrow.ArrayData{texts.NewArray().Data()}, 1, 0))
	refusesRows(t, col, map[int32]string{}, "")
}

func TestRouteRequired(t *testing.T) {
	col, _, err := array.FromJSON(memory.DefaultAllocator, arrow.PrimitiveTypes.Int64, strings.NewReader("[1, null]"))
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: col.DataType()}}, nil)
	b, err := batch.New(array.NewRecordBatch(schema, []arrow.Array{col}, 2))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"c=1", "refused: required"}, route(t, mustSink(t, parquetio.Options{PartitionBy: []string{"c"}}), b)); diff != "" {
		t.Error(diff)
	}
}
