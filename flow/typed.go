package flow

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/millrace-io/millrace/batch"
)

// Map gives fn's result for every row. T sees the columns that its fields name, U's fields are the new columns; event time,
// position and weight stay with the row. A row whose null does not fit T is Rejected. fn may capture what it likes and must not
// change what it captured: it is called by several workers.
func Map[T, U any](step string, in Rows, fn func(T) U) Output {
	return typed(step, in, typedStep[T, U]{kind: "map", each: func(v *T, out *rowsOut[U]) error { return out.add(fn(*v)) }})
}

// TryMap is Map with a function that can refuse a row: an error sends the row to Rejected with the error's text as reason.
func TryMap[T, U any](step string, in Rows, fn func(T) (U, error)) Output {
	return typed(step, in, typedStep[T, U]{kind: "trymap", each: func(v *T, out *rowsOut[U]) error {
		u, err := fn(*v)
		if err != nil {
			return err
		}
		return out.add(u)
	}})
}

// Client is something that a step's function needs and that is opened once per worker, such as a connection.
type Client[C any] struct {
	// Open makes the client. Required.
	Open func() (C, error)
	// Close ends it. Default: nothing is to be done.
	Close func(C) error
}

// TryMapWith is TryMap with a client per worker.
func TryMapWith[C, T, U any](step string, in Rows, c Client[C], fn func(C, T) (U, error)) Output {
	end := c.Close
	if end == nil {
		end = func(C) error { return nil }
	}
	return typed(step, in, typedStep[T, U]{kind: "trymap", open: func() (func(*T, *rowsOut[U]) error, func() error, error) {
		client, err := c.Open()
		if err != nil {
			return nil, nil, err
		}
		each := func(v *T, out *rowsOut[U]) error {
			u, err := fn(client, *v)
			if err != nil {
				return err
			}
			return out.add(u)
		}
		return each, func() error { return end(client) }, nil
	}})
}

// FlatMap gives any number of rows for each row, in the order in which emit is called. The first one carries the row's
// weight, the others none; rows that give nothing are counted as dropped.
func FlatMap[T, U any](step string, in Rows, fn func(v T, emit func(U))) Output {
	return typed(step, in, typedStep[T, U]{kind: "flatmap", many: true, each: func(v *T, out *rowsOut[U]) error {
		var err error
		fn(*v, func(u U) {
			if err == nil {
				err = out.add(u)
			}
		})
		return err
	}})
}

// Filter keeps the rows for which keep is true, with all their columns. T sees the columns that its fields name. Rows that are
// not kept are counted as dropped; a row whose null does not fit T is Rejected.
func Filter[T any](step string, in Rows, keep func(T) bool) Output {
	bind := bindTo[T](step, in)
	if bind == nil {
		return Output{}
	}
	open := func() (StepFunc, error) {
		return func(b *batch.Batch, out *StepOut) error { return filter(b, out, bind, keep) }, nil
	}
	return Transform(step, in, Step{Kind: "filter", Schema: in.schema, Open: open})
}

func filter[T any](b *batch.Batch, out *StepOut, bind *batch.Binding[T], keep func(T) bool) error {
	view, err := bind.View(b)
	if err != nil {
		return err
	}
	kept := make([]int32, 0, b.Rows())
	row, lost := int32(0), int64(0)
	w := b.Weights()
	for v, err := range view.All() {
		switch {
		case err != nil:
			out.Refuse(Refusal{Row: row, Reason: err.Error()})
		case keep(*v):
			kept = append(kept, row)
		default:
			lost += weightAt(w, row)
		}
		row++
	}
	out.Drop(lost)
	if len(kept) == b.Rows() {
		out.Emit(b)
		return nil
	}
	if len(kept) == 0 {
		return nil
	}
	some, err := b.Take(kept)
	if err == nil {
		out.Emit(some)
	}
	return err
}

func weightAt(w []int64, row int32) int64 {
	if w == nil {
		return 1
	}
	return w[row]
}

func bindTo[T any](step string, in Rows) *batch.Binding[T] {
	if !in.Valid() {
		return nil
	}
	m, err := batch.NewMapping[T]()
	if err != nil {
		in.Errorf(step, "%w", err)
		return nil
	}
	bind, err := m.Bind(in.schema)
	if err != nil {
		in.Errorf(step, "%w", err)
		return nil
	}
	return bind
}

// typedStep is a step on structs: either each, or open for one that needs a client.
type typedStep[T, U any] struct {
	kind string
	many bool
	each func(*T, *rowsOut[U]) error
	open func() (each func(*T, *rowsOut[U]) error, end func() error, err error)
}

func typed[T, U any](step string, in Rows, s typedStep[T, U]) Output {
	bind := bindTo[T](step, in)
	if bind == nil {
		return Output{}
	}
	m, err := batch.NewMapping[U]()
	if err != nil {
		in.Errorf(step, "result: %w", err)
		return Output{}
	}
	run := func(each func(*T, *rowsOut[U]) error) (StepFunc, error) {
		b, err := batch.NewBuilder(m.Schema(), batch.BuilderOptions{})
		if err != nil {
			return nil, err
		}
		return func(in *batch.Batch, out *StepOut) error {
			return mapRows(in, out, typedRun[T, U]{bind, each, &rowsOut[U]{m: m, b: b}, s.many})
		}, nil
	}
	st := Step{Kind: s.kind, Schema: m.Schema(), OneToOne: !s.many}
	if s.open == nil {
		st.Open = func() (StepFunc, error) { return run(s.each) }
		return Transform(step, in, st)
	}
	st.OpenClosing = func() (StepFunc, func() error, error) {
		each, end, err := s.open()
		if err != nil {
			return nil, nil, err
		}
		fn, err := run(each)
		return fn, end, err
	}
	return Transform(step, in, st)
}

type typedRun[T, U any] struct {
	bind *batch.Binding[T]
	each func(*T, *rowsOut[U]) error
	out  *rowsOut[U]
	many bool
}

// rowsOut gathers results, and for each the row it came from.
type rowsOut[U any] struct {
	m    *batch.Mapping[U]
	b    *batch.Builder
	row  int32
	from []int32
}

func (o *rowsOut[U]) add(u U) error {
	if err := o.m.Append(o.b, &u); err != nil {
		o.b.Rollback()
		return err
	}
	if err := o.b.EndRow(); err != nil {
		return err
	}
	o.from = append(o.from, o.row)
	return nil
}

func mapRows[T, U any](in *batch.Batch, out *StepOut, r typedRun[T, U]) error {
	view, err := r.bind.View(in)
	if err != nil {
		return err
	}
	r.out.row, r.out.from = 0, make([]int32, 0, in.Rows())
	w := in.Weights()
	for v, err := range view.All() {
		before := len(r.out.from)
		if err == nil {
			err = r.each(v, r.out)
		}
		switch {
		case err != nil && len(r.out.from) > before:
			return err // some results of the row are out: it cannot be refused any more
		case err != nil:
			out.Refuse(Refusal{Row: r.out.row, Reason: err.Error()})
		case len(r.out.from) == before:
			out.Drop(weightAt(w, r.out.row))
		}
		r.out.row++
	}
	res, err := r.out.b.Build()
	if err != nil || res.Rows() == 0 {
		return err
	}
	res, err = carry(in, res, r.out.from)
	if err == nil && r.many {
		res, err = spread(res, r.out.from)
	}
	if err == nil {
		out.Emit(res)
	}
	return err
}

// carry gives the results the hidden columns of the rows they came from.
func carry(in, res *batch.Batch, from []int32) (*batch.Batch, error) {
	same := len(from) == in.Rows()
	for i := 0; same && i < len(from); i++ {
		same = from[i] == int32(i)
	}
	if !same {
		var err error
		if in, err = in.Take(from); err != nil {
			return nil, err
		}
	}
	return in.With(res.Schema(), res.Record().Columns())
}

// spread leaves the weight of a row to the first of those that came from it, and gives rows of one position increasing
// sub-indexes, also where an earlier step has made several rows of it.
func spread(b *batch.Batch, from []int32) (*batch.Batch, error) {
	old := b.Weights()
	w := make([]int64, len(from))
	for i, f := range from {
		if i == 0 || from[i-1] != f {
			w[i] = weightAt(old, int32(i))
		}
	}
	b, err := b.WithHidden(batch.WeightColumn, int64Array(w))
	if err != nil || b.Hidden(batch.PartColumn) == nil {
		return b, err
	}
	same := samePosition(b)
	subs, _ := b.Hidden(batch.SubColumn).(*array.Int32)
	sub := make([]int32, len(from))
	for i := range sub {
		if subs != nil && subs.IsValid(i) {
			sub[i] = subs.Value(i)
		}
		if i > 0 && same(i) {
			sub[i] = max(sub[i], sub[i-1]+1)
		}
	}
	return b.WithHidden(batch.SubColumn, int32Array(sub))
}

// samePosition gives a function that says whether a row has the partition and offset of the one before it.
func samePosition(b *batch.Batch) func(row int) bool {
	part, _ := b.Hidden(batch.PartColumn).(*array.Dictionary)
	samePart := func(row int) bool {
		return part.IsValid(row) && part.IsValid(row-1) && part.GetValueIndex(row) == part.GetValueIndex(row-1)
	}
	switch o := b.Hidden(batch.OffsetColumn).(type) {
	case *array.Int64:
		return func(row int) bool { return samePart(row) && o.Value(row) == o.Value(row-1) }
	case *array.Binary:
		return func(row int) bool { return samePart(row) && bytes.Equal(o.Value(row), o.Value(row-1)) }
	}
	return func(int) bool { return false }
}

func int64Array(v []int64) arrow.Array {
	return array.NewInt64Data(fixedData(arrow.PrimitiveTypes.Int64, arrow.Int64Traits.CastToBytes(v), len(v)))
}

func int32Array(v []int32) arrow.Array {
	return array.NewInt32Data(fixedData(arrow.PrimitiveTypes.Int32, arrow.Int32Traits.CastToBytes(v), len(v)))
}

func fixedData(t arrow.DataType, b []byte, n int) arrow.ArrayData {
	return array.NewData(t, n, []*memory.Buffer{nil, memory.NewBufferBytes(b)}, nil, 0, 0)
}
