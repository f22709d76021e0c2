package batch

import (
	"bytes"
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"
)

// tag tells values apart that are never equal.
type tag uint64

const (
	tagNull tag = iota + 1
	tagBool
	tagInt
	tagUint // an integer beyond the range of int64
	tagFloat
	tagString
	tagBinary
	tagList
	tagStruct
	tagDecimal tag = 1 << 8  // plus the scale
	tagTime    tag = 1 << 16 // plus type and unit
)

// value is one value in its canonical form.
type value struct {
	tag    tag
	lo, hi uint64      // numbers
	bytes  []byte      // strings and binaries
	col    arrow.Array // elements of a list, a struct
	from   int         // first element, row of the struct
	to     int         // behind the last element
}

// valueAt gives a value of a column whose type is supported.
func valueAt(col arrow.Array, i int) value {
	if col.IsNull(i) {
		return value{tag: tagNull}
	}
	switch a := col.(type) {
	case *array.Null:
		return value{tag: tagNull}
	case *array.Dictionary:
		return valueAt(a.Dictionary(), a.GetValueIndex(i))
	case *array.Boolean:
		if a.Value(i) {
			return value{tag: tagBool, lo: 1}
		}
		return value{tag: tagBool}
	case *array.Float32:
		return value{tag: tagFloat, lo: floatBits(float64(a.Value(i)))}
	case *array.Float64:
		return value{tag: tagFloat, lo: floatBits(a.Value(i))}
	case *array.Decimal128:
		v := a.Value(i)
		return value{tag: decimalTag(a.DataType()), lo: v.LowBits(), hi: uint64(v.HighBits())}
	case *array.String:
		return value{tag: tagString, bytes: stringBytes(a.Value(i))}
	case *array.LargeString:
		return value{tag: tagString, bytes: stringBytes(a.Value(i))}
	case *array.Binary:
		return value{tag: tagBinary, bytes: a.Value(i)}
	case *array.LargeBinary:
		return value{tag: tagBinary, bytes: a.Value(i)}
	case *array.FixedSizeBinary:
		return value{tag: tagBinary, bytes: a.Value(i)}
	case *array.Struct:
		return value{tag: tagStruct, col: a, from: i}
	case array.ListLike:
		from, to := a.ValueOffsets(i)
		return value{tag: tagList, col: a.ListValues(), from: int(from), to: int(to)}
	}
	return integerAt(col, i)
}

func integerAt(col arrow.Array, i int) value {
	switch a := col.(type) {
	case *array.Int8:
		return value{tag: tagInt, lo: uint64(a.Value(i))}
	case *array.Int16:
		return value{tag: tagInt, lo: uint64(a.Value(i))}
	case *array.Int32:
		return value{tag: tagInt, lo: uint64(a.Value(i))}
	case *array.Int64:
		return value{tag: tagInt, lo: uint64(a.Value(i))}
	case *array.Uint8:
		return value{tag: tagInt, lo: uint64(a.Value(i))}
	case *array.Uint16:
		return value{tag: tagInt, lo: uint64(a.Value(i))}
	case *array.Uint32:
		return value{tag: tagInt, lo: uint64(a.Value(i))}
	case *array.Uint64:
		if v := a.Value(i); v > math.MaxInt64 {
			return value{tag: tagUint, lo: v}
		}
		return value{tag: tagInt, lo: a.Value(i)}
	}
	t := timeTag(col.DataType())
	switch a := col.(type) {
	case *array.Date32:
		return value{tag: t, lo: uint64(a.Value(i))}
	case *array.Date64:
		return value{tag: t, lo: uint64(a.Value(i))}
	case *array.Time32:
		return value{tag: t, lo: uint64(a.Value(i))}
	case *array.Time64:
		return value{tag: t, lo: uint64(a.Value(i))}
	case *array.Duration:
		return value{tag: t, lo: uint64(a.Value(i))}
	}
	return value{tag: t, lo: uint64(col.(*array.Timestamp).Value(i))}
}

func decimalTag(t arrow.DataType) tag {
	return tagDecimal + tag(uint8(t.(*arrow.Decimal128Type).Scale))
}

func timeTag(t arrow.DataType) tag {
	unit := arrow.Second
	if u, ok := t.(arrow.TemporalWithUnit); ok {
		unit = u.TimeUnit()
	}
	return tagTime + tag(t.ID())<<8 + tag(unit)
}

// floatBits makes all NaNs one, and the zeros one.
func floatBits(v float64) uint64 {
	switch {
	case v == 0:
		return 0
	case math.IsNaN(v):
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(v)
}

// equal compares.
func (v value) equal(o value) bool {
	if v.tag != o.tag || v.lo != o.lo || v.hi != o.hi || !bytes.Equal(v.bytes, o.bytes) || v.to-v.from != o.to-o.from && v.tag == tagList {
		return false
	}
	switch v.tag {
	case tagList:
		for k := range v.to - v.from {
			if !equalAt(v.col, v.from+k, o.col, o.from+k) {
				return false
			}
		}
	case tagStruct:
		a, b := v.col.(*array.Struct), o.col.(*array.Struct)
		if a.NumField() != b.NumField() {
			return false
		}
		for k := range a.NumField() {
			if !equalAt(a.Field(k), v.from, b.Field(k), o.from) {
				return false
			}
		}
	}
	return true
}

// chain continues the hash h. buf is scratch space.
func (v value) chain(h uint64, buf *[]byte) uint64 {
	switch v.tag {
	case tagString, tagBinary:
		return xxh3.HashSeed(v.bytes, h^v.tag.seed())
	}
	*buf = v.append((*buf)[:0])
	return xxh3.HashSeed(*buf, h^v.tag.seed())
}

// seed spreads the tag over 64 bits.
func (t tag) seed() uint64 { return uint64(t) * 0x9e3779b97f4a7c15 }

// append adds the canonical bytes: numbers as 8 or 16 bytes, little-endian; strings and binaries behind their length; nested
// values as the number of their elements and the tag and bytes of each.
func (v value) append(buf []byte) []byte {
	switch {
	case v.tag == tagNull:
		return buf
	case v.tag == tagString || v.tag == tagBinary:
		return append(binary.AppendUvarint(buf, uint64(len(v.bytes))), v.bytes...)
	case v.tag == tagList:
		buf = binary.AppendUvarint(buf, uint64(v.to-v.from))
		for k := v.from; k < v.to; k++ {
			buf = valueAt(v.col, k).appendTagged(buf)
		}
		return buf
	case v.tag == tagStruct:
		a := v.col.(*array.Struct)
		buf = binary.AppendUvarint(buf, uint64(a.NumField()))
		for k := range a.NumField() {
			buf = valueAt(a.Field(k), v.from).appendTagged(buf)
		}
		return buf
	case v.tag >= tagDecimal && v.tag < tagTime:
		buf = binary.LittleEndian.AppendUint64(buf, v.lo)
		return binary.LittleEndian.AppendUint64(buf, v.hi)
	}
	return binary.LittleEndian.AppendUint64(buf, v.lo)
}

func (v value) appendTagged(buf []byte) []byte {
	return v.append(binary.AppendUvarint(buf, uint64(v.tag)))
}

// stringBytes shows the bytes of a string, which must not be changed.
func stringBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// equalAt compares two values. The cases for the usual types give what the last one gives.
func equalAt(a arrow.Array, i int, b arrow.Array, j int) bool {
	switch x := a.(type) {
	case *array.Int64:
		if y, ok := b.(*array.Int64); ok && x.IsValid(i) && y.IsValid(j) {
			return x.Value(i) == y.Value(j)
		}
	case *array.Float64:
		if y, ok := b.(*array.Float64); ok && x.IsValid(i) && y.IsValid(j) {
			return floatBits(x.Value(i)) == floatBits(y.Value(j))
		}
	case *array.String:
		if y, ok := b.(*array.String); ok && x.IsValid(i) && y.IsValid(j) {
			return x.Value(i) == y.Value(j)
		}
	}
	return valueAt(a, i).equal(valueAt(b, j))
}
