package batch

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Append adds the fields of v to the row that b is building; the caller ends the row. b must have been made for
// m.Schema(). An error names the field whose value has no place in its column: a string that is not UTF-8, a time out
// of range. The caller then takes the row back with Rollback, and may go on.
func (m *Mapping[T]) Append(b *Builder, v *T) error {
	if b.schema != m.schema && !b.schema.Equal(m.schema) {
		return fmt.Errorf("batch: the builder makes %s, the struct %s", b.schema, m.schema)
	}
	base := unsafe.Pointer(v)
	for i := range m.fields {
		f := &m.fields[i]
		if err := f.write(&b.cols[i], unsafe.Add(base, f.offset)); err != nil {
			return err
		}
	}
	return nil
}

// write adds the value that p points to.
func (f *field) write(c *Column, p unsafe.Pointer) error {
	if f.pointer {
		if p = *(*unsafe.Pointer)(p); p == nil {
			c.Null()
			return nil
		}
	}
	switch f.kind {
	case kindBool:
		c.Bool(*(*bool)(p))
	case kindInt8:
		c.Int64(int64(*(*int8)(p)))
	case kindInt16:
		c.Int64(int64(*(*int16)(p)))
	case kindInt32:
		c.Int64(int64(*(*int32)(p)))
	case kindInt64:
		c.Int64(*(*int64)(p))
	case kindUint8:
		c.Uint64(uint64(*(*uint8)(p)))
	case kindUint16:
		c.Uint64(uint64(*(*uint16)(p)))
	case kindUint32:
		c.Uint64(uint64(*(*uint32)(p)))
	case kindUint64:
		c.Uint64(*(*uint64)(p))
	case kindFloat32:
		c.Float64(float64(*(*float32)(p)))
	case kindFloat64:
		c.Float64(*(*float64)(p))
	case kindString:
		s := *(*string)(p)
		if !utf8.ValidString(s) {
			return fmt.Errorf("batch: field %s: %.100q is not valid UTF-8", f.path, s)
		}
		c.String(s)
	case kindDecimal:
		c.Decimal(*(*decimal128.Num)(p))
	case kindTime, kindDate, kindDuration:
		return f.writeTime(c, p)
	default:
		return f.writeNested(c, p)
	}
	return nil
}

func (f *field) writeTime(c *Column, p unsafe.Pointer) error {
	switch f.kind {
	case kindDuration:
		unit := int64(f.typ.(*arrow.DurationType).Unit.Multiplier())
		c.Int64(floorDiv(int64(*(*time.Duration)(p)), unit))
		return nil
	case kindDate:
		y, m, d := (*time.Time)(p).Date()
		days := floorDiv(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), 86400)
		c.Int64(days)
		return nil
	}
	t, unit := *(*time.Time)(p), int64(time.Second/f.typ.(*arrow.TimestampType).Unit.Multiplier())
	if s := t.Unix(); s >= math.MaxInt64/unit || s <= math.MinInt64/unit {
		return fmt.Errorf("batch: field %s: the time %s does not fit %s", f.path, t, f.typ)
	}
	c.Int64(t.Unix()*unit + int64(t.Nanosecond())*unit/int64(time.Second))
	return nil
}

func (f *field) writeNested(c *Column, p unsafe.Pointer) error {
	switch f.kind {
	case kindBytes:
		if b := *(*[]byte)(p); b != nil {
			c.Bytes(b)
			return nil
		}
		c.Null()
	case kindList:
		list := (*sliceHeader)(p)
		if list.data == nil {
			c.Null()
			return nil
		}
		size := f.elem.memory().Size()
		for i := range list.len {
			if err := f.elem.write(&c.children[0], unsafe.Add(list.data, uintptr(i)*size)); err != nil {
				return err
			}
		}
		c.EndList()
	case kindStruct:
		for i := range f.fields {
			if err := f.fields[i].write(&c.children[i], unsafe.Add(p, f.fields[i].offset)); err != nil {
				return err
			}
		}
		c.EndStruct()
	}
	return nil
}

// floorDiv divides and rounds down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
