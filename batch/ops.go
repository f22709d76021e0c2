package batch

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Slice gives rows [from, to) without copying.
func (b *Batch) Slice(from, to int) *Batch {
	if from == 0 && to == b.Rows() {
		return b
	}
	out := &Batch{rec: b.rec.NewSlice(int64(from), int64(to)), visible: b.visible}
	out.bound()
	return out
}

// With gives the rows with other visible columns; the hidden columns stay. cols must have as many rows as b.
func (b *Batch) With(schema *arrow.Schema, cols []arrow.Array) (*Batch, error) {
	fields := append(slices.Clone(schema.Fields()), b.rec.Schema().Fields()[b.visible:]...)
	md := schema.Metadata()
	return newBatch(arrow.NewSchema(fields, &md), append(slices.Clone(cols), b.rec.Columns()[b.visible:]...), b.rec.NumRows())
}

// WithHidden gives the rows with one hidden column set or replaced; nil takes it away.
func (b *Batch) WithHidden(name string, col arrow.Array) (*Batch, error) {
	at := slices.Index(hiddenOrder, name)
	if at < 0 {
		return nil, fmt.Errorf("batch: there is no hidden column %q: %q exist", name, hiddenOrder)
	}
	fields := slices.Clone(b.rec.Schema().Fields()[:b.visible])
	cols := slices.Clone(b.rec.Columns()[:b.visible])
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
	return newBatch(arrow.NewSchema(fields, &md), cols, b.rec.NumRows())
}

// Derive gives rows that were made from those of b: row i, with the given visible columns, from row from[i]. It has the
// event time, position and kind of that row. The first of several rows in a row that were made from one has its weight, the
// others have none, so that each source row counts once.
func (b *Batch) Derive(schema *arrow.Schema, cols []arrow.Array, from []int32) (*Batch, error) {
	fields := slices.Clone(schema.Fields())
	all := slices.Clone(cols)
	for i := b.visible; i < int(b.rec.NumCols()); i++ {
		c, err := Gather(b.rec.Column(i), from)
		if err != nil {
			return nil, fmt.Errorf("batch: derive: %w", err)
		}
		fields, all = append(fields, b.rec.Schema().Field(i)), append(all, c)
	}
	md := schema.Metadata()
	out, err := newBatch(arrow.NewSchema(fields, &md), all, int64(len(from)))
	if err != nil {
		return nil, err
	}
	shared := false
	weights := newColumn(arrow.Field{Type: arrow.PrimitiveTypes.Int64}, WeightColumn)
	was := b.Weights()
	for i, r := range from {
		w := int64(1)
		if was != nil {
			w = was[r]
		}
		if i > 0 && from[i-1] == r {
			w, shared = 0, true
		}
		weights.Int64(w)
	}
	if !shared {
		return out, nil
	}
	return out.WithHidden(WeightColumn, array.MakeFromData(weights.assemble()))
}

// newBatch is New for columns that may not fit the schema.
func newBatch(schema *arrow.Schema, cols []arrow.Array, rows int64) (*Batch, error) {
	if len(cols) != schema.NumFields() {
		return nil, fmt.Errorf("batch: there are %d columns for the %d fields of %s", len(cols), schema.NumFields(), schema)
	}
	for i, c := range cols {
		f := schema.Field(i)
		if int64(c.Len()) != rows {
			return nil, fmt.Errorf("batch: column %q has %d rows, the batch %d", f.Name, c.Len(), rows)
		}
		if !arrow.TypeEqual(c.DataType(), f.Type) {
			return nil, fmt.Errorf("batch: column %q has type %s, the schema says %s", f.Name, c.DataType(), f.Type)
		}
	}
	return New(array.NewRecordBatch(schema, cols, rows))
}

var hiddenOrder = []string{TimeColumn, PartColumn, OffsetColumn, SubColumn, WeightColumn, KindColumn}
