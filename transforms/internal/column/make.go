package column

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Make makes a column of a type whose kind has words. nulls marks the null rows; nil if there are none.
// The column keeps words where its values are 64 or 128 bits wide.
func Make(t arrow.DataType, words []uint64, nulls []bool) arrow.Array {
	n := len(words) / KindOf(t).Width()
	var values []byte
	switch t.ID() {
	case arrow.BOOL:
		values = make([]byte, bitutil.BytesForBits(int64(n)))
		for i, w := range words {
			bitutil.SetBitTo(values, i, w != 0)
		}
	case arrow.INT8, arrow.UINT8:
		values = narrow(words, func(w uint64) uint8 { return uint8(w) })
	case arrow.INT16, arrow.UINT16:
		values = narrow(words, func(w uint64) uint16 { return uint16(w) })
	case arrow.INT32, arrow.UINT32, arrow.DATE32, arrow.TIME32:
		values = narrow(words, func(w uint64) uint32 { return uint32(w) })
	case arrow.FLOAT32:
		values = narrow(words, func(w uint64) float32 { return float32(math.Float64frombits(w)) })
	default:
		values = arrow.Uint64Traits.CastToBytes(words)
	}
	return assemble(t, n, nulls, memory.NewBufferBytes(values))
}

// MakeBytes makes a column of Kind Bytes: row i is data[ends[i]:ends[i+1]]. nulls is as in Make.
func MakeBytes(t arrow.DataType, ends []int32, data []byte, nulls []bool) arrow.Array {
	n := len(ends) - 1
	switch t.(type) {
	case *arrow.FixedSizeBinaryType:
		return assemble(t, n, nulls, memory.NewBufferBytes(data))
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		long := make([]int64, len(ends))
		for i, e := range ends {
			long[i] = int64(e)
		}
		return assemble(t, n, nulls, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(long)), memory.NewBufferBytes(data))
	}
	return assemble(t, n, nulls, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(ends)), memory.NewBufferBytes(data))
}

// Padding is how many bytes a null takes in a column of Kind Bytes.
func Padding(t arrow.DataType) int {
	if f, ok := t.(*arrow.FixedSizeBinaryType); ok {
		return f.ByteWidth
	}
	return 0
}

func narrow[T uint8 | uint16 | uint32 | float32](words []uint64, f func(uint64) T) []byte {
	out := make([]T, len(words))
	for i, w := range words {
		out[i] = f(w)
	}
	return arrow.GetBytes(out)
}

func assemble(t arrow.DataType, n int, nulls []bool, values ...*memory.Buffer) arrow.Array {
	var valid *memory.Buffer
	count := 0
	if nulls != nil {
		bits := make([]byte, bitutil.BytesForBits(int64(n)))
		for i, null := range nulls[:n] {
			bitutil.SetBitTo(bits, i, !null)
			if null {
				count++
			}
		}
		valid = memory.NewBufferBytes(bits)
	}
	return array.MakeFromData(array.NewData(t, n, append([]*memory.Buffer{valid}, values...), nil, count, 0))
}

// Pick gives a copy of some elements, each of so many values, in that order.
func Pick[T any](s []T, width int, elements []int32) []T {
	out := make([]T, 0, width*len(elements))
	for _, i := range elements {
		out = append(out, s[width*int(i):width*int(i+1)]...)
	}
	return out
}
