package jdbcio

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

// Times as Arrow counts them.
type (
	pgMicros int64 // since 1970
	pgDays   int64 // since 1970
)

// unheldError is a value that is none of its kind, such as infinity of a time.
type unheldError struct{ text, want string }

// Error says so.
func (e *unheldError) Error() string { return e.text + " is no " + e.want }

func isText(t arrow.DataType) bool { return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING }

// readable says that columns of the type can be filled, if PostgreSQL's type suits.
func readable(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.FLOAT32, arrow.FLOAT64, arrow.STRING, arrow.LARGE_STRING,
		arrow.BINARY, arrow.LARGE_BINARY, arrow.DATE32, arrow.DECIMAL128:
		return true
	case arrow.TIME64:
		return t.(*arrow.Time64Type).Unit == arrow.Microsecond
	case arrow.TIMESTAMP:
		return t.(*arrow.TimestampType).Unit == arrow.Microsecond
	}
	return false
}

// intoColumn gives what adds values of PostgreSQL's type to a column, if they suit.
func intoColumn(t pgType, want arrow.DataType) (intoFunc, bool) {
	if isText(want) {
		return decodeText, true
	}
	if dt, ok := want.(*arrow.Decimal128Type); ok && (t.oid == pgNumeric || t.oid == pgMoney || isInt(t)) {
		return func(c *batch.Column, v driver.Value) error { return decodeDecimal(c, v, dt) }, true
	}
	switch {
	case isInt(t) && arrow.IsSignedInteger(want.ID()):
		return decodeInt, true
	case want.ID() == arrow.FLOAT64 && (isInt(t) || t.oid == pgFloat4 || t.oid == pgFloat8):
		return decodeFloat, true
	case t.oid == pgBytea && arrow.IsBinaryLike(want.ID()), t.oid == pgBytea && arrow.IsLargeBinaryLike(want.ID()):
		return decodeBytes, true
	case arrow.TypeEqual(t.arrow(), want), want.ID() == arrow.TIMESTAMP && (t.oid == pgTimestamp || t.oid == pgTimestamptz):
		return addOwn, true
	}
	return nil, false
}

func isInt(t pgType) bool {
	return t.oid == pgInt2 || t.oid == pgInt4 || t.oid == pgInt8 || t.oid == pgOID
}

// addOwn adds a value to the column of its own type.
func addOwn(c *batch.Column, v driver.Value) error {
	switch x := v.(type) {
	case bool:
		c.Bool(x)
	case int64:
		c.Int64(x)
	case float64:
		c.Float64(x)
	case pgMicros:
		c.Int64(int64(x))
	case pgDays:
		c.Int64(int64(x))
	default:
		return fmt.Errorf("%.100q has no column", fmt.Sprint(v))
	}
	return nil
}

// valueOf gives the decoder of the binary form. Source: the send functions of PostgreSQL's types.
func valueOf(t pgType) valueFunc {
	switch t.oid {
	case pgBool:
		return func(b []byte) (driver.Value, error) { n, err := pgInt(b, 1); return n == 1, err }
	case pgInt2:
		return func(b []byte) (driver.Value, error) { n, err := pgInt(b, 2); return n, err }
	case pgInt4:
		return func(b []byte) (driver.Value, error) { n, err := pgInt(b, 4); return n, err }
	case pgOID:
		return func(b []byte) (driver.Value, error) { n, err := pgInt(b, 4); return int64(uint32(n)), err }
	case pgInt8:
		return func(b []byte) (driver.Value, error) { n, err := pgInt(b, 8); return n, err }
	case pgFloat4:
		return func(b []byte) (driver.Value, error) {
			n, err := pgInt(b, 4)
			return float64(math.Float32frombits(uint32(n))), err
		}
	case pgFloat8:
		return func(b []byte) (driver.Value, error) {
			n, err := pgInt(b, 8)
			return math.Float64frombits(uint64(n)), err
		}
	case pgBytea:
		return func(b []byte) (driver.Value, error) { return b, nil }
	case pgMoney:
		return valueMoney
	case pgNumeric:
		return valueNumeric
	case pgDate:
		return valueDate
	case pgTimestamp, pgTimestamptz:
		return valueTimestamp
	case pgTime:
		return valueTime
	case pgUUID:
		return valueUUID
	case pgJSONB:
		return valueJSONB
	}
	return valueText
}

// pgInt reads a number of 1, 2, 4 or 8 bytes.
func pgInt(b []byte, size int) (int64, error) {
	if len(b) != size {
		return 0, fmt.Errorf("the field has %d bytes, not %d", len(b), size)
	}
	switch size {
	case 1:
		return int64(int8(b[0])), nil
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b))), nil
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b))), nil
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

func valueText(b []byte) (driver.Value, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("the text is not valid UTF-8")
	}
	return string(b), nil
}

func valueJSONB(b []byte) (driver.Value, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errors.New("the jsonb has a version that is not known")
	}
	return valueText(b[1:])
}

func valueUUID(b []byte) (driver.Value, error) {
	if len(b) != 16 {
		return nil, fmt.Errorf("the uuid has %d bytes", len(b))
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}

// valueMoney gives the digits of a count of hundredths.
func valueMoney(b []byte) (driver.Value, error) {
	n, err := pgInt(b, 8)
	if err != nil {
		return nil, err
	}
	sign, abs := "", uint64(n)
	if n < 0 {
		sign, abs = "-", -abs
	}
	return fmt.Sprintf("%s%d.%02d", sign, abs/100, abs%100), nil
}

// days2000 are the days from 1970 to 2000, from where PostgreSQL counts in the proleptic Gregorian calendar.
const days2000 = 10957

func valueDate(b []byte) (driver.Value, error) {
	n, err := pgInt(b, 4)
	switch {
	case err != nil:
		return nil, err
	case n == math.MaxInt32:
		return nil, &unheldError{"infinity", "date"}
	case n == math.MinInt32:
		return nil, &unheldError{"-infinity", "date"}
	case n > math.MaxInt32-days2000:
		return nil, errors.New("the date lies beyond the range of date32")
	}
	return pgDays(n + days2000), nil
}

func valueTimestamp(b []byte) (driver.Value, error) {
	const us2000 = days2000 * 24 * 60 * 60 * 1_000_000
	n, err := pgInt(b, 8)
	switch {
	case err != nil:
		return nil, err
	case n == math.MaxInt64:
		return nil, &unheldError{"infinity", "timestamp"}
	case n == math.MinInt64:
		return nil, &unheldError{"-infinity", "timestamp"}
	case n > math.MaxInt64-us2000:
		return nil, errors.New("the time lies beyond the range of timestamp[us]")
	}
	return pgMicros(n + us2000), nil
}

func valueTime(b []byte) (driver.Value, error) {
	n, err := pgInt(b, 8)
	if err == nil && n >= 24*60*60*1_000_000 {
		return nil, &unheldError{"24:00:00", "time64 value, which ends before midnight"}
	}
	return n, err
}

// valueNumeric gives the digits exactly, with the zeros behind the point that PostgreSQL has stored.
func valueNumeric(b []byte) (driver.Value, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("the numeric has %d bytes", len(b))
	}
	u := func(i int) uint16 { return binary.BigEndian.Uint16(b[i:]) }
	count, weight, sign, scale := int(u(0)), int(int16(u(2))), u(4), int(u(6))
	switch sign {
	case 0xC000:
		return "NaN", nil
	case 0xD000:
		return "Infinity", nil
	case 0xF000:
		return "-Infinity", nil
	}
	if len(b) != 8+2*count || sign != 0 && sign != 0x4000 || scale > 0x3fff {
		return nil, errors.New("the numeric is damaged")
	}
	group := func(i int) uint16 { // the i-th of four digits each
		if i < 0 || i >= count {
			return 0
		}
		return u(8 + 2*i)
	}
	var out strings.Builder
	if sign == 0x4000 {
		out.WriteByte('-')
	}
	if weight < 0 {
		out.WriteByte('0')
	}
	for i := 0; i <= weight; i++ {
		if i == 0 {
			out.WriteString(strconv.Itoa(int(group(0))))
			continue
		}
		fmt.Fprintf(&out, "%04d", group(i))
	}
	if scale > 0 {
		var frac strings.Builder
		for i := weight + 1; frac.Len() < scale; i++ {
			fmt.Fprintf(&frac, "%04d", group(i))
		}
		out.WriteString("." + frac.String()[:scale])
	}
	return out.String(), nil
}
