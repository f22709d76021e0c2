package jsonarrow

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// The reference decodes with encoding/json into values of any type and converts those by plain rules.

// refField describes a column for the reference, which knows nothing of arrow.
type refField struct {
	name string
	conv func(v any) (any, bool)
}

func refInt(lo, hi string) func(any) (any, bool) {
	low, _ := new(big.Int).SetString(lo, 10)
	high, _ := new(big.Int).SetString(hi, 10)
	return func(v any) (any, bool) {
		r, ok := refNumber(v)
		if !ok || !r.IsInt() || r.Num().Cmp(low) < 0 || r.Num().Cmp(high) > 0 {
			return nil, false
		}
		return r.Num().String(), true
	}
}

var (
	refNum = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE]([+-]?[0-9]+))?$`)
	refMax = big.NewRat(1, 1).SetFrac(new(big.Int).Exp(big.NewInt(10), big.NewInt(300), nil), big.NewInt(1))
)

// refNumber gives a number, or a string that holds one, as a fraction; what is beyond 10^400 becomes 10^300, what is too
// small 10^-300.
func refNumber(v any) (*big.Rat, bool) {
	text, ok := refText(v)
	m := refNum.FindStringSubmatch(text)
	if !ok || m == nil {
		return nil, false
	}
	if e, err := strconv.Atoi(m[4]); m[4] != "" && (err != nil || e > 400 || e < -400) {
		r, _ := new(big.Rat).SetString(m[1] + m[2])
		switch {
		case r.Sign() == 0:
			return r, true
		case strings.HasPrefix(m[4], "-"):
			r.Inv(refMax)
		default:
			r.Set(refMax)
		}
		if text[0] == '-' {
			r.Neg(r)
		}
		return r, true
	}
	return new(big.Rat).SetString(text)
}

func refText(v any) (string, bool) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), true
	case string:
		return v, true
	}
	return "", false
}

func refFloat(size int) func(any) (any, bool) {
	return func(v any) (any, bool) {
		text, ok := refText(v)
		if !ok || !refNum.MatchString(text) {
			return nil, false
		}
		f, err := strconv.ParseFloat(text, size)
		return f, err == nil
	}
}

func refDecimal(v any) (any, bool) { // decimal(10, 2)
	r, ok := refNumber(v)
	if !ok {
		return nil, false
	}
	r.Mul(r, big.NewRat(100, 1))
	if !r.IsInt() || len(new(big.Int).Abs(r.Num()).String()) > 10 {
		return nil, false
	}
	return r.Num().String(), true
}

func refString(v any) (any, bool) {
	if b, ok := v.(bool); ok {
		return strconv.FormatBool(b), true
	}
	text, ok := refText(v)
	return text, ok
}

func refBool(v any) (any, bool) {
	switch v {
	case true, "true":
		return true, true
	case false, "false":
		return false, true
	}
	return nil, false
}

func refBinary(v any) (any, bool) {
	s, ok := v.(string)
	b, err := base64.StdEncoding.DecodeString(s)
	return string(b), ok && err == nil
}

var refLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05", "2006-01-02T",
}

func refTime(v any) (any, bool) { // microseconds
	if _, ok := v.(json.Number); ok {
		r, _ := refNumber(v)
		r.Mul(r, big.NewRat(1000, 1))
		us := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean: rounds down for a positive divisor
		return us.Int64(), us.IsInt64()
	}
	s, ok := v.(string)
	if !ok || len(s) < 10 {
		return nil, false
	}
	s = strings.ToUpper(s)
	if len(s) == 10 {
		s += "T"
	} else if s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	for _, l := range refLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UnixMicro(), true
		}
	}
	return nil, false
}

func refList(elem func(any) (any, bool)) func(any) (any, bool) {
	return func(v any) (any, bool) {
		in, ok := v.([]any)
		out := make([]any, len(in))
		for i, e := range in {
			if e != nil && ok {
				out[i], ok = elem(e)
			}
		}
		return out, ok
	}
}

func refStruct(fields ...refField) func(any) (any, bool) {
	return func(v any) (any, bool) {
		in, ok := v.(map[string]any)
		out := map[string]any{}
		for _, f := range fields {
			if e := in[f.name]; e != nil && ok {
				out[f.name], ok = f.conv(e)
			} else {
				out[f.name] = nil
			}
		}
		return out, ok
	}
}

var refRow = refStruct(
	refField{"i", refInt("-9223372036854775808", "9223372036854775807")},
	refField{"u", refInt("0", "255")},
	refField{"f", refFloat(64)}, refField{"g", refFloat(32)},
	refField{"d", refDecimal}, refField{"s", refString}, refField{"b", refBool}, refField{"n", refBinary}, refField{"t", refTime},
	refField{"l", refList(refInt("-9223372036854775808", "9223372036854775807"))},
	refField{"o", refStruct(refField{"x", refBool}, refField{"l", refList(refStruct(refField{"s", refString}))})},
)

var refSchema = arrow.NewSchema([]arrow.Field{
	{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "u", Type: arrow.PrimitiveTypes.Uint8, Nullable: true},
	{Name: "f", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "g", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
	{Name: "d", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}, Nullable: true},
	{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "n", Type: arrow.BinaryTypes.Binary, Nullable: true},
	{Name: "t", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
	{Name: "o", Type: arrow.StructOf(
		arrow.Field{Name: "x", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		arrow.Field{Name: "l", Type: arrow.ListOf(arrow.StructOf(
			arrow.Field{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true})), Nullable: true}), Nullable: true},
}, nil)

// reference gives the row of a record; false if the record is no JSON object or does not fit.
func reference(record []byte) (row any, ok bool) {
	var raw any
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(record, []byte("\xEF\xBB\xBF"))))
	dec.UseNumber()
	if dec.Decode(&raw) != nil {
		return nil, false
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, false
	}
	return refRow(raw)
}

// fromArrow gives a value of an array in the form of the reference.
func fromArrow(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Int64:
		return strconv.FormatInt(a.Value(i), 10)
	case *array.Uint8:
		return strconv.Itoa(int(a.Value(i)))
	case *array.Float64:
		return a.Value(i)
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Decimal128:
		return a.Value(i).BigInt().String()
	case *array.String:
		return a.Value(i)
	case *array.Binary:
		return string(a.Value(i))
	case *array.Boolean:
		return a.Value(i)
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.List:
		from, to := a.ValueOffsets(i)
		out := make([]any, 0, to-from)
		for k := from; k < to; k++ {
			out = append(out, fromArrow(a.ListValues(), int(k)))
		}
		return out
	case *array.Struct:
		out := map[string]any{}
		for k, f := range a.DataType().(*arrow.StructType).Fields() {
			out[f.Name] = fromArrow(a.Field(k), i)
		}
		return out
	}
	return a.DataType().String()
}
