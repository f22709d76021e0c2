package jsonarrow

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
)

func fields(names ...string) *arrow.Schema {
	var fs []arrow.Field
	for _, n := range names {
		fs = append(fs, arrow.Field{Name: n, Type: arrow.PrimitiveTypes.Int64, Nullable: true})
	}
	return arrow.NewSchema(fs, nil)
}

func check(t *testing.T, got decoded, errs []string, cols ...string) {
	t.Helper()
	if diff := cmp.Diff(decoded{cols: cols, errs: errs}, got, cmp.AllowUnexported(decoded{})); diff != "" {
		t.Error(diff)
	}
}

// BR-034
func TestNullEmptyAndNullsInLists(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
	}, nil)
	got := decode(t, schema, Options{},
		`{"id":1,"l":null}`, `{"id":2}`, `{"id":3,"l":[]}`, `{"id":4,"l":[null]}`, `{"id":5,"l":[1,null,2]}`, `{"id":6,"l":[ 3 ]}`)
	check(t, got, nil, "[1 2 3 4 5 6]", "[(null) (null) [] [(null)] [1 (null) 2] [3]]")

	inner := arrow.StructOf(
		arrow.Field{Name: "a", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
		arrow.Field{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true})
	got = decode(t, column(arrow.ListOf(inner)), Options{},
		`{"v":[{"a":[1,2],"b":null},null,{"a":[]},{}]}`, `{"v":[{"a":[1,"x"]}]}`, `{"v":[]}`, `{"v":[{"b":"y","a":[null]}]}`)
	check(t, got, []string{`column "v[0].a[1]": the text "x" is no int64 that the column takes (at byte 14)`},
		`[{[[1 2] (null) [] (null)] [(null) (null) (null) (null)]} {[] []} {[[(null)]] ["y"]}]`)
}

// BR-037
func TestNamesAreExact(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{}, nil)
	for _, f := range fields("+1", "-1", "ID", "id", "a.b").Fields() {
		schema, _ = schema.AddField(schema.NumFields(), f)
	}
	schema, _ = schema.AddField(5, arrow.Field{Name: "a", Type: arrow.StructOf(fields("b").Fields()...), Nullable: true})
	schema, _ = schema.AddField(6, fields("").Field(0))
	schema, _ = schema.AddField(7, fields(`a\u0062`).Field(0))
	got := decode(t, schema, Options{},
		`{"+1":1,"-1":2,"ID":3,"id":4,"a.b":5,"a":{"b":6},"":7,"a\\u0062":8}`,
		`{"i\u0064":9,"Id":1,"iD":2,"a\u002Eb":10,"a\u0062":11}`)
	check(t, got, nil, "[1 (null)]", "[2 (null)]", "[3 (null)]", "[4 9]", "[5 10]", "{[6 (null)]}", "[7 (null)]", "[8 (null)]")
}

func TestLastOfOneNameCounts(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "s", Type: arrow.StructOf(fields("x", "y").Fields()...), Nullable: true},
		{Name: "t", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	got := decode(t, schema, Options{},
		`{"a":1,"t":"one","a":2,"t":"two"}`,
		`{"a":"x","a":3}`,
		`{"a":3,"a":"x"}`,
		`{"s":{"x":1,"y":1},"s":{"x":2}}`,
		`{"s":{"x":1,"x":2,"y":[],"y":3}}`,
		`{"a":4,"a":null}`,
		`{"a":5,"a":}`)
	check(t, got, []string{
		`column "a": the text "x" is no int64 that the column takes (at byte 11)`,
		`column "a": '}' where a value is expected (at byte 11)`,
	}, "[2 3 (null) (null) (null)]", "{[(null) (null) 2 2 (null)] [(null) (null) (null) 3 (null)]}", `["two" (null) (null) (null) (null)]`)
}

func TestUnknownFields(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "l", Type: arrow.ListOf(arrow.StructOf(fields("x").Fields()...)), Nullable: true},
	}, nil)
	records := []string{
		`{ "b" : { "c" : [1, "é\u00e9"] } ,"a":1, "A": null}`,
		`{"l":[{"x":1},{"x":2,"y/z":3,"~":{}}]}`,
		`{"a":2}`,
		`{"a":3,"a":4,"b":1e400}`,
		`{"b":[1,],"a":5}`,
		"{\"b\":\"\xff\",\"a\":5}",
	}
	syntax := []string{`']' where a value is expected (at byte 8)`, `byte 0xFF is not valid UTF-8 (at byte 6)`}
	l := "[(null) {[1 2]} (null) (null)]"
	check(t, decode(t, schema, Options{}, records...), syntax, "[1 (null) 2 4]", l)
	check(t, decode(t, schema, Options{Unknown: Capture, Rest: "more"}, records...), syntax, "[1 (null) 2 4]", l,
		`["{\"b\":{ \"c\" : [1, \"é\\u00e9\"] },\"A\":null}" "{\"/l/1/y~1z\":3,\"/l/1/~0\":{}}" (null) "{\"b\":1e400}"]`)
	check(t, decode(t, schema, Options{Unknown: Reject}, records...), []string{
		`there is no column of the name "b" (Unknown: reject) (at byte 2)`,
		`column "l[1]": there is no column of the name "y/z" (Unknown: reject) (at byte 21)`,
		`there is no column of the name "b" (Unknown: reject) (at byte 13)`,
		`there is no column of the name "b" (Unknown: reject) (at byte 1)`,
		`there is no column of the name "b" (Unknown: reject) (at byte 1)`,
	}, "[2]", "[(null)]")
}

func TestStrict(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	}, nil)
	check(t, decode(t, schema, Options{Strict: true}, `{"i":1,"s":"1","b":true}`, `{"i":"1"}`, `{"s":1}`, `{"b":"true"}`), []string{
		`column "i": a string where a number is expected (at byte 5)`,
		`column "s": a number where a string is expected (at byte 5)`,
		`column "b": a string where a boolean is expected (at byte 5)`,
	}, "[1]", `["1"]`, "[true]")
}

func TestByteOrderMark(t *testing.T) {
	check(t, decode(t, column(arrow.BinaryTypes.String), Options{}, "\xEF\xBB\xBF{\"v\":\"\xEF\xBB\xBFx\"}", "{\xEF\xBB\xBF\"v\":1}"),
		[]string{"'\\ufeff' where a field name is expected (at byte 1)"}, `["\ufeffx"]`)
}

func TestLimits(t *testing.T) {
	check(t, decode(t, column(arrow.PrimitiveTypes.Int64), Options{MaxBytes: 10, MaxDepth: 1}, `{"v":1234}`, `{"v":12345}`, `{"x":[]}`, `{"x":[[]]}`),
		[]string{"the record has 11 bytes, more than 10 (MaxBytes) (at byte 0)", "values are nested too deeply (at byte 6)"}, "[1234 (null)]")
}

func TestTimeForms(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zone database:", err)
	}
	o := Options{Zone: berlin, Layouts: []string{"02.01.2006 15:04", time.RFC1123Z}, Epoch: time.Second, TimeColumn: "v"}
	for _, unit := range []arrow.TimeUnit{arrow.Second, arrow.Millisecond, arrow.Microsecond, arrow.Nanosecond} {
		d, err := NewDecoder(column(&arrow.TimestampType{Unit: unit, TimeZone: "UTC"}), o)
		if err != nil {
			t.Fatal(err)
		}
		b, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for in, want := range map[string]string{
			`"2019-07-01 12:00:00"`:             "2019-07-01T10:00:00Z",
			`"2019-07-01T12:00:00Z"`:            "2019-07-01T12:00:00Z",
			`"01.12.2019 12:00"`:                "2019-12-01T11:00:00Z",
			`"Mon, 02 Jan 2006 15:04:05 -0700"`: "2006-01-02T22:04:05Z",
			`1546303600`:                        "2019-01-01T00:46:40Z",
			`-1`:                                "1969-12-31T23:59:59Z",
		} {
			err := d.Append(b, []byte(`{"v":`+in+`}`))
			us, ok := d.Time()
			if got := time.UnixMicro(us).UTC().Format(time.RFC3339Nano); err != nil || !ok || got != want {
				t.Errorf("%s in %s: %s, %v, %v", in, unit, got, ok, err)
			}
			b.Rollback()
		}
		for in, want := range map[string]int64{"1.5": 1500000, "1970-01-01T00:00:01Z": 1000000, "-0.0000001": -1, "1970-01-01 01:00": -1, "x": -1, "1 ": -1} {
			if us, ok := d.ParseTime([]byte(in)); ok != (want != -1 || in[0] == '-') || ok && us != want {
				t.Errorf("%q: %d, %v", in, us, ok)
			}
		}
		if err := d.Append(b, []byte(`{"v":"1969-12-31T23:59:58.9999995Z"}`)); err != nil {
			t.Fatal(err)
		}
		if us, _ := d.Time(); us != map[arrow.TimeUnit]int64{arrow.Second: -2e6, arrow.Millisecond: -1001000, arrow.Microsecond: -1000001, arrow.Nanosecond: -1000001}[unit] {
			t.Errorf("in %s: %d", unit, us)
		}
		b.Rollback()
		if err := d.Append(b, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		if _, ok := d.Time(); ok {
			t.Error("a missing time was given")
		}
	}
}
