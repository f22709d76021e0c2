package batch

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Builder gathers rows of one schema, column by column, and makes batches of them.
//
//	b, err := batch.NewBuilder(schema, batch.BuilderOptions{Time: true})
//	id, fare := b.Col(0), b.Col(1)
//	for ... {
//		id.Int64(7)
//		fare.Float64(2.5)
//		b.Time(us)
//		if err := b.EndRow(); err != nil { ... } // the row has been taken back
//	}
//	out, err := b.Build()
//
// A column without a value in a row is null there. A Builder is for one goroutine. It keeps about as much memory as its
// last batch. What Build gives away is never used again.
type Builder struct {
	schema  *arrow.Schema
	cols    []Column
	hidden  [6]Column // in hiddenOrder
	used    [6]bool   // whether the batch has that hidden column
	need    rowSet    // what every row must be given
	parts   []string  // the partitions of this batch
	partNow int64     // index in parts of the partition of the last row; -1 if there is none
	row     rowMeta
	rows    int
	fixed   int // bytes of a row that do not depend on its values
	schemas map[[6]bool]*arrow.Schema
}

// rowMeta is the hidden part of the row that is being built.
type rowMeta struct {
	time, off, weight int64
	part              string
	offBytes          []byte
	sub               int32
	kind              Kind
	set               rowSet
}

type rowSet uint8

const (
	setTime rowSet = 1 << iota
	setPosition
	setBytesPosition
)

// Offsets says which positions the rows of a Builder have.
type Offsets uint8

// The kinds of positions.
const (
	// NoOffsets: the rows have no position.
	NoOffsets Offsets = iota
	// IntOffsets: Position is called for every row.
	IntOffsets
	// BytesOffsets: BytesPosition is called for every row.
	BytesOffsets
)

// BuilderOptions says what a Builder gathers besides the visible columns. The zero value works.
type BuilderOptions struct {
	// Time: every row has an event time.
	Time bool
	// Offsets: every row has a position of that kind. Default none.
	Offsets Offsets
}

const (
	timeAt = iota
	partAt
	offsetAt
	subAt
	weightAt
	kindAt
)

// NewBuilder makes a builder for the visible columns of schema. An error names a column that a builder cannot make
// or whose name starts with HiddenPrefix.
func NewBuilder(schema *arrow.Schema, o BuilderOptions) (*Builder, error) {
	b := &Builder{schema: schema, partNow: -1, schemas: map[[6]bool]*arrow.Schema{}}
	b.row.weight = 1
	for _, f := range schema.Fields() {
		if strings.HasPrefix(f.Name, HiddenPrefix) {
			return nil, fmt.Errorf("batch: column %q: names that start with %q are reserved", f.Name, HiddenPrefix)
		}
		if err := buildable(f.Name, f.Type); err != nil {
			return nil, err
		}
		b.cols = append(b.cols, newColumn(f, f.Name))
		b.fixed += fixedBytes(f.Type)
	}
	for i, name := range hiddenOrder {
		t := hiddenTypes[name][0]
		if i == partAt {
			t = PartType.IndexType
		}
		if i == offsetAt && o.Offsets == BytesOffsets {
			t = arrow.BinaryTypes.Binary
		}
		b.hidden[i] = newColumn(arrow.Field{Name: name, Type: t}, name)
	}
	if o.Time {
		b.need |= setTime
		b.used[timeAt] = true
	}
	if o.Offsets != NoOffsets {
		b.need |= map[Offsets]rowSet{IntOffsets: setPosition, BytesOffsets: setBytesPosition}[o.Offsets]
		b.used[partAt], b.used[offsetAt] = true, true
	}
	return b, nil
}

// Schema is the visible schema.
func (b *Builder) Schema() *arrow.Schema { return b.schema }

// Col is the i-th column of the schema. It stays the same for the life of the builder.
func (b *Builder) Col(i int) *Column { return &b.cols[i] }

// Time sets the event time of the row that is being built, in microseconds.
func (b *Builder) Time(us int64) {
	b.row.time = us
	b.row.set |= setTime
}

// Position sets the position of the row that is being built: partition, offset, and the index of the row within its
// source record.
func (b *Builder) Position(part string, off int64, sub int32) {
	b.row.part, b.row.off, b.row.sub = part, off, sub
	b.row.set |= setPosition
}

// BytesPosition is Position with an offset whose bytes sort as the offsets do. They are copied.
func (b *Builder) BytesPosition(part string, off []byte, sub int32) {
	b.row.part, b.row.offBytes, b.row.sub = part, append(b.row.offBytes[:0], off...), sub
	b.row.set |= setBytesPosition
}

// Weight sets the number of source rows behind the row that is being built. Default 1.
func (b *Builder) Weight(n int64) { b.row.weight = n }

// Kind sets what the row that is being built does to its key. Default Insert.
func (b *Builder) Kind(k Kind) { b.row.kind = k }

// Rows is the number of complete rows.
func (b *Builder) Rows() int { return b.rows }

// Bytes estimates the size of the complete rows, in bytes.
func (b *Builder) Bytes() int {
	n := b.rows * b.fixed
	for i := range b.cols {
		n += b.cols[i].varBytes()
	}
	return n
}

// EndRow completes the row. A column without a value becomes null. If the row breaks the schema - a required column
// without a value, a number beyond its type, two values in one column - or lacks a time or position, the error says
// which and the row has been taken back as by Rollback.
func (b *Builder) EndRow() error {
	n := b.rows + 1
	for i := range b.cols {
		c := &b.cols[i]
		if c.Len() != n || len(c.nulls) > c.maxNulls || c.misused || len(c.data) > math.MaxInt32 {
			if err := c.settle(n); err != nil {
				b.Rollback()
				return err
			}
		}
	}
	if b.row.set != b.need {
		err := fmt.Errorf("batch: row %d was given %s, the builder wants %s", b.rows, b.row.set, b.need)
		b.Rollback()
		return err
	}
	b.endHidden()
	b.rows = n
	b.resetRow()
	return nil
}

// Rollback takes back everything added since the last EndRow.
func (b *Builder) Rollback() {
	for i := range b.cols {
		b.cols[i].Truncate(b.rows)
	}
	b.resetRow()
}

// Build gives the complete rows as a batch and leaves the builder empty. A row that was begun and not ended is an error.
func (b *Builder) Build() (*Batch, error) {
	for i := range b.cols {
		if c := &b.cols[i]; c.Len() != b.rows || c.misused || c.unended() != "" {
			return nil, fmt.Errorf("batch: row %d was begun (column %q) and neither ended nor taken back", b.rows, c.path)
		}
	}
	arrays := make([]arrow.Array, 0, len(b.cols)+len(b.hidden))
	for i := range b.cols {
		arrays = append(arrays, array.MakeFromData(b.cols[i].assemble()))
	}
	for i := range b.hidden {
		if b.used[i] {
			arrays = append(arrays, b.hiddenArray(i))
		}
	}
	rec := array.NewRecordBatch(b.fullSchema(), arrays, int64(b.rows))
	b.rows, b.parts, b.partNow = 0, nil, -1
	b.used[subAt], b.used[weightAt], b.used[kindAt] = false, false, false
	return New(rec)
}

func (b *Builder) resetRow() {
	b.row.sub, b.row.weight, b.row.kind, b.row.set = 0, 1, Insert, 0
}

// endHidden adds the hidden values of the row.
func (b *Builder) endHidden() {
	h, r := &b.hidden, &b.row
	if b.used[timeAt] {
		h[timeAt].Int64(r.time)
	}
	if b.used[partAt] {
		if b.partNow < 0 || b.parts[b.partNow] != r.part {
			b.usePart(r.part)
		}
		h[partAt].Int64(b.partNow)
		if r.set&setPosition != 0 {
			h[offsetAt].Int64(r.off)
		} else {
			h[offsetAt].Bytes(r.offBytes)
		}
	}
	if b.used[subAt] || r.sub != 0 {
		b.seldom(subAt, 0, int64(r.sub))
	}
	if b.used[weightAt] || r.weight != 1 {
		b.seldom(weightAt, 1, r.weight)
	}
	if b.used[kindAt] || r.kind != Insert {
		b.seldom(kindAt, int64(Insert), int64(r.kind))
	}
}

// seldom adds a value to a hidden column that exists from the first value on that is not the usual one.
func (b *Builder) seldom(i int, usual, v int64) {
	c := &b.hidden[i]
	for c.Len() < b.rows {
		c.Int64(usual)
	}
	b.used[i] = true
	c.Int64(v)
}

func (b *Builder) usePart(part string) {
	b.partNow = int64(slices.Index(b.parts, part))
	if b.partNow < 0 {
		b.partNow = int64(len(b.parts))
		b.parts = append(b.parts, strings.Clone(part))
	}
}
