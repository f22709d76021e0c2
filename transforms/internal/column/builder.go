package column

import "github.com/apache/arrow-go/v18/arrow"

// Builder makes a column row by row from canonical values.
type Builder struct {
	typ   arrow.DataType
	width int
	words []uint64
	ends  []int32
	data  []byte
	nulls []bool
	some  bool
}

// NewBuilder makes a builder for a type that has a canonical form, with room for so many rows.
func NewBuilder(t arrow.DataType, rows int) *Builder {
	c := &Builder{typ: t, width: KindOf(t).Width(), nulls: make([]bool, 0, rows)}
	if c.width == 0 {
		c.ends = make([]int32, 1, rows+1)
	} else {
		c.words = make([]uint64, 0, c.width*rows)
	}
	return c
}

// Null adds a null.
func (c *Builder) Null() {
	c.nulls, c.some = append(c.nulls, true), true
	if c.width == 0 {
		c.data = append(c.data, make([]byte, Padding(c.typ))...)
		c.ends = append(c.ends, int32(len(c.data)))
	}
	for range c.width {
		c.words = append(c.words, 0)
	}
}

// Words adds the words of a value.
func (c *Builder) Words(w ...uint64) {
	c.words, c.nulls = append(c.words, w...), append(c.nulls, false)
}

// Bytes adds a value of Kind Bytes.
func (c *Builder) Bytes(b []byte) {
	c.data, c.nulls = append(c.data, b...), append(c.nulls, false)
	c.ends = append(c.ends, int32(len(c.data)))
}

// Array gives the column. It hands the memory of the builder over.
func (c *Builder) Array() arrow.Array {
	nulls := c.nulls
	if !c.some {
		nulls = nil
	}
	if c.width == 0 {
		return MakeBytes(c.typ, c.ends, c.data, nulls)
	}
	return Make(c.typ, c.words, nulls)
}
