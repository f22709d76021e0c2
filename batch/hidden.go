package batch

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// String names what a row was given.
func (s rowSet) String() string {
	var out []string
	for i, name := range []string{"Time", "Position", "BytesPosition"} {
		if s&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	if out == nil {
		return "nothing"
	}
	return strings.Join(out, " and ")
}

// hiddenArray gives the values of a hidden column.
func (b *Builder) hiddenArray(i int) arrow.Array {
	a := array.MakeFromData(b.hidden[i].assemble())
	if i != partAt {
		return a
	}
	return array.NewDictionaryArray(PartType, a, stringArray(b.parts))
}

// fullSchema gives the visible schema and the hidden columns in use. It is made once per set of them.
func (b *Builder) fullSchema() *arrow.Schema {
	if s, ok := b.schemas[b.used]; ok {
		return s
	}
	fields := append([]arrow.Field{}, b.schema.Fields()...)
	for i, name := range hiddenOrder {
		if b.used[i] {
			fields = append(fields, hiddenField(name, b.hidden[i].field.Type))
		}
	}
	md := b.schema.Metadata()
	s := arrow.NewSchema(fields, &md)
	b.schemas[b.used] = s
	return s
}

func hiddenField(name string, t arrow.DataType) arrow.Field {
	if name == PartColumn {
		t = PartType
	}
	return arrow.Field{Name: name, Type: t}
}

func stringArray(values []string) arrow.Array {
	c := newColumn(arrow.Field{Type: arrow.BinaryTypes.String}, "")
	for _, v := range values {
		c.String(v)
	}
	return array.MakeFromData(c.assemble())
}

// fixedBytes is the size of the part of a value that does not depend on it.
func fixedBytes(t arrow.DataType) int {
	if w, ok := t.(arrow.FixedWidthDataType); ok {
		return (w.BitWidth() + 7) / 8
	}
	if classes[t.ID()] == classStruct || classes[t.ID()] == classNull {
		return 0
	}
	return 4
}

// varBytes is the size of the part of all values that fixedBytes does not count.
func (c *Column) varBytes() int {
	n := 0
	if c.field.Type.ID() != arrow.FIXED_SIZE_BINARY {
		n = len(c.data)
	}
	for i := range c.children {
		f := &c.children[i]
		n += f.varBytes() + f.Len()*fixedBytes(f.field.Type)
	}
	return n
}
