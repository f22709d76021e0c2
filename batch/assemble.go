package batch

import (
	"math"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// assemble gives the values as Arrow data and leaves the column empty.
func (c *Column) assemble() arrow.ArrayData {
	n, nulls, valid := c.Len(), len(c.nulls), c.validity()
	c.nulls = c.nulls[:0]
	switch c.class {
	case classNull:
		c.ends = c.ends[:1]
		return array.NewData(c.field.Type, n, []*memory.Buffer{nil}, nil, n, 0)
	case classBytes:
		return array.NewData(c.field.Type, n, append([]*memory.Buffer{valid}, c.bytes()...), nil, nulls, 0)
	case classList:
		return array.NewData(c.field.Type, n, []*memory.Buffer{valid, c.offsets()},
			[]arrow.ArrayData{c.children[0].assemble()}, nulls, 0)
	case classStruct:
		c.ends = c.ends[:1]
		fields := make([]arrow.ArrayData, len(c.children))
		for i := range c.children {
			fields[i] = c.children[i].assemble()
		}
		return array.NewData(c.field.Type, n, []*memory.Buffer{valid}, fields, nulls, 0)
	}
	return array.NewData(c.field.Type, n, []*memory.Buffer{valid, c.values()}, nil, nulls, 0)
}

// validity makes the bitmap of the values that are not null; nil if none is.
func (c *Column) validity() *memory.Buffer {
	if len(c.nulls) == 0 {
		return nil
	}
	bits := make([]byte, (c.Len()+7)/8)
	for i := range bits {
		bits[i] = 0xff
	}
	for _, i := range c.nulls {
		bits[i/8] &^= 1 << (i % 8)
	}
	return memory.NewBufferBytes(bits)
}

// values packs the words to the width of the type.
func (c *Column) values() *memory.Buffer {
	w := c.words
	switch bits := c.field.Type.(arrow.FixedWidthDataType).BitWidth(); {
	case bits >= 64:
		return buffer(give(&c.words))
	case c.class == classBool:
		c.words = w[:0]
		return memory.NewBufferBytes(packBits(w))
	case c.class == classFloat:
		c.words = w[:0]
		out := make([]float32, len(w))
		for i, v := range w {
			out[i] = float32(math.Float64frombits(v))
		}
		return buffer(out)
	case bits == 32:
		c.words = w[:0]
		return buffer(narrow[uint32](w))
	case bits == 16:
		c.words = w[:0]
		return buffer(narrow[uint16](w))
	}
	c.words = w[:0]
	return buffer(narrow[uint8](w))
}

// bytes gives the buffers of a string or binary column.
func (c *Column) bytes() []*memory.Buffer {
	switch c.field.Type.ID() {
	case arrow.FIXED_SIZE_BINARY:
		c.ends = c.ends[:1]
		return []*memory.Buffer{buffer(give(&c.data))}
	case arrow.LARGE_STRING, arrow.LARGE_BINARY:
		wide := make([]int64, len(c.ends))
		for i, e := range c.ends {
			wide[i] = int64(e)
		}
		c.ends = c.ends[:1]
		return []*memory.Buffer{buffer(wide), buffer(give(&c.data))}
	}
	return []*memory.Buffer{c.offsets(), buffer(give(&c.data))}
}

// offsets gives the ends away.
func (c *Column) offsets() *memory.Buffer {
	out := buffer(give(&c.ends))
	c.ends = append(c.ends, 0)
	return out
}

// give returns the content of a growing slice for good and empties the slice. What is given away has at most a quarter of
// unused capacity; a buffer with more is copied from and kept, so that a few rows never hold the memory of many.
func give[T any](s *[]T) []T {
	out := *s
	if cap(out) > len(out)+len(out)/4 {
		*s = out[:0]
		return slices.Clone(out)
	}
	*s = make([]T, 0, len(out))
	return out
}

func narrow[T uint8 | uint16 | uint32](words []uint64) []T {
	out := make([]T, len(words))
	for i, w := range words {
		out[i] = T(w)
	}
	return out
}

func packBits(words []uint64) []byte {
	out := make([]byte, (len(words)+7)/8)
	for i, w := range words {
		out[i/8] |= byte(w) << (i % 8)
	}
	return out
}

// buffer shows a slice of numbers as an Arrow buffer without copying.
func buffer[T any](s []T) *memory.Buffer {
	var t T
	return memory.NewBufferBytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t))))
}

func decimalAt(words []uint64, i int) decimal128.Num {
	return decimal128.New(int64(words[2*i+1]), words[2*i])
}
