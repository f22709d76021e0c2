package batch_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/batch"
)

type place struct {
	Lat, Lon float64
	Name     *string
}

type base struct {
	ID   int64
	Seen time.Time `millrace:",unit=ms"`
}

type vendor string

type everything struct {
	Flag bool
	base
	I8      int8
	I16     int16
	I32     int32
	I       int
	U8      uint8
	U16     uint16
	U32     uint32
	U       uint
	F32     float32
	F64     float64
	Vendor  vendor `millrace:"vendor_id"`
	Raw     []byte
	At      time.Time
	Day     *time.Time `millrace:"day,date"`
	Took    time.Duration
	Fare    decimal128.Num  `millrace:"fare_amount,decimal(10,2)"`
	Tip     *decimal128.Num `millrace:",decimal(38,4)"`
	Tags    []string
	Matrix  [][]int32
	Place   place
	Stop    *place
	Stops   []place
	Maybe   []*int64
	Count   *int64
	Ignored string `millrace:"-"`
	hidden  int    //nolint:unused // an unexported field is no column
}

func mustMap[T any](t testing.TB) *batch.Mapping[T] {
	t.Helper()
	m, err := batch.NewMapping[T]()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMappingSchema(t *testing.T) {
	got := strings.Split(strings.TrimSpace(mustMap[everything](t).Schema().String()), "\n")[2:]
	want := []string{
		"    - flag: type=bool", "    - id: type=int64", "    - seen: type=timestamp[ms, tz=UTC]", "    - i8: type=int8",
		"    - i16: type=int16", "    - i32: type=int32", "    - i: type=int64", "    - u8: type=uint8", "    - u16: type=uint16",
		"    - u32: type=uint32", "    - u: type=uint64", "    - f32: type=float32", "    - f64: type=float64",
		"    - vendor_id: type=utf8", "    - raw: type=binary, nullable", "    - at: type=timestamp[us, tz=UTC]",
		"    - day: type=date32, nullable", "    - took: type=duration[us]", "    - fare_amount: type=decimal(10, 2)",
		"    - tip: type=decimal(38, 4), nullable", "    - tags: type=list<item: utf8>, nullable",
		"    - matrix: type=list<item: list<item: int32>, nullable>, nullable",
		"    - place: type=struct<lat: float64, lon: float64, name: utf8 nullable>", "    - stop: type=struct<lat: float64, lon: float64, name: utf8 nullable>, nullable",
		"    - stops: type=list<item: struct<lat: float64, lon: float64, name: utf8 nullable>>, nullable",
		"    - maybe: type=list<item: int64, nullable>, nullable", "    - count: type=int64, nullable",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMappingNames(t *testing.T) {
	type names struct {
		VendorID, PULocationID, HTTPServer, X, Fare2, DropoffDatetime, Tip_amount int64
	}
	var got []string
	for _, f := range mustMap[names](t).Schema().Fields() {
		got = append(got, f.Name)
	}
	want := []string{"vendor_id", "pu_location_id", "http_server", "x", "fare2", "dropoff_datetime", "tip_amount"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

var compare = cmp.Options{
	cmp.Comparer(func(a, b decimal128.Num) bool { return a == b }),
	cmp.AllowUnexported(everything{}),
}

// read gives all rows of b as values of T.
func read[T any](t testing.TB, b *batch.Batch) []T {
	t.Helper()
	bound, err := mustMap[T](t).Bind(b.Schema())
	if err != nil {
		t.Fatal(err)
	}
	view, err := bound.View(b)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	for v, err := range view.All() {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, *v)
	}
	return out
}

// build makes a batch of structs.
func build[T any](t testing.TB, rows ...T) *batch.Batch {
	t.Helper()
	m := mustMap[T](t)
	b, err := batch.NewBuilder(m.Schema(), batch.BuilderOptions{})
	for i := range rows {
		err = errors.Join(err, m.Append(b, &rows[i]), b.EndRow())
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMappingRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(drawEverything), 0, 600).Draw(rt, "rows")
		if rapid.Bool().Draw(rt, "many") {
			for len(rows) > 0 && len(rows) < 700 {
				rows = append(rows, rows...)
			}
		}
		b := build(t, rows...)
		from := rapid.IntRange(0, b.Rows()).Draw(rt, "from")
		to := rapid.IntRange(from, b.Rows()).Draw(rt, "to")
		got := read[everything](t, b.Slice(from, to))
		if diff := cmp.Diff(slices.Clone(rows[from:to]), got, compare); diff != "" && to > from {
			rt.Fatal(diff)
		}
	})
}

func drawEverything(t *rapid.T) everything {
	str := rapid.StringN(0, 5, -1)
	ms := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMilli(rapid.Int64Range(-1e14, 1e14).Draw(t, "ms")).UTC()
	})
	day := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(86400*rapid.Int64Range(-1e6, 1e6).Draw(t, "day"), 0).UTC()
	})
	dec := rapid.Custom(func(t *rapid.T) decimal128.Num {
		return decimal128.FromI64(rapid.Int64Range(-9_999_999_999, 9_999_999_999).Draw(t, "decimal"))
	})
	loc := rapid.Custom(func(t *rapid.T) place {
		return place{rapid.Float64().Draw(t, "lat"), 1, rapid.Ptr(str, true).Draw(t, "name")}
	})
	return everything{
		base: base{rapid.Int64().Draw(t, "id"), ms.Draw(t, "seen")},
		Flag: rapid.Bool().Draw(t, "flag"),
		I8:   rapid.Int8().Draw(t, "i8"), I16: rapid.Int16().Draw(t, "i16"), I32: rapid.Int32().Draw(t, "i32"),
		I:  rapid.Int().Draw(t, "i"),
		U8: rapid.Uint8().Draw(t, "u8"), U16: rapid.Uint16().Draw(t, "u16"), U32: rapid.Uint32().Draw(t, "u32"),
		U:   rapid.Uint().Draw(t, "u"),
		F32: rapid.Float32().Draw(t, "f32"), F64: rapid.Float64().Draw(t, "f64"),
		Vendor: vendor(str.Draw(t, "vendor")),
		Raw:    orNil(rapid.SliceOfN(rapid.Byte(), 0, 5)).Draw(t, "raw"),
		At:     ms.Draw(t, "at"), Day: rapid.Ptr(day, true).Draw(t, "day"),
		Took: time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "took")) * time.Microsecond,
		Fare: dec.Draw(t, "fare"), Tip: rapid.Ptr(dec, true).Draw(t, "tip"),
		Tags:   orNil(rapid.SliceOfN(str, 0, 3)).Draw(t, "tags"),
		Matrix: orNil(rapid.SliceOfN(orNil(rapid.SliceOfN(rapid.Int32(), 0, 3)), 0, 3)).Draw(t, "matrix"),
		Place:  loc.Draw(t, "place"), Stop: rapid.Ptr(loc, true).Draw(t, "stop"),
		Stops: orNil(rapid.SliceOfN(loc, 0, 2)).Draw(t, "stops"),
		Maybe: orNil(rapid.SliceOfN(rapid.Ptr(rapid.Int64(), true), 0, 3)).Draw(t, "maybe"),
		Count: rapid.Ptr(rapid.Int64(), true).Draw(t, "count"),
	}
}

func orNil[T any](g *rapid.Generator[[]T]) *rapid.Generator[[]T] {
	return rapid.OneOf(g, rapid.Just[[]T](nil))
}

func TestMappingWidens(t *testing.T) {
	type narrow struct {
		A int8
		B uint32
		C float32
		D string
		E time.Time `millrace:",unit=s"`
		F time.Time `millrace:",date"`
		G []int16
		H decimal128.Num `millrace:",decimal(5,2)"`
	}
	type wide struct {
		H    decimal128.Num `millrace:",decimal(9,2)"`
		G    []int64
		A, B int64
		C    float64
		D    []byte
		E, F time.Time
	}
	at := time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC)
	b := build(t, narrow{-5, 1 << 31, 0.1, "x", at, at, []int16{1, -2}, decimal128.FromI64(-150)})
	want := []wide{{decimal128.FromI64(-150), []int64{1, -2}, -5, 1 << 31, float64(float32(0.1)), []byte("x"), at, at.Truncate(24 * time.Hour)}}
	if diff := cmp.Diff(want, read[wide](t, b), compare); diff != "" {
		t.Error(diff)
	}
}

// What is finer than the unit is rounded down.
func TestMappingRounds(t *testing.T) {
	type row struct {
		T time.Time `millrace:",unit=s"`
		U time.Time
		D time.Duration `millrace:",unit=ms"`
		E time.Time     `millrace:",date"`
	}
	early := time.Date(1969, 12, 31, 23, 59, 58, 999_999_999, time.FixedZone("", 7200))
	want := []row{
		{time.Unix(1, 0), time.UnixMicro(1_000_001), time.Millisecond, time.Unix(0, 0)},
		{early.Truncate(time.Second), early.Truncate(time.Microsecond), -2 * time.Millisecond, time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)},
	}
	got := read[row](t, build(t,
		row{time.Unix(1, 999), time.Unix(1, 1999), 1999 * time.Microsecond, time.Unix(5, 0).UTC()},
		row{early, early, -1001 * time.Microsecond, early},
	))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a row was given is its own: to change it changes no other row and no batch.
func TestMappingValuesAreSafe(t *testing.T) {
	type row struct {
		B []byte
		L []int64
		P *int64
	}
	n := func(v int64) *int64 { return &v }
	rows := []row{{[]byte("ab"), []int64{1, 2}, n(1)}, {[]byte("cd"), []int64{3, 4}, n(2)}, {[]byte("ef"), []int64{5, 6}, n(3)}}
	b := build(t, rows...)
	got := read[row](t, b)
	_, _ = append(got[1].B, 'x'), append(got[1].L, 9)
	got[1].B[0], got[1].L[0], *got[1].P = 'y', 8, 7
	if diff := cmp.Diff([]row{rows[0], rows[2]}, []row{got[0], got[2]}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(rows, read[row](t, b)); diff != "" {
		t.Error(diff)
	}
}

func TestMappingNull(t *testing.T) {
	type nullable struct {
		A *int64
		L []*int64
		S *struct{ X *int64 }
	}
	type strict struct {
		A int64
		L []int64
		S struct{ X int64 }
	}
	one := new(int64)
	*one = 1
	s := &struct{ X *int64 }{one}
	b := build(t,
		nullable{one, []*int64{one}, s},
		nullable{nil, nil, s},
		nullable{one, []*int64{one, nil}, s},
		nullable{one, nil, &struct{ X *int64 }{}},
		nullable{one, nil, s},
		nullable{one, nil, nil},
	)
	bound, err := mustMap[strict](t).Bind(b.Schema())
	if err != nil {
		t.Fatal(err)
	}
	view, err := bound.View(b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for v, err := range view.All() {
		if err == nil && (v.A != 1 || v.S.X != 1) {
			t.Error(*v)
		}
		got = append(got, errorText(err))
	}
	want := []string{
		"",
		`batch: row 1, column "a": it is null, and field strict.A of type int64 cannot be`,
		`batch: row 2, column "l.item": it is null, and field strict.L[] of type int64 cannot be`,
		`batch: row 3, column "x": it is null, and field strict.S.X of type int64 cannot be`,
		"",
		`batch: row 5, column "s": it is null, and field strict.S of type struct { X int64 } cannot be`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
