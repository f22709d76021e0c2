package batch

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Concat gives the rows of all batches, one batch behind the other. Their visible schemas must be equal, and all
// of them must have an event time or none. Where some batches have a position and others have not, partition and
// offset of the latter are null; where some have numbers as offsets and others bytes, the numbers become OffsetBytes.
func Concat(batches []*Batch) (*Batch, error) {
	if len(batches) == 0 {
		return nil, errors.New("batch: concat nothing: there is no schema")
	}
	if len(batches) == 1 {
		return batches[0], nil
	}
	first, rows := batches[0], int64(0)
	fields, n := first.Schema().Fields(), first.Columns()
	for i, b := range batches {
		rows += int64(b.Rows())
		if !b.Schema().Equal(first.Schema()) {
			return nil, fmt.Errorf("batch: concat: batch %d has %s, the first %s", i, b.Schema(), first.Schema())
		}
	}
	parts := make([][]arrow.Array, n, n+len(hiddenOrder))
	for i := range parts {
		for _, b := range batches {
			parts[i] = append(parts[i], b.Column(i))
		}
	}
	for _, name := range hiddenOrder {
		same, err := sameHidden(batches, name)
		if err != nil {
			return nil, err
		}
		if same != nil {
			parts = append(parts, same)
			fields = append(fields[:len(fields):len(fields)], hiddenField(name, same[0].DataType()))
		}
	}
	cols := make([]arrow.Array, len(parts))
	for i, p := range parts {
		var err error
		if cols[i], err = array.Concatenate(p, memory.DefaultAllocator); err != nil {
			return nil, fmt.Errorf("batch: concat column %q: %w", fields[i].Name, err)
		}
	}
	md := first.rec.Schema().Metadata()
	return newBatch(arrow.NewSchema(fields, &md), cols, rows)
}

// sameHidden gives one hidden column of every batch, all of one type; nil if no batch has it.
func sameHidden(batches []*Batch, name string) ([]arrow.Array, error) {
	var typ arrow.DataType
	missing := false
	for _, b := range batches {
		switch c := b.Hidden(name); {
		case c == nil:
			missing = true
		case typ == nil || c.DataType().ID() == arrow.BINARY:
			typ = c.DataType()
		}
	}
	if typ == nil {
		return nil, nil
	}
	if missing && name == TimeColumn {
		return nil, errors.New("batch: concat: some batches have an event time and some have none")
	}
	out := make([]arrow.Array, len(batches))
	for i, b := range batches {
		switch c := b.Hidden(name); {
		case c == nil:
			out[i] = usual(name, typ, b.Rows())
		case c.DataType().ID() != typ.ID():
			out[i] = offsetBytes(c.(*array.Int64))
		default:
			out[i] = c
		}
	}
	return out, nil
}

// usual makes the hidden column that an absent one stands for.
func usual(name string, typ arrow.DataType, rows int) arrow.Array {
	if name == PartColumn || name == OffsetColumn {
		return array.MakeArrayOfNull(memory.DefaultAllocator, typ, rows)
	}
	v := int64(0)
	if name == WeightColumn {
		v = 1
	}
	c := newColumn(arrow.Field{Type: typ}, name)
	for range rows {
		c.Int64(v)
	}
	return array.MakeFromData(c.assemble())
}

func offsetBytes(a *array.Int64) arrow.Array {
	c := newColumn(arrow.Field{Type: arrow.BinaryTypes.Binary}, OffsetColumn)
	for i := range a.Len() {
		if a.IsNull(i) {
			c.Null()
		} else {
			c.Bytes(OffsetBytes(a.Value(i)))
		}
	}
	return array.MakeFromData(c.assemble())
}
