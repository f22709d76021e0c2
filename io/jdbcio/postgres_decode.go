package jdbcio

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// copyDecoder turns the rows of a COPY into a batch. A value that the column's type cannot hold exactly rejects its row.
type copyDecoder struct {
	b     *batch.Builder
	cols  []copyColumn
	time  int // column of the event time, -1 for none
	unit  time.Duration
	bytes int64 // of the rows since the last build, rejected ones included
}

// copyColumn reads one column.
type copyColumn struct {
	name  string
	value valueFunc
	into  intoFunc
}

type (
	// valueFunc decodes a field: to int64, float64, bool, string, []byte, pgMicros or pgDays.
	valueFunc func(b []byte) (driver.Value, error)
	// intoFunc adds a decoded value to the batch.
	intoFunc func(c *batch.Column, v driver.Value) error
)

func newCopyDecoder(schema *arrow.Schema, types []pgType, o Options) (*copyDecoder, error) {
	b, err := batch.NewBuilder(schema, batch.BuilderOptions{Time: o.EventTime != "", Offsets: batch.IntOffsets})
	if err != nil {
		return nil, err
	}
	d := &copyDecoder{b: b, time: -1, unit: o.Unit}
	for i, f := range schema.Fields() {
		into, ok := intoColumn(types[i], f.Type)
		if !ok {
			return nil, fmt.Errorf("column %q: its type in PostgreSQL, of the id %d, cannot be read as %s; leave it out of Schema, or give it as utf8", f.Name, types[i].oid, f.Type)
		}
		col := copyColumn{name: f.Name, value: valueText, into: into}
		if !castToText(types[i], f.Type) {
			col.value = valueOf(types[i])
		}
		d.cols = append(d.cols, col)
		if o.EventTime != "" && f.Name == o.EventTime {
			d.time = i
		}
	}
	return d, nil
}

// row appends one row, or gives its dead letter.
func (d *copyDecoder) row(fields [][]byte, at rowAt) (*flow.Letter, error) {
	if len(fields) != len(d.cols) {
		return nil, fmt.Errorf("the COPY stream is damaged: a row has %d fields, not %d", len(fields), len(d.cols))
	}
	for i, f := range fields {
		d.bytes += int64(len(f)) + 4
		if f == nil {
			d.b.Col(i).Null()
			continue
		}
		if err := d.cols[i].add(d.b.Col(i), f); err != nil {
			return d.reject(fields, at, fmt.Errorf("column %q: %w", d.cols[i].name, err)), nil
		}
	}
	if d.time >= 0 {
		us, err := d.micros(fields[d.time])
		if err != nil {
			return d.reject(fields, at, fmt.Errorf("event time %q: %w", d.cols[d.time].name, err)), nil
		}
		d.b.Time(us)
	}
	d.b.Position(at.part, at.row, 0)
	if err := d.b.EndRow(); err != nil {
		return d.reject(fields, at, err), nil
	}
	return nil, nil
}

func (c copyColumn) add(to *batch.Column, f []byte) error {
	v, err := c.value(f)
	if err != nil {
		return err
	}
	return c.into(to, v)
}

// micros reads the event time.
func (d *copyDecoder) micros(f []byte) (int64, error) {
	if f == nil {
		return 0, errNoTime
	}
	v, err := d.cols[d.time].value(f)
	if err != nil {
		return 0, err
	}
	switch x := v.(type) {
	case pgMicros:
		return int64(x), nil
	case pgDays:
		return int64(x) * 24 * 60 * 60 * 1_000_000, nil
	}
	return micros(v, d.unit)
}

func (d *copyDecoder) reject(fields [][]byte, at rowAt, err error) *flow.Letter {
	d.b.Rollback()
	names, vals := make([]string, len(fields)), make([]driver.Value, len(fields))
	for i, f := range fields {
		names[i] = d.cols[i].name
		if f != nil {
			vals[i] = d.cols[i].shown(f)
		}
	}
	l := letter(names, vals, at, err)
	d.bytes += int64(len(l.Payload))
	return l
}

// shown gives a field as dead letters have it. What cannot be decoded is shown as its bytes.
func (c copyColumn) shown(f []byte) driver.Value {
	v, err := c.value(f)
	if e := new(unheldError); errors.As(err, &e) {
		return e.text
	}
	if err != nil {
		return slices.Clone(f)
	}
	switch x := v.(type) {
	case pgMicros:
		return time.UnixMicro(int64(x)).UTC().Format("2006-01-02 15:04:05.999999")
	case pgDays:
		return time.Unix(int64(x)*24*60*60, 0).UTC().Format(time.DateOnly)
	}
	return v
}

func (d *copyDecoder) build() (*batch.Batch, error) {
	d.bytes = 0
	if d.b.Rows() == 0 {
		return nil, nil
	}
	return d.b.Build()
}
