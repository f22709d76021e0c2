package jdbcio

import (
	"bytes"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// declared gives the Arrow type of a declared column type, by SQLite's rules of affinity, with the date and boolean names
// that its users write. Source: sqlite.org/datatype3.html, section 3.1.
func declared(decl string) arrow.DataType {
	d := strings.ToUpper(decl)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(d, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("TIMESTAMP", "DATETIME"):
		return arrow.FixedWidthTypes.Timestamp_us
	case d == "DATE":
		return arrow.FixedWidthTypes.Date32
	case has("BOOL"):
		return arrow.FixedWidthTypes.Boolean
	case has("INT"):
		return arrow.PrimitiveTypes.Int64
	case has("CHAR", "CLOB", "TEXT"):
		return arrow.BinaryTypes.String
	case has("BLOB"):
		return arrow.BinaryTypes.Binary
	case has("REAL", "FLOA", "DOUB"):
		return arrow.PrimitiveTypes.Float64
	case has("DECIMAL", "NUMERIC"):
		return declaredDecimal(d)
	}
	return arrow.BinaryTypes.String
}

// declaredDecimal reads DECIMAL(p, s). Without a precision the digits are kept as text.
func declaredDecimal(d string) arrow.DataType {
	var p, s int32
	_, args, ok := strings.Cut(strings.ReplaceAll(d, " ", ""), "(")
	if !ok {
		return arrow.BinaryTypes.String
	}
	n, _ := fmt.Sscanf(args, "%d,%d", &p, &s)
	if n == 0 || p < 1 || p > 38 || s < 0 || s > p {
		return arrow.BinaryTypes.String
	}
	return &arrow.Decimal128Type{Precision: p, Scale: s}
}

// checkTypes finds the types that Read cannot fill.
func checkTypes(schema *arrow.Schema) error {
	var errs []error
	for _, f := range schema.Fields() {
		if _, err := columnDecoder(f.Type, time.Second); err != nil {
			errs = append(errs, fmt.Errorf("column %q: %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

// decoder turns SQLite values into a batch. A value that the column's type cannot hold exactly rejects its row.
type decoder struct {
	b     *batch.Builder
	cols  []decodeFunc
	names []string
	time  int  // column of the event time, -1 for none
	timed bool // that column sets the event time itself
	unit  time.Duration
	bytes int64 // of the rows since the last build, rejected ones included
}

type decodeFunc func(c *batch.Column, v driver.Value) error

func newDecoder(schema *arrow.Schema, o Options) (*decoder, error) {
	d := &decoder{time: -1, unit: o.Unit}
	b, err := batch.NewBuilder(schema, batch.BuilderOptions{Time: o.EventTime != "", Offsets: batch.IntOffsets})
	if err != nil {
		return nil, err
	}
	d.b = b
	for i, f := range schema.Fields() {
		fn, err := columnDecoder(f.Type, o.Unit)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		d.cols, d.names = append(d.cols, fn), append(d.names, f.Name)
		if o.EventTime != "" && f.Name == o.EventTime {
			d.time = i
			if f.Type.ID() == arrow.TIMESTAMP {
				d.cols[i], d.timed = d.decodeEventTime, true
			}
		}
	}
	return d, nil
}

// rowAt is where a row stands.
type rowAt struct {
	part string
	row  int64
}

// row appends one row, or gives its dead letter.
func (d *decoder) row(vals []driver.Value, at rowAt) *flow.Letter {
	for i, v := range vals {
		if v == nil {
			d.b.Col(i).Null()
			continue
		}
		d.bytes += sizeOf(v)
		if err := d.cols[i](d.b.Col(i), v); err != nil {
			return d.reject(vals, at, fmt.Errorf("column %q: %w", d.names[i], err))
		}
	}
	if err := d.eventTime(vals); err != nil {
		return d.reject(vals, at, fmt.Errorf("event time %q: %w", d.names[d.time], err))
	}
	d.b.Position(at.part, at.row, 0)
	if err := d.b.EndRow(); err != nil {
		return d.reject(vals, at, err)
	}
	return nil
}

func (d *decoder) decodeEventTime(c *batch.Column, v driver.Value) error {
	us, err := micros(v, d.unit)
	if err == nil {
		c.Int64(us)
		d.b.Time(us)
	}
	return err
}

// eventTime sets the row's time where its column has not done that yet.
func (d *decoder) eventTime(vals []driver.Value) error {
	if d.time < 0 || vals[d.time] != nil && d.timed {
		return nil
	}
	us, err := micros(vals[d.time], d.unit)
	if err == nil {
		d.b.Time(us)
	}
	return err
}

// sizeOf gives the bytes of a stored value.
func sizeOf(v driver.Value) int64 {
	switch x := v.(type) {
	case string:
		return int64(len(x)) + 4
	case []byte:
		return int64(len(x)) + 4
	}
	return 8
}

func (d *decoder) reject(vals []driver.Value, at rowAt, err error) *flow.Letter {
	d.b.Rollback()
	l := letter(d.names, vals, at, err)
	d.bytes += int64(len(l.Payload))
	return l
}

// letter holds a row that does not fit, with all its values.
func letter(names []string, vals []driver.Value, at rowAt, err error) *flow.Letter {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, v := range vals {
		if i > 0 {
			buf.WriteByte(',')
		}
		name, _ := json.Marshal(names[i])
		fmt.Fprintf(&buf, "%s:%s", name, stored(v))
	}
	buf.WriteByte('}')
	return &flow.Letter{
		Reason: err.Error(), Position: "row " + strconv.FormatInt(at.row, 10), Offset: at.row,
		EventTime: batch.NoTime, Format: flow.FormatJSON, Payload: buf.Bytes(),
	}
}

// stored prints a value so that nothing of it is lost: bytes that JSON cannot hold as {"base64": ...}.
func stored(v driver.Value) []byte {
	switch x := v.(type) {
	case []byte:
		return []byte(`{"base64":"` + base64.StdEncoding.EncodeToString(x) + `"}`)
	case string:
		if !utf8.ValidString(x) {
			return stored([]byte(x))
		}
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return []byte(strconv.Quote(strconv.FormatFloat(x, 'g', -1, 64)))
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		out, _ = json.Marshal(fmt.Sprint(v))
	}
	return out
}

func (d *decoder) build() (*batch.Batch, error) {
	d.bytes = 0
	if d.b.Rows() == 0 {
		return nil, nil
	}
	return d.b.Build()
}

func columnDecoder(t arrow.DataType, unit time.Duration) (decodeFunc, error) {
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		return decodeInt, nil
	case arrow.FLOAT64:
		return decodeFloat, nil
	case arrow.STRING, arrow.LARGE_STRING:
		return decodeText, nil
	case arrow.BINARY, arrow.LARGE_BINARY:
		return decodeBytes, nil
	case arrow.BOOL:
		return decodeBool, nil
	case arrow.DECIMAL128:
		dt := t.(*arrow.Decimal128Type)
		return func(c *batch.Column, v driver.Value) error { return decodeDecimal(c, v, dt) }, nil
	case arrow.TIMESTAMP:
		if tu := t.(*arrow.TimestampType).Unit; tu != arrow.Microsecond {
			return nil, fmt.Errorf("timestamps are read in microseconds, not %s", tu)
		}
		return func(c *batch.Column, v driver.Value) error { return decodeTime(c, v, unit) }, nil
	case arrow.DATE32:
		return func(c *batch.Column, v driver.Value) error { return decodeDate(c, v, unit) }, nil
	}
	return nil, fmt.Errorf("type %s cannot be read from SQLite", t)
}

func misfit(v driver.Value, want string) error {
	switch v.(type) {
	case int64:
		return fmt.Errorf("INTEGER %v is no %s", v, want)
	case float64:
		return fmt.Errorf("REAL %v is no %s", v, want)
	case string:
		return fmt.Errorf("TEXT %.100q is no %s", v, want)
	}
	return fmt.Errorf("BLOB %.100x is no %s", v, want)
}

func decodeText(c *batch.Column, v driver.Value) error {
	switch x := v.(type) {
	case string:
		if !utf8.ValidString(x) {
			return errors.New("TEXT is not valid UTF-8")
		}
		c.String(x)
	case int64:
		c.String(strconv.FormatInt(x, 10))
	case float64:
		c.String(realText(x))
	default:
		return misfit(v, "text")
	}
	return nil
}

// realText prints the shortest digits that give x again, with an exponent where SQLite uses one.
func realText(x float64) string {
	if a := math.Abs(x); a == 0 || a >= 1e-4 && a < 1e15 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

func decodeBytes(c *batch.Column, v driver.Value) error {
	switch x := v.(type) {
	case []byte:
		c.Bytes(x)
	case string:
		c.Bytes([]byte(x))
	default:
		return misfit(v, "bytes")
	}
	return nil
}

func decodeBool(c *batch.Column, v driver.Value) error {
	switch v {
	case int64(0), int64(1):
		c.Bool(v == int64(1))
		return nil
	}
	return misfit(v, "boolean (0 or 1)")
}

func decodeTime(c *batch.Column, v driver.Value, unit time.Duration) error {
	us, err := micros(v, unit)
	if err == nil {
		c.Int64(us)
	}
	return err
}

func decodeDate(c *batch.Column, v driver.Value, unit time.Duration) error {
	us, err := micros(v, unit)
	if err != nil {
		return err
	}
	const day = 24 * 60 * 60 * 1_000_000
	if us%day != 0 {
		return misfit(v, "date")
	}
	c.Int64(us / day)
	return nil
}
