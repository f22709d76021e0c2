// Package column looks at Arrow columns in one canonical form, so that hashing, grouping and summing need one loop for
// all types, and makes columns from that form.
package column

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Kind says how the values of a type stand in a View.
type Kind uint8

// The kinds. Other covers what has no canonical form here: lists, structs, maps, dictionaries.
const (
	Other   Kind = iota
	Int          // one word, sign-extended: integers, dates, times, timestamps, durations
	Uint         // one word
	Float        // one word, the bits of a float64; -0 stands as 0, every NaN as the same NaN
	Bool         // one word, 0 or 1
	Decimal      // two words, low and high
	Bytes        // strings and binaries
)

var kinds = map[arrow.Type]Kind{
	arrow.INT8: Int, arrow.INT16: Int, arrow.INT32: Int, arrow.INT64: Int,
	arrow.DATE32: Int, arrow.DATE64: Int, arrow.TIME32: Int, arrow.TIME64: Int,
	arrow.TIMESTAMP: Int, arrow.DURATION: Int,
	arrow.UINT8: Uint, arrow.UINT16: Uint, arrow.UINT32: Uint, arrow.UINT64: Uint,
	arrow.FLOAT32: Float, arrow.FLOAT64: Float, arrow.BOOL: Bool, arrow.DECIMAL128: Decimal,
	arrow.STRING: Bytes, arrow.BINARY: Bytes, arrow.LARGE_STRING: Bytes, arrow.LARGE_BINARY: Bytes,
	arrow.FIXED_SIZE_BINARY: Bytes,
}

// KindOf gives the kind of a type.
func KindOf(t arrow.DataType) Kind { return kinds[t.ID()] }

// Number says whether values of the type can be added up.
func Number(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.DATE32, arrow.DATE64, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP, arrow.DURATION:
		return false
	}
	switch KindOf(t) {
	case Int, Uint, Float, Decimal:
		return true
	}
	return false
}

// Width is the number of words of one value; 0 for Bytes and Other.
func (k Kind) Width() int {
	switch k {
	case Decimal:
		return 2
	case Bytes, Other:
		return 0
	}
	return 1
}

// View is a column in canonical form. It shares memory with the column and must not be changed.
type View struct {
	Kind Kind
	// Words holds Kind.Width() words per row; those of a null row are arbitrary.
	Words []uint64

	nulls  []byte // validity bitmap, nil if no row is null
	offset int
	data   []byte
	ends32 []int32
	ends64 []int64
	fixed  int
}

// Of looks at a column.
func Of(a arrow.Array) View {
	v := View{Kind: KindOf(a.DataType()), offset: a.Data().Offset()}
	if a.NullN() > 0 {
		v.nulls = a.NullBitmapBytes()
	}
	if a.Len() == 0 {
		return v
	}
	switch v.Kind {
	case Int, Uint:
		v.Words = integers(a)
	case Float:
		v.Words = floats(a)
	case Bool:
		v.Words = bools(a.(*array.Boolean))
	case Decimal:
		v.Words = arrow.GetValues[uint64](double(a.Data()), 1)
	case Bytes:
		v.bytes(a)
	}
	return v
}

// Views looks at several columns.
func Views(cols []arrow.Array) []View {
	out := make([]View, len(cols))
	for i, c := range cols {
		out[i] = Of(c)
	}
	return out
}

// Words makes a view without nulls of words that are canonical already.
func Words(k Kind, words []uint64) View { return View{Kind: k, Words: words} }

// HasNulls says whether any row is null.
func (v *View) HasNulls() bool { return v.nulls != nil }

// Null says whether a row is null.
func (v *View) Null(row int) bool {
	return v.nulls != nil && !bitutil.BitIsSet(v.nulls, v.offset+row)
}

// Float gives the value of a row of Kind Float.
func (v *View) Float(row int) float64 { return math.Float64frombits(v.Words[row]) }

// Wide gives the value of a row of Kind Int, Uint or Decimal in 128 bits.
func (v *View) Wide(row int) decimal128.Num {
	switch v.Kind {
	case Decimal:
		return decimal128.New(int64(v.Words[2*row+1]), v.Words[2*row])
	case Uint:
		return decimal128.FromU64(v.Words[row])
	}
	return decimal128.FromI64(int64(v.Words[row]))
}

// Bytes gives the value of a row of Kind Bytes.
func (v *View) Bytes(row int) []byte {
	switch {
	case v.ends32 != nil:
		return v.data[v.ends32[row]:v.ends32[row+1]]
	case v.ends64 != nil:
		return v.data[v.ends64[row]:v.ends64[row+1]]
	}
	return v.data[row*v.fixed : (row+1)*v.fixed]
}

func (v *View) bytes(a arrow.Array) {
	d := a.Data()
	switch t := a.DataType().(type) {
	case *arrow.FixedSizeBinaryType:
		v.fixed = t.ByteWidth
		v.data = d.Buffers()[1].Bytes()[d.Offset()*v.fixed:]
		return
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		v.ends64 = arrow.Int64Traits.CastFromBytes(d.Buffers()[1].Bytes())[d.Offset():]
	default:
		v.ends32 = arrow.Int32Traits.CastFromBytes(d.Buffers()[1].Bytes())[d.Offset():]
	}
	if b := d.Buffers()[2]; b != nil {
		v.data = b.Bytes()
	}
}

func integers(a arrow.Array) []uint64 {
	switch a.DataType().ID() {
	case arrow.INT8:
		return widen[int8](a)
	case arrow.INT16:
		return widen[int16](a)
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return widen[int32](a)
	case arrow.UINT8:
		return widen[uint8](a)
	case arrow.UINT16:
		return widen[uint16](a)
	case arrow.UINT32:
		return widen[uint32](a)
	}
	return arrow.GetValues[uint64](a.Data(), 1)
}

func widen[T int8 | int16 | int32 | uint8 | uint16 | uint32](a arrow.Array) []uint64 {
	in := arrow.GetValues[T](a.Data(), 1)
	out := make([]uint64, len(in))
	for i, x := range in {
		out[i] = uint64(int64(x))
	}
	return out
}

func floats(a arrow.Array) []uint64 {
	out := make([]uint64, a.Len())
	if a.DataType().ID() == arrow.FLOAT32 {
		for i, x := range arrow.GetValues[float32](a.Data(), 1) {
			out[i] = FloatWord(float64(x))
		}
		return out
	}
	for i, x := range arrow.GetValues[float64](a.Data(), 1) {
		out[i] = FloatWord(x)
	}
	return out
}

// FloatWord gives the canonical word of a float.
func FloatWord(x float64) uint64 {
	if x != x {
		return nan
	}
	return math.Float64bits(x + 0) // -0 + 0 is 0
}

const nan = 0x7ff8000000000000

func bools(a *array.Boolean) []uint64 {
	out := make([]uint64, a.Len())
	for i := range out {
		if a.Value(i) {
			out[i] = 1
		}
	}
	return out
}

// double views 128-bit values as twice as many words.
func double(d arrow.ArrayData) arrow.ArrayData {
	return array.NewData(arrow.PrimitiveTypes.Uint64, 2*d.Len(), d.Buffers(), nil, 0, 2*d.Offset())
}
