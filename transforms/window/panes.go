package window

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/graph"
	"github.com/millrace-io/millrace/transforms/internal/keys"
)

// panes are the partial aggregates of some windows: one pane per window and key, in columns.
type panes struct {
	p       *plan
	groups  *keys.Table // start of the window, keys
	rows    counts
	weights []int64
	times   []int64 // earliest event time
	values  []accumulator
	ids     []int32 // scratch
}

func newPanes(p *plan) *panes {
	t := &panes{p: p}
	types := make([]arrow.DataType, 1+len(p.keys))
	for i := range types {
		types[i] = p.partials.Field(i).Type
	}
	t.groups = keys.New(types...)
	for _, v := range p.values {
		t.values = append(t.values, v.open())
	}
	return t
}

// add takes rows of the input.
func (t *panes) add(b *batch.Batch) error {
	if err := graph.Inserts(b); err != nil {
		return err
	}
	times := b.Times()
	if times == nil {
		return fmt.Errorf("the batch has no event time")
	}
	hashes, err := batch.Hash(b, t.p.keys)
	if err != nil {
		return err
	}
	rows := []column.View{column.Words(column.Int, t.p.starts(times))}
	for _, k := range t.p.keys {
		rows = append(rows, column.Of(b.Column(k)))
	}
	ids := t.assign(b, hashes, rows)
	t.rows.add(nil, ids)
	for i, v := range t.p.values {
		if v.index < 0 {
			t.values[i].add(nil, ids)
			continue
		}
		view := column.Of(b.Column(v.index))
		t.values[i].add(&view, ids)
	}
	return nil
}

// merge takes partial aggregates.
func (t *panes) merge(b *batch.Batch) error {
	n := 1 + len(t.p.keys)
	index := make([]int, n-1)
	for i := range index {
		index[i] = i + 1
	}
	hashes, err := batch.Hash(b, index)
	if err != nil {
		return err
	}
	views := column.Views(b.Record().Columns()[:b.Columns()])
	ids := t.assign(b, hashes, views[:n])
	views = views[n:]
	for i, v := range t.p.values {
		t.values[i].merge(views[:len(v.partial)], ids)
		views = views[len(v.partial):]
	}
	t.rows.merge(views, ids)
	return nil
}

// assign finds the pane of every row, and adds up weights and times. hashes are those of the keys.
func (t *panes) assign(b *batch.Batch, hashes []uint64, rows []column.View) []int32 {
	for i, start := range rows[0].Words {
		hashes[i] ^= start * 0xff51afd7ed558ccd
	}
	t.ids = extend(t.ids[:0], b.Rows())
	t.groups.Add(hashes, rows, t.ids)
	n, old := t.groups.Len(), len(t.times)
	t.rows.grow(n)
	t.weights, t.times = extend(t.weights, n), extend(t.times, n)
	for i := old; i < n; i++ {
		t.times[i] = 1<<63 - 1
	}
	for _, v := range t.values {
		v.grow(n)
	}
	times, weights := b.Times(), b.Weights()
	for row, id := range t.ids {
		t.times[id] = min(t.times[id], times[row])
		if weights == nil {
			t.weights[id]++
		} else {
			t.weights[id] += weights[row]
		}
	}
	return t.ids
}

// pick gives some of the panes. They share nothing with these.
func (t *panes) pick(ids []int32) *panes {
	out := &panes{
		p: t.p, groups: t.groups.Pick(ids), rows: t.rows.picked(ids),
		weights: column.Pick(t.weights, 1, ids), times: column.Pick(t.times, 1, ids),
	}
	for _, v := range t.values {
		out.values = append(out.values, v.pick(ids))
	}
	return out
}

// within lists the panes whose windows start in [from, to].
func (t *panes) within(from, to int64) []int32 {
	var ids []int32
	for id, s := range t.groups.Words(0) {
		if start := int64(s); from <= start && start <= to {
			ids = append(ids, int32(id))
		}
	}
	return ids
}

// partials gives the panes as partial aggregates. Like results and lates, it hands the memory of the panes over.
func (t *panes) partials() (*batch.Batch, error) {
	cols := t.group()
	for _, v := range t.values {
		c, err := v.partial()
		if err != nil {
			return nil, t.explain(err)
		}
		cols = append(cols, c...)
	}
	return assemble(t.p.partials, append(cols, t.rows.array()), hidden{t.times, t.weights})
}

// results gives the panes as final results: at the last microsecond of their windows.
func (t *panes) results() (*batch.Batch, error) {
	cols, err := t.finals()
	if err != nil {
		return nil, err
	}
	times := make([]int64, t.groups.Len())
	for i, start := range t.groups.Words(0) {
		times[i] = t.p.end(int64(start)) - 1
	}
	return assemble(t.p.result, cols, hidden{times, t.weights})
}

// lates gives the panes as late rows: at their own earliest times.
func (t *panes) lates() (*batch.Batch, error) {
	cols, err := t.finals()
	if err != nil {
		return nil, err
	}
	return assemble(t.p.late, append(cols, t.rows.array()), hidden{t.times, t.weights})
}

func (t *panes) group() []arrow.Array {
	cols := make([]arrow.Array, 1+len(t.p.keys))
	for i := range cols {
		cols[i] = t.groups.Column(i)
	}
	return cols
}

func (t *panes) finals() ([]arrow.Array, error) {
	cols := t.group()
	for _, v := range t.values {
		c, err := v.final()
		if err != nil {
			return nil, t.explain(err)
		}
		cols = append(cols, c)
	}
	return cols, nil
}

// explain says which window and key an overflow belongs to.
func (t *panes) explain(err error) error {
	o, ok := errors.AsType[*overflow](err)
	if !ok {
		return err
	}
	cols := t.group()
	key := make([]string, 0, len(t.p.keys))
	for i, c := range cols[1:] {
		key = append(key, t.p.result.Field(i+1).Name+"="+c.ValueStr(o.pane))
	}
	start := time.UnixMicro(int64(t.groups.Words(0)[o.pane])).UTC()
	return fmt.Errorf("window %s, %s: %w; cast the column to a wider type, such as float64, before the step",
		start.Format(time.RFC3339Nano), strings.Join(key, ", "), err)
}

// hidden are the hidden columns of what the step makes.
type hidden struct{ times, weights []int64 }

func assemble(s *arrow.Schema, cols []arrow.Array, h hidden) (*batch.Batch, error) {
	fields := append(slices.Clone(s.Fields()),
		arrow.Field{Name: batch.TimeColumn, Type: int64Type}, arrow.Field{Name: batch.WeightColumn, Type: int64Type})
	for _, x := range [][]int64{h.times, h.weights} {
		cols = append(cols, column.Make(int64Type, arrow.Uint64Traits.CastFromBytes(arrow.Int64Traits.CastToBytes(x)), nil))
	}
	return batch.New(array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, int64(len(h.times))))
}
