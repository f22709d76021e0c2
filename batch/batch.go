// Package batch holds the element that flows through every Millrace pipeline: an Arrow record batch with event time,
// position and weight riding along in hidden columns.
//
//	  visible columns (the user's schema)          hidden columns, always last, in this order
//	+-----------+-------------+------------+  +--------+-----------+--------+------+--------+------+
//	| vendor_id | pickup      | fare       |  | @time  | @part     | @off   | @sub | @weight| @kind|
//	| int64     | timestamp us| float64    |  | int64  | dict utf8 | int64  | int32| int64  | int8 |
//	+-----------+-------------+------------+  +--------+-----------+--------+------+--------+------+
//
// A hidden column is absent where nothing is known: no event time, no position, every weight 1, every row an insert.
// A batch is immutable and may be held by several consumers; it is never recycled, so values read from it stay valid.
package batch

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Names of the hidden columns. A user column must not start with HiddenPrefix.
const (
	HiddenPrefix = "@"
	TimeColumn   = "@time"   // int64: event time, microseconds since 1970-01-01T00:00:00Z; no nulls
	PartColumn   = "@part"   // dictionary<int32, utf8>: source partition
	OffsetColumn = "@off"    // int64 or binary: position in the partition, order-preserving
	SubColumn    = "@sub"    // int32: index of the row within one source record
	WeightColumn = "@weight" // int64: source rows behind this row
	KindColumn   = "@kind"   // int8: Kind
)

// Kind says what a row does to its key.
type Kind int8

// The kinds of a change. A batch without a kind column holds inserts only.
const (
	Insert Kind = iota
	UpdateBefore
	UpdateAfter
	Delete
)

// String gives the kind as used in documents and dead letters.
func (k Kind) String() string {
	return [...]string{"insert", "update-before", "update-after", "delete"}[k&3]
}

// NoTime is the minimum event time of a batch that has none; it is the time of Beam's minimum timestamp.
const NoTime = math.MinInt64 / 1000 * 1000

// Batch is an immutable set of rows.
type Batch struct {
	rec      arrow.RecordBatch
	visible  int // number of visible columns
	min, max int64
}

// New wraps a record whose hidden columns, if any, stand last and in their order. It computes the bounds of the event time.
// An error names a hidden column that is unknown, stands in the wrong place, has the wrong type, or has nulls (which only
// partition and offset may have: the position of such a row is unknown).
func New(rec arrow.RecordBatch) (*Batch, error) {
	b := &Batch{rec: rec, visible: int(rec.NumCols())}
	last := -1
	for i, f := range rec.Schema().Fields() {
		if !strings.HasPrefix(f.Name, HiddenPrefix) {
			if i > b.visible {
				return nil, fmt.Errorf("batch: column %q stands behind the hidden column %q", f.Name, rec.ColumnName(b.visible))
			}
			continue
		}
		b.visible = min(b.visible, i)
		if !slices.ContainsFunc(hiddenTypes[f.Name], func(t arrow.DataType) bool { return arrow.TypeEqual(t, f.Type) }) {
			return nil, fmt.Errorf("batch: hidden column %q has type %s, it may have %v", f.Name, f.Type, hiddenTypes[f.Name])
		}
		if at := slices.Index(hiddenOrder, f.Name); at > last {
			last = at
		} else {
			return nil, fmt.Errorf("batch: hidden column %q stands behind %q: their order is %v", f.Name, hiddenOrder[last], hiddenOrder)
		}
		if f.Name != PartColumn && f.Name != OffsetColumn && rec.Column(i).NullN() > 0 {
			return nil, fmt.Errorf("batch: hidden column %q has %d nulls", f.Name, rec.Column(i).NullN())
		}
	}
	b.bound()
	return b, nil
}

// bound computes the bounds of the event time, and what Arrow computes at the first look: a batch is looked at by several
// consumers at a time.
func (b *Batch) bound() {
	for _, c := range b.rec.Columns() {
		lookAt(c)
	}
	b.min, b.max = NoTime, NoTime
	if t := b.Times(); len(t) > 0 {
		b.min, b.max = slices.Min(t), slices.Max(t)
	}
}

// lookAt makes an array compute its number of nulls, and a dictionary its values, which arrow-go keeps without a lock.
func lookAt(a arrow.Array) {
	a.NullN()
	switch a := a.(type) {
	case *array.Dictionary:
		lookAt(a.Dictionary())
	case array.ListLike:
		lookAt(a.ListValues())
	case *array.Struct:
		for i := range a.NumField() {
			lookAt(a.Field(i))
		}
	}
}

var hiddenTypes = map[string][]arrow.DataType{
	TimeColumn:   {arrow.PrimitiveTypes.Int64},
	PartColumn:   {PartType},
	OffsetColumn: {arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.Binary},
	SubColumn:    {arrow.PrimitiveTypes.Int32},
	WeightColumn: {arrow.PrimitiveTypes.Int64},
	KindColumn:   {arrow.PrimitiveTypes.Int8},
}

// PartType is the type of the hidden partition column.
var PartType = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}

// Rows is the number of rows.
func (b *Batch) Rows() int { return int(b.rec.NumRows()) }

// Record gives all columns, hidden ones last. The caller must not change it.
func (b *Batch) Record() arrow.RecordBatch { return b.rec }

// Columns is the number of visible columns.
func (b *Batch) Columns() int { return b.visible }

// Column gives the i-th visible column.
func (b *Batch) Column(i int) arrow.Array { return b.rec.Column(i) }

// Visible gives the record without its hidden columns. The columns are shared.
func (b *Batch) Visible() arrow.RecordBatch {
	return array.NewRecordBatch(b.Schema(), b.rec.Columns()[:b.visible], b.rec.NumRows())
}

// Schema gives the visible schema.
func (b *Batch) Schema() *arrow.Schema {
	if b.visible == int(b.rec.NumCols()) {
		return b.rec.Schema()
	}
	md := b.rec.Schema().Metadata()
	return arrow.NewSchema(b.rec.Schema().Fields()[:b.visible], &md)
}

// Find gives the visible column of that exact name, or nil.
func (b *Batch) Find(name string) arrow.Array {
	for i := range b.visible {
		if b.rec.ColumnName(i) == name {
			return b.rec.Column(i)
		}
	}
	return nil
}

// Hidden gives a hidden column by name, or nil.
func (b *Batch) Hidden(name string) arrow.Array {
	for i := b.visible; i < int(b.rec.NumCols()); i++ {
		if b.rec.ColumnName(i) == name {
			return b.rec.Column(i)
		}
	}
	return nil
}

// Times gives the event times in microseconds, or nil if the batch has none. The slice is shared with the batch.
func (b *Batch) Times() []int64 { return int64s(b.Hidden(TimeColumn)) }

// HasTime says whether the rows have an event time.
func (b *Batch) HasTime() bool { return b.Hidden(TimeColumn) != nil }

// MinTime is the smallest event time in microseconds, NoTime if there is none.
func (b *Batch) MinTime() int64 { return b.min }

// MaxTime is the largest event time in microseconds, NoTime if there is none.
func (b *Batch) MaxTime() int64 { return b.max }

// Weight sums the weights of all rows: the number of source rows behind this batch.
func (b *Batch) Weight() int64 {
	w := int64s(b.Hidden(WeightColumn))
	if w == nil {
		return b.rec.NumRows()
	}
	var sum int64
	for _, v := range w {
		sum += v
	}
	return sum
}

// Weights gives the weight of each row, or nil if every weight is 1. The slice is shared with the batch.
func (b *Batch) Weights() []int64 { return int64s(b.Hidden(WeightColumn)) }

func int64s(a arrow.Array) []int64 {
	if a == nil {
		return nil
	}
	return a.(*array.Int64).Int64Values()
}
