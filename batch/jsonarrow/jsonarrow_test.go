package jsonarrow

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
)

var (
	i64  = arrow.PrimitiveTypes.Int64
	f64  = arrow.PrimitiveTypes.Float64
	text = arrow.BinaryTypes.String
	ns   = &arrow.TimestampType{Unit: arrow.Nanosecond}
)

// column makes a schema of one nullable column v.
func column(t arrow.DataType) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: "v", Type: t, Nullable: true}}, nil)
}

type decoded struct {
	cols []string // each column, as Arrow prints it
	errs []string
}

// decode appends the records and gives what became of them.
func decode(t *testing.T, schema *arrow.Schema, o Options, records ...string) decoded {
	t.Helper()
	d, err := NewDecoder(schema, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out decoded
	for _, r := range records {
		if err := d.Append(b, []byte(r)); err != nil {
			var row *RowError
			if !errors.As(err, &row) {
				t.Fatalf("%s: error is a %T", r, err)
			}
			out.errs = append(out.errs, err.Error())
			continue
		}
		if err := b.EndRow(); err != nil {
			t.Fatalf("%s: EndRow: %v", r, err)
		}
	}
	rows, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows.Columns() {
		out.cols = append(out.cols, show(rows.Column(i)))
	}
	return out
}

func show(a arrow.Array) string {
	switch a.DataType().ID() {
	case arrow.TIMESTAMP, arrow.TIME64, arrow.DECIMAL128:
		var out []string
		for i := range a.Len() {
			out = append(out, a.ValueStr(i))
		}
		return fmt.Sprint(out)
	}
	return fmt.Sprint(a)
}

func TestValues(t *testing.T) {
	us := &arrow.TimestampType{Unit: arrow.Microsecond}
	for _, tc := range []struct {
		name string
		typ  arrow.DataType
		in   string // values of v, separated by blanks
		want string
	}{
		{
			"BR-047 exact integers", i64, `712345678901234567 9007199254740993 1e3 -0 1.0 0e999999999 10e-1 -9223372036854775808 9223372036854775807 1.00000000000000000000000000`,
			"[712345678901234567 9007199254740993 1000 0 1 0 1 -9223372036854775808 9223372036854775807 1]",
		},
		{"integers as text", i64, `"712345678901234567" "-3" "1e3"`, "[712345678901234567 -3 1000]"},
		{"int8", arrow.PrimitiveTypes.Int8, `-128 127`, "[-128 127]"},
		{"uint64", arrow.PrimitiveTypes.Uint64, `18446744073709551615 0 -0 1e19`, "[18446744073709551615 0 0 10000000000000000000]"},
		{"BR-047 digits as text", text, `500000000000000000001 1e3 -0 true "x"`, `["500000000000000000001" "1e3" "-0" "true" "x"]`},
		{
			"BR-047 decimal", &arrow.Decimal128Type{Precision: 38, Scale: 2}, `500000000000000000001 1e3 -0.10 0.1000 "12.34" -123456789012345678901234567890123456.78`,
			"[500000000000000000001 1000 -0.1 0.1 12.34 -123456789012345678901234567890123456.78]",
		},
		{
			"BR-050 floats", f64, `1e-400 1 -0.0 1.7976931348623157e308 5e-324 0.1 123456789012345678 1e22 3e23 1e-22 3e-23 99999999999999999999`,
			"[0 1 -0 1.7976931348623157e+308 5e-324 0.1 1.2345678901234568e+17 1e+22 3e+23 1e-22 3e-23 1e+20]",
		},
		{"float32", arrow.PrimitiveTypes.Float32, `0.1 16777217 3.4028234e38`, "[0.1 1.6777216e+07 3.4028235e+38]"},
		{"bool", arrow.FixedWidthTypes.Boolean, `true false null "true"`, "[true false (null) true]"},
		{"escapes", text, `"" "a\"\\\/\b\f\n\r\t" "\u00e9é" "\ud83d\ude00" "\uFEFF" "\u0000"`, "[\"\" \"a\\\"\\\\/\\b\\f\\n\\r\\t\" \"éé\" \"😀\" \"\\ufeff\" \"\\x00\"]"},
		{"base64", arrow.BinaryTypes.Binary, `"" "AP8=" null`, `["" "\x00\xff" (null)]`},
		{
			"timestamps", us, `"2019-01-01T00:46:40Z" "2019-01-01T00:46:40.123456789+02:00" "2019-01-01_00:46:40.5" "2019-01-01" 1546303600000 1546303600000.5 -0.0015 "2019-01-01T00:46:40-0330"`,
			"[2019-01-01T00:46:40 2018-12-31T22:46:40.123456 2019-01-01T00:46:40.5 2019-01-01T00:00:00 2019-01-01T00:46:40 2019-01-01T00:46:40.0005 1969-12-31T23:59:59.999998 2019-01-01T04:16:40]",
		},
		{
			"BR-071 far times", us, `"1600-01-01T00:00:00Z" "2300-06-01T00:00:00Z" "9999-12-31T23:59:59Z" "0001-01-01T00:00:00Z" "1969-12-31T23:59:59.999999999Z"`,
			"[1600-01-01T00:00:00 2300-06-01T00:00:00 9999-12-31T23:59:59 0001-01-01T00:00:00 1969-12-31T23:59:59.999999]",
		},
		{"date32", arrow.FixedWidthTypes.Date32, `"1970-01-02" 3 "0001-01-01" "2024-02-29"`, "[1970-01-02 1970-01-04 0001-01-01 2024-02-29]"},
		{"date64", arrow.FixedWidthTypes.Date64, `"1970-01-02" 86400000`, "[1970-01-02 1970-01-02]"},
		{"time64", arrow.FixedWidthTypes.Time64us, `"23:59:59.9999999" 1`, "[23:59:59.999999 00:00:00.000001]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var records []string
			for v := range strings.FieldsSeq(tc.in) {
				records = append(records, `{"v":`+strings.ReplaceAll(v, "_", " ")+`}`)
			}
			got := decode(t, column(tc.typ), Options{}, records...)
			if diff := cmp.Diff(tc.want, got.cols[0]); diff != "" || len(got.errs) > 0 {
				t.Errorf("errors %v\n%s", got.errs, diff)
			}
		})
	}
}

// rejected are records that do not fit a column v of the type, and what is said of them.
var rejected = []struct {
	typ    arrow.DataType
	record string
	want   string
}{
	{i64, `{"v":0.1}`, `column "v": the number 0.1 is not a whole number for a column of type int64 (at byte 5)`},
	{i64, `{"v":500000000000000000001}`, `column "v": the number 500000000000000000001 is out of range for a column of type int64 (at byte 5)`},
	{i64, `{"v":99999999999999999999}`, `column "v": the number 99999999999999999999 is out of range for a column of type int64 (at byte 5)`},
	{i64, `{"v":1e999999999}`, `column "v": the number 1e999999999 is out of range for a column of type int64 (at byte 5)`},
	{i64, `{"v":-1e-999999999}`, `column "v": the number -1e-999999999 is not a whole number for a column of type int64 (at byte 5)`},
	{i64, `{"v":01}`, `column "v": the number has a leading zero (at byte 5)`},
	{i64, `{"v":1x}`, `'x' where ',' or '}' is expected (at byte 6)`},
	{i64, `{"v":true}`, `column "v": a boolean where a number is expected (at byte 5)`},
	{i64, `{"v":"x"}`, `column "v": the text "x" is no int64 that the column takes (at byte 5)`},
	{i64, `{"v":" 1"}`, `column "v": the text " 1" is no int64 that the column takes (at byte 5)`},
	{i64, `{"v":""}`, `column "v": the text "" is no int64 that the column takes (at byte 5)`},
	{i64, `{"v":{}}`, `column "v": an object where a number is expected (at byte 5)`},
	{arrow.PrimitiveTypes.Int8, `{"v":128}`, `column "v": the number 128 is out of range for a column of type int8 (at byte 5)`},
	{arrow.PrimitiveTypes.Uint8, `{"v":-1}`, `column "v": the number -1 is out of range for a column of type uint8 (at byte 5)`},
	{f64, `{"v":NaN}`, `column "v": NaN is not JSON (at byte 5)`},
	{f64, `{"v":-Infinity}`, `column "v": -Infinity is not JSON (at byte 5)`},
	{f64, `{"v":1e400}`, `column "v": the number 1e400 is out of range for a column of type float64 (at byte 5)`},
	{f64, `{"v":1.}`, `column "v": the number has no digits behind its point (at byte 7)`},
	{f64, `{"v":1e}`, `column "v": the number has no digits in its exponent (at byte 7)`},
	{arrow.PrimitiveTypes.Float32, `{"v":1e39}`, `column "v": the number 1e39 is out of range for a column of type float32 (at byte 5)`},
	{&arrow.Decimal128Type{Precision: 4, Scale: 1}, `{"v":0.25}`, `column "v": the number 0.25 has more decimal places than the column for a column of type decimal(4, 1) (at byte 5)`},
	{&arrow.Decimal128Type{Precision: 4, Scale: 1}, `{"v":1000}`, `column "v": the number 1000 is out of range for a column of type decimal(4, 1) (at byte 5)`},
	{text, "{\"v\":\"a\xFFb\"}", `column "v": byte 0xFF is not valid UTF-8 (at byte 7)`},
	{text, "{\"v\":\"\\n\xC3\"}", `column "v": byte 0xC3 is not valid UTF-8 (at byte 8)`},
	{text, `{"v":"\ud83d"}`, `column "v": half of a surrogate pair in a string (at byte 6)`},
	{text, `{"v":"\ude00\ud83d"}`, `column "v": half of a surrogate pair in a string (at byte 6)`},
	{text, `{"v":"\x"}`, `column "v": unknown escape in a string (at byte 6)`},
	{text, `{"v":"\u12g4"}`, `column "v": \u needs four hexadecimal digits (at byte 6)`},
	{text, "{\"v\":\"a\tb\"}", `column "v": control character 0x09 in a string (at byte 7)`},
	{text, `{"v":"abc`, `column "v": the string has no end (at byte 5)`},
	{text, `{"v":{}}`, `column "v": an object where a string is expected (at byte 5)`},
	{arrow.BinaryTypes.Binary, `{"v":"AP8"}`, `column "v": the text "AP8" is not base64 with padding (at byte 5)`},
	{&arrow.FixedSizeBinaryType{ByteWidth: 3}, `{"v":"AP8="}`, `column "v": the text holds 2 bytes, and the column takes 3 (at byte 5)`},
	{ns, `{"v":"1600-01-01T00:00:00Z"}`, `column "v": the text "1600-01-01T00:00:00Z" is no timestamp[ns] that the column takes (at byte 5)`},
	{ns, `{"v":"2019-02-29"}`, `column "v": the text "2019-02-29" is no timestamp[ns] that the column takes (at byte 5)`},
	{ns, `{"v":"2019-02-28T24:00:00"}`, `column "v": the text "2019-02-28T24:00:00" is no timestamp[ns] that the column takes (at byte 5)`},
	{ns, `{"v":false}`, `column "v": a boolean where a string or a number is expected (at byte 5)`},
	{arrow.ListOf(i64), `{"v":[1,"x"]}`, `column "v[1]": the text "x" is no int64 that the column takes (at byte 8)`},
	{arrow.ListOfNonNullable(i64), `{"v":[1,null]}`, `column "v[1]": the field is null, and the column takes none (at byte 8)`},
	{arrow.ListOf(arrow.StructOf(arrow.Field{Name: "a", Type: arrow.ListOf(i64)})), `{"v":[{"a":[[1]]}]}`, `column "v[0].a[0]": an array where a number is expected (at byte 12)`},
	{arrow.ListOf(arrow.StructOf(arrow.Field{Name: "a", Type: i64})), `{"v":[{}]}`, `column "v[0].a": the field is missing, and the column takes no null (at byte 6)`},
	{i64, `null`, `null where an object is expected (at byte 0)`},
	{i64, `[1]`, `an array where an object is expected (at byte 0)`},
	{i64, `{"v":1} {"v":2}`, `there is more behind the end of the object (at byte 8)`},
	{i64, `{"v":1,}`, `'}' where a field name is expected (at byte 7)`},
	{i64, `{"v" 1}`, `'1' where ':' is expected (at byte 5)`},
	{i64, `{"v":1`, `the record ends where ',' or '}' is expected (at byte 6)`},
	{i64, `{"v":`, `column "v": the record ends where a value is expected (at byte 5)`},
	{i64, `{"x":tru}`, `'t' where a value is expected (at byte 5)`},
	{i64, `{"x":` + strings.Repeat("[", 200), `values are nested too deeply (at byte 133)`},
	{i64, "", "the message is empty (at byte 0)"},
	{i64, "\xEF\xBB\xBF \n", "the message is empty (at byte 5)"},
}

func TestRejected(t *testing.T) {
	for _, tc := range rejected {
		got := decode(t, column(tc.typ), Options{}, tc.record, `{"v":null}`)
		want := decoded{cols: []string{"[(null)]"}, errs: []string{tc.want}}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(decoded{})); diff != "" {
			t.Errorf("%s\n%s", tc.record, diff)
		}
	}
}

func TestEmptyIsTold(t *testing.T) {
	d, err := NewDecoder(column(arrow.PrimitiveTypes.Int64), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Append(b, []byte("\xEF\xBB\xBF")); !errors.Is(err, ErrEmpty) {
		t.Errorf("a byte order mark alone: %v", err)
	}
	if err := d.Append(b, []byte("null")); errors.Is(err, ErrEmpty) {
		t.Errorf("null: %v", err)
	}
}

func TestOptionFaultsComeTogether(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.FixedWidthTypes.MonthInterval},
		{Name: "b", Type: arrow.PrimitiveTypes.Int8},
		{Name: "b", Type: arrow.PrimitiveTypes.Int8},
		{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int8)})},
		{Name: "_rest", Type: arrow.BinaryTypes.String},
	}, nil)
	_, err := NewDecoder(schema, Options{Unknown: Capture, Epoch: time.Hour, TimeColumn: "b"})
	_, err2 := NewDecoder(schema, Options{Unknown: "maybe"})
	for _, want := range []string{
		`column "a": type month_interval cannot`, `column "b" is in the schema twice`, `column "s.x": type map<utf8, int8, items_nullable> cannot`,
		"Epoch is 1h0m0s", `no timestamp column "b"`, `column "_rest" is in the schema and also`, `Unknown is "maybe"`,
	} {
		if !strings.Contains(errors.Join(err, err2).Error(), want) {
			t.Errorf("%q is not said in:\n%v", want, errors.Join(err, err2))
		}
	}
}
