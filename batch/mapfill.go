package batch

import (
	"errors"
	"reflect"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// scalarFiller gives the loop that copies values of a column into fields of that kind.
func scalarFiller(k kind, col arrow.Array) func(target) error {
	switch k {
	case kindBool:
		a := col.(*array.Boolean)
		return each(func(i int) bool { return a.Value(i) })
	case kindInt8:
		return fillNumbers[int8](col)
	case kindInt16:
		return fillNumbers[int16](col)
	case kindInt32:
		return fillNumbers[int32](col)
	case kindInt64:
		return fillNumbers[int64](col)
	case kindUint8:
		return fillNumbers[uint8](col)
	case kindUint16:
		return fillNumbers[uint16](col)
	case kindUint32:
		return fillNumbers[uint32](col)
	case kindUint64:
		return fillNumbers[uint64](col)
	case kindFloat32:
		return fillNumbers[float32](col)
	case kindFloat64:
		return fillNumbers[float64](col)
	case kindString:
		return each(stringsOf(col))
	case kindBytes:
		return fillBytes(bytesOf(col))
	case kindTime, kindDate:
		return each(timesOf(col))
	case kindDuration:
		unit := col.DataType().(*arrow.DurationType).Unit.Multiplier()
		values := col.(*array.Duration).DurationValues()
		return each(func(i int) time.Duration { return time.Duration(values[i]) * unit })
	}
	return fillSlice(col.(*array.Decimal128).Values())
}

// each copies one value after the other.
func each[D any](at func(int) D) func(target) error {
	return func(t target) error {
		for i := range t.n {
			*(*D)(t.at(i)) = at(t.from + i)
		}
		return nil
	}
}

// fillSlice copies values that have the type of the field.
func fillSlice[D any](values []D) func(target) error {
	return func(t target) error {
		for i, v := range values[t.from : t.from+t.n] {
			*(*D)(t.at(i)) = v
		}
		return nil
	}
}

type number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// fillNumbers copies numbers of the field's type or of a narrower one.
func fillNumbers[D number](col arrow.Array) func(target) error {
	switch a := col.(type) {
	case *array.Int8:
		return widen[D](a.Int8Values())
	case *array.Int16:
		return widen[D](a.Int16Values())
	case *array.Int32:
		return widen[D](a.Int32Values())
	case *array.Int64:
		return widen[D](a.Int64Values())
	case *array.Uint8:
		return widen[D](a.Uint8Values())
	case *array.Uint16:
		return widen[D](a.Uint16Values())
	case *array.Uint32:
		return widen[D](a.Uint32Values())
	case *array.Uint64:
		return widen[D](a.Uint64Values())
	case *array.Float32:
		return widen[D](a.Float32Values())
	}
	return widen[D](col.(*array.Float64).Float64Values())
}

func widen[D, S number](values []S) func(target) error {
	return func(t target) error {
		for i, v := range values[t.from : t.from+t.n] {
			*(*D)(t.at(i)) = D(v)
		}
		return nil
	}
}

func stringsOf(col arrow.Array) func(int) string {
	if a, ok := col.(*array.LargeString); ok {
		return a.Value
	}
	return col.(*array.String).Value
}

func bytesOf(col arrow.Array) func(int) []byte {
	switch a := col.(type) {
	case *array.Binary:
		return a.Value
	case *array.LargeBinary:
		return a.Value
	case *array.FixedSizeBinary:
		return a.Value
	}
	at := stringsOf(col)
	return func(i int) []byte { return stringBytes(at(i)) }
}

// fillBytes copies the bytes of all rows into one allocation.
func fillBytes(at func(int) []byte) func(target) error {
	return func(t target) error {
		size := 0
		for i := range t.n {
			size += len(at(t.from + i))
		}
		buf := make([]byte, 0, size)
		for i := range t.n {
			k := len(buf)
			buf = append(buf, at(t.from+i)...)
			*(*[]byte)(t.at(i)) = buf[k:len(buf):len(buf)]
		}
		return nil
	}
}

func timesOf(col arrow.Array) func(int) time.Time {
	switch a := col.(type) {
	case *array.Date32:
		return func(i int) time.Time { return time.Unix(int64(a.Value(i))*86400, 0).UTC() }
	case *array.Date64:
		return func(i int) time.Time { return time.UnixMilli(int64(a.Value(i))).UTC() }
	}
	values := col.(*array.Timestamp).TimestampValues()
	switch col.DataType().(*arrow.TimestampType).Unit {
	case arrow.Second:
		return func(i int) time.Time { return time.Unix(int64(values[i]), 0).UTC() }
	case arrow.Millisecond:
		return func(i int) time.Time { return time.UnixMilli(int64(values[i])).UTC() }
	case arrow.Microsecond:
		return func(i int) time.Time { return time.UnixMicro(int64(values[i])).UTC() }
	}
	return func(i int) time.Time { return time.Unix(0, int64(values[i])).UTC() }
}

// fillStructs fills the fields of a struct.
func fillStructs(f *field, a *array.Struct) (func(target) error, error) {
	fillers := make([]filler, len(f.fields))
	for i := range f.fields {
		at, _ := a.DataType().(*arrow.StructType).FieldIdx(f.fields[i].column)
		var err error
		if fillers[i], err = newFiller(&f.fields[i], a.Field(at)); err != nil {
			return nil, err
		}
	}
	return func(t target) error {
		for i := range fillers {
			if err := fillers[i].fill(t); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// memory is the type of the field's memory.
func (f *field) memory() reflect.Type {
	if f.pointer {
		return reflect.PointerTo(f.goType)
	}
	return f.goType
}

// sliceHeader is the memory of a slice.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// fillLists copies the elements of all rows into one allocation.
func fillLists(f *field, a *array.List) (func(target) error, error) {
	elem, err := newFiller(f.elem, a.ListValues())
	if err != nil {
		return nil, err
	}
	size := f.elem.memory().Size()
	return func(t target) error {
		total := 0
		for i := range t.n {
			from, to := a.ValueOffsets(t.from + i)
			total += int(to - from)
		}
		base := newArray(f.elem.memory(), total)
		total = 0
		for i := range t.n {
			from, to := a.ValueOffsets(t.from + i)
			n := int(to - from)
			list := sliceHeader{base, n, n}
			if n > 0 {
				list.data = unsafe.Add(base, uintptr(total)*size)
				if err := elem.fill(target{list.data, size, int(from), n}); err != nil {
					var inner *RowError
					if errors.As(err, &inner) {
						err = &RowError{t.from + i, f.column + "." + inner.Column, inner.Reason}
					}
					return err
				}
			}
			*(*sliceHeader)(t.at(i)) = list
			total += n
		}
		return nil
	}, nil
}
