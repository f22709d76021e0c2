package batch

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Slice gives rows [from, to) without copying.
func (b *Batch) Slice(from, to int) *Batch {
	if from == 0 && to == b.Rows() {
		return b
	}
	out, _ := New(b.rec.NewSlice(int64(from), int64(to))) // cannot fail: the columns were checked when b was made
	return out
}

// With gives the rows with other visible columns; the hidden columns stay. cols must have as many rows as b.
func (b *Batch) With(schema *arrow.Schema, cols []arrow.Array) (*Batch, error) {
	fields := append(append([]arrow.Field{}, schema.Fields()...), b.rec.Schema().Fields()[b.visible:]...)
	all := append(append([]arrow.Array{}, cols...), b.rec.Columns()[b.visible:]...)
	for i, c := range cols {
		if c.Len() != b.Rows() {
			return nil, fmt.Errorf("batch: column %q has %d rows, the batch %d", schema.Field(i).Name, c.Len(), b.Rows())
		}
	}
	md := schema.Metadata()
	return New(array.NewRecordBatch(arrow.NewSchema(fields, &md), all, b.rec.NumRows()))
}

// WithHidden gives the rows with one hidden column set or replaced.
func (b *Batch) WithHidden(name string, col arrow.Array) (*Batch, error) {
	fields := append([]arrow.Field{}, b.rec.Schema().Fields()[:b.visible]...)
	cols := append([]arrow.Array{}, b.rec.Columns()[:b.visible]...)
	for _, h := range hiddenOrder {
		c := b.Hidden(h)
		if h == name {
			c = col
		}
		if c != nil {
			fields, cols = append(fields, arrow.Field{Name: h, Type: c.DataType()}), append(cols, c)
		}
	}
	md := b.rec.Schema().Metadata()
	return New(array.NewRecordBatch(arrow.NewSchema(fields, &md), cols, b.rec.NumRows()))
}

var hiddenOrder = []string{TimeColumn, PartColumn, OffsetColumn, SubColumn, WeightColumn, KindColumn}
