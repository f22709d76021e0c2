package clean

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

var (
	textType          = arrow.BinaryTypes.String
	i64, i8, u8, u64  = arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint64
	f64, f32          = arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Float32
	money             = &arrow.Decimal128Type{Precision: 5, Scale: 2}
	us, seconds, date = arrow.FixedWidthTypes.Timestamp_us, arrow.FixedWidthTypes.Timestamp_s, arrow.FixedWidthTypes.Date32
)

var castCases = []struct {
	from arrow.DataType
	json string
	to   arrow.DataType
	want string // the value, or "refused: reason"
}{
	{textType, `"2"`, i64, "2"},
	{textType, `"-7"`, i64, "-7"},
	{textType, `"2.0"`, i64, "2"},
	{textType, `"9223372036854775807"`, i64, "9223372036854775807"},
	{textType, `"-9223372036854775808"`, i64, "-9223372036854775808"},
	{textType, `"9223372036854775808"`, i64, `refused: v is "9223372036854775808": out of range`},
	{textType, `"1.5"`, i64, `refused: v is "1.5": not a whole number`},
	{textType, `""`, i64, `refused: v is "": not a number`},
	{textType, `" 2"`, i64, `refused: v is " 2": not a number`},
	{textType, `"n/a"`, i64, `refused: v is "n/a": not a number`},
	{textType, `"1e3"`, i64, `refused: v is "1e3": not a number`},
	{textType, `"-1"`, u8, `refused: v is "-1": out of range`},
	{textType, `"256"`, u8, `refused: v is "256": out of range`},
	{textType, `null`, i64, "(null)"},
	{f64, `1.0`, i64, "1"},
	{f64, `1.5`, i64, "refused: v is 1.5: not a whole number"},
	{f64, `1e300`, i64, "refused: v is 1e+300: out of range"},
	{f64, `-9223372036854775808`, i64, "-9223372036854775808"},
	{f64, `100000000000000016`, i64, "100000000000000016"},
	{f64, `9223372036854775808`, i64, "refused: v is 9.223372036854776e+18: out of range"},
	{i64, `9007199254740993`, f64, "refused: v is 9007199254740993: the new type does not hold it exactly"},
	{i64, `9007199254740992`, f64, "9.007199254740992e+15"},
	{i64, `16777217`, f32, "refused: v is 16777217: the new type does not hold it exactly"},
	{i64, `-16777216`, f32, "-1.6777216e+07"},
	{u64, `18446744073709551615`, f64, "refused: v is 18446744073709551615: the new type does not hold it exactly"},
	{u64, `18446744073709551615`, i64, "refused: v is 18446744073709551615: out of range"},
	{i64, `-1`, u64, "refused: v is -1: out of range"},
	{i64, `127`, i8, "127"},
	{i64, `128`, i8, "refused: v is 128: out of range"},
	{i64, `-128`, i8, "-128"},
	{f64, `0.1`, f32, "refused: v is 0.1: the new type does not hold it exactly"},
	{f64, `0.5`, f32, "0.5"},
	{f32, `0.1`, f64, "0.10000000149011612"},
	{textType, `"0.1"`, f64, "0.1"},
	{textType, `"1e-400"`, f64, "0"},
	{textType, `"1e400"`, f64, `refused: v is "1e400": out of range`},
	{textType, `"0x10"`, f64, `refused: v is "0x10": not a number`},
	{textType, `"NaN"`, f64, "NaN"},
	{textType, `"12.34"`, money, "12.34"},
	{textType, `"12.340"`, money, "12.34"},
	{textType, `"12.345"`, money, `refused: v is "12.345": the new type does not hold it exactly`},
	{textType, `"1000"`, money, `refused: v is "1000": out of range`},
	{textType, `"-999.99"`, money, "-999.99"},
	{f64, `0.1`, money, "0.1"},
	{i64, `7`, money, "7"},
	{money, `"7.00"`, i64, "7"},
	{money, `"7.01"`, i64, "refused: v is 7.01: not a whole number"},
	{money, `"7.01"`, f64, "7.01"},
	{money, `"-0.50"`, textType, "-0.50"},
	{textType, `"true"`, arrow.FixedWidthTypes.Boolean, "true"},
	{textType, `"yes"`, arrow.FixedWidthTypes.Boolean, `refused: v is "yes": neither true nor false`},
	{arrow.FixedWidthTypes.Boolean, `false`, textType, "false"},
	{textType, `"2024-02-29T10:00:00.5+02:00"`, us, "2024-02-29T08:00:00.5Z"},
	{textType, `"2024-02-29 10:00:00"`, us, "2024-02-29T10:00:00Z"},
	{textType, `"1969-12-31 23:59:59.999999"`, us, "1969-12-31T23:59:59.999999Z"},
	{textType, `"2024-02-29"`, us, "2024-02-29T00:00:00Z"},
	{textType, `"2024-02-30"`, us, `refused: v is "2024-02-30": not a time like 2006-01-02T15:04:05Z`},
	{textType, `"2024-02-29T10:00:00.5Z"`, seconds, `refused: v is "2024-02-29T10:00:00.5Z": the new type does not hold it exactly`},
	{us, `"1969-12-31T23:59:59Z"`, seconds, "1969-12-31T23:59:59Z"},
	{us, `"1969-12-31T23:59:59.5Z"`, seconds, "refused: v is 1969-12-31T23:59:59.5Z: the new type does not hold it exactly"},
	{seconds, `"9999-12-31T23:59:59Z"`, arrow.FixedWidthTypes.Timestamp_ns, "refused: v is 9999-12-31T23:59:59Z: out of range"},
	{us, `"1600-01-01T00:00:00.000001Z"`, textType, "1600-01-01T00:00:00.000001Z"},
	{us, `"1600-01-01T00:00:00Z"`, date, "1600-01-01"},
	{date, `"1600-01-01"`, us, "1600-01-01T00:00:00Z"},
	{date, `"1600-01-01"`, textType, "1600-01-01"},
	{textType, `"2024-02-29T00:00:00Z"`, date, `refused: v is "2024-02-29T00:00:00Z": not a date like 2006-01-02`},
	{i64, `-5`, textType, "-5"},
	{u64, `18446744073709551615`, textType, "18446744073709551615"},
	{f64, `1e21`, textType, "1e+21"},
	{f32, `0.1`, textType, "0.1"},
}

func TestCast(t *testing.T) {
	for _, c := range castCases {
		t.Run(c.from.String()+" "+c.json+" to "+c.to.String(), func(t *testing.T) {
			schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: c.from, Nullable: true}}, nil)
			rows, refused := run(t, grouptest.Batch(t, schema, `[{"v": `+c.json+`}]`), Cast("v", c.to))
			want, wantRefused := []string{"v=" + c.want}, []string(nil)
			if reason, ok := strings.CutPrefix(c.want, "refused: "); ok {
				want, wantRefused = nil, []string{"0 v is " + c.to.String() + ": " + reason}
			}
			if diff := cmp.Diff(want, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantRefused, refused); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

// Later rules see the new type, and rows that could not be cast do not reach them.
func TestCastThenCheck(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	rows, refused := run(t, grouptest.Batch(t, schema, `[{"v": "3"}, {"v": "x"}, {"v": "-3"}, {"v": null}]`),
		Trim("v"), Cast("v", arrow.PrimitiveTypes.Int64), Positive("v"), Required("v"))
	if diff := cmp.Diff([]string{"v=3"}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`1 v is int64: v is "x": not a number`, "2 v > 0: v is -3", "3 v required: v is null"}, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}
