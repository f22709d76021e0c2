package batch

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Column takes the values of one column of a Builder: one per row, or none, which is null. The method must suit
// the column's type, otherwise EndRow says so and takes the row back.
//
//	Bool       bool
//	Int64      int8 to int64, date, time, timestamp, duration: the number as Arrow stores it
//	Uint64     uint8 to uint64
//	Float64    float32, float64
//	Decimal    decimal128
//	String     utf8, large_utf8: the caller has made sure that it is valid UTF-8
//	Bytes      the same, and binary, large_binary, fixed_size_binary
//	EndList    list, map: closes the elements that were added to Elem
//	EndStruct  struct: closes the values that were added to each Field, those left out become null
//	Null       every type
type Column struct {
	class    class
	shift    uint8 // a fixed-width value takes 1<<shift words
	bits     uint8 // width of a fixed-width value in Arrow; 64 if it does not matter
	misused  bool
	maxNulls int      // as many nulls as EndRow may see without a closer look; -1: it always looks
	words    []uint64 // fixed-width values of any width, packed when the batch is built
	ends     []int32
	data     []byte
	nulls    []int32 // positions of the nulls, so that a value costs nothing but itself
	children []Column
	field    arrow.Field
	path     string // the field's name with those of its parents, for errors
}

// Bool adds a value.
func (c *Column) Bool(v bool) {
	if c.class != classBool {
		c.misused = true
		return
	}
	w := uint64(0)
	if v {
		w = 1
	}
	c.words = append(c.words, w)
}

// Int64 adds a value.
func (c *Column) Int64(v int64) {
	if c.class != classInt {
		c.misused = true
		return
	}
	c.words = append(c.words, uint64(v))
}

// Uint64 adds a value.
func (c *Column) Uint64(v uint64) {
	if c.class != classUint {
		c.misused = true
		return
	}
	c.words = append(c.words, v)
}

// Float64 adds a value. A float32 column rounds it to the nearest.
func (c *Column) Float64(v float64) {
	if c.class != classFloat {
		c.misused = true
		return
	}
	c.words = append(c.words, math.Float64bits(v))
}

// Decimal adds an unscaled value: the column's type holds the scale.
func (c *Column) Decimal(v decimal128.Num) {
	if c.class != classDecimal {
		c.misused = true
		return
	}
	c.words = append(c.words, v.LowBits(), uint64(v.HighBits()))
}

// String adds a copy of v.
func (c *Column) String(v string) {
	if c.class != classBytes {
		c.misused = true
		return
	}
	if n := len(c.data); n+len(v) > cap(c.data) {
		c.data = append(c.data, v...)
	} else { // append would write the pointer again, with a barrier while the garbage collector runs
		c.data = c.data[:n+len(v)]
		copy(c.data[n:], v)
	}
	c.ends = append(c.ends, int32(len(c.data)))
}

// Bytes adds a copy of v.
func (c *Column) Bytes(v []byte) {
	if c.class != classBytes {
		c.misused = true
		return
	}
	if n := len(c.data); n+len(v) > cap(c.data) {
		c.data = append(c.data, v...)
	} else { // append would write the pointer again, with a barrier while the garbage collector runs
		c.data = c.data[:n+len(v)]
		copy(c.data[n:], v)
	}
	c.ends = append(c.ends, int32(len(c.data)))
}

// Elem is the column of a list's elements. A map's elements are structs of key and value.
// It is nil if the column is no list.
func (c *Column) Elem() *Column {
	if c.class != classList {
		return nil
	}
	return &c.children[0]
}

// EndList adds the list of the elements that were added to Elem since the last EndList.
func (c *Column) EndList() {
	if c.class != classList {
		c.misused = true
		return
	}
	c.ends = append(c.ends, int32(c.children[0].Len()))
}

// Field is the column of a struct's i-th field.
func (c *Column) Field(i int) *Column { return &c.children[i] }

// EndStruct adds the struct of the values that were added to each Field since the last EndStruct.
func (c *Column) EndStruct() {
	if c.class != classStruct {
		c.misused = true
		return
	}
	for i := range c.children {
		if f := &c.children[i]; f.Len() < len(c.ends) && f.unended() == "" {
			f.Null()
		}
	}
	c.ends = append(c.ends, 0)
}

// Null adds a null.
func (c *Column) Null() {
	n, misused := c.Len(), c.misused
	c.Truncate(n) // elements and fields of a list or struct that was begun
	c.misused = misused
	c.nulls = append(c.nulls, int32(n))
	c.zero()
}

// Len is the number of values, nulls included.
func (c *Column) Len() int {
	if c.ends != nil {
		return len(c.ends) - 1
	}
	return len(c.words) >> c.shift
}

// Truncate takes back all values but the first n, and elements and fields of a list or struct that was not ended.
// A column with fewer values stays as it is.
func (c *Column) Truncate(n int) {
	c.misused = false
	if n > c.Len() {
		return
	}
	k := len(c.nulls)
	for k > 0 && int(c.nulls[k-1]) >= n {
		k--
	}
	c.nulls = c.nulls[:k]
	if c.ends == nil {
		c.words = c.words[:n<<c.shift]
		return
	}
	c.ends = c.ends[:n+1]
	switch c.class {
	case classBytes:
		c.data = c.data[:c.ends[n]]
	case classList:
		c.children[0].Truncate(int(c.ends[n]))
	case classStruct:
		for i := range c.children {
			c.children[i].Truncate(n)
		}
	}
}

// zero adds the value that stands for nothing.
func (c *Column) zero() {
	switch c.class {
	case classBytes:
		if t, ok := c.field.Type.(*arrow.FixedSizeBinaryType); ok {
			c.data = append(c.data, make([]byte, t.ByteWidth)...)
		}
		c.ends = append(c.ends, int32(len(c.data)))
	case classList, classNull:
		c.ends = append(c.ends, c.ends[len(c.ends)-1])
	case classStruct:
		for i := range c.children {
			c.children[i].zero()
		}
		c.ends = append(c.ends, 0)
	case classDecimal:
		c.words = append(c.words, 0, 0)
	default:
		c.words = append(c.words, 0)
	}
}
