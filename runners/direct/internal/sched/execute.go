package sched

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// execute runs the bundle. All its effects are in w.
func (e *Engine) execute(ctx context.Context, w *work) error {
	st := w.lane.st
	w.b = fnio.Bundle{ID: strconv.FormatUint(w.seq, 10), Out: &w.out}
	w.out = outputs{e: e, w: w}
	if w.lane.state != nil {
		w.b.State = w.lane.state
	}
	if st.Kind == graph.Group {
		if err := e.group(w); err != nil {
			return err
		}
	} else {
		for i := range w.items {
			data, err := e.payload(w.lane, &w.items[i])
			if err != nil {
				return err
			}
			w.b.Elements(data)
		}
	}
	for _, t := range w.fired {
		w.b.Timer(st.Root(), t)
	}
	return st.pool.Run(flow.WithWatermark(ctx, w.mark), &w.b)
}

// payload returns the bytes of a queued item.
func (e *Engine) payload(l *lane, it *item) ([]byte, error) {
	if it.data != nil {
		return it.data, nil
	}
	key := itemKey(l.st.ID, l.group, it)
	data, ok, err := e.cfg.Store.Get(key)
	if err != nil {
		return nil, fmt.Errorf("queued elements: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("queued elements: %x is not in the store", key)
	}
	return data, nil
}

// group feeds a Group stage: one element per key, its values in order of arrival. Its timestamp is the end of the
// global window, as Beam's default timestamp combiner has it; the pane carries no index.
func (e *Engine) group(w *work) error {
	type values struct {
		key  []byte
		list [][]byte
		size int
	}
	var order []*values
	byKey := map[string]*values{}
	each := func(elem []byte) error {
		_, o, err := fnio.Header(elem)
		if err != nil {
			return err
		}
		k := w.lane.st.Key(elem[o:])
		if k < 0 {
			return fnio.ErrWire
		}
		v := byKey[string(elem[o:o+k])]
		if v == nil {
			v = &values{key: elem[o : o+k]}
			byKey[string(v.key)] = v
			order = append(order, v)
		}
		v.list = append(v.list, elem[o+k:])
		v.size += len(elem) - o - k
		return nil
	}
	for i := range w.items {
		data, err := e.payload(w.lane, &w.items[i])
		if err != nil {
			return err
		}
		if err := split(data, int(w.items[i].n), each); err != nil {
			return err
		}
	}
	for _, v := range order {
		b := fnio.AppendHeader(make([]byte, 0, 17+len(v.key)+v.size), int64(mtime.EndOfGlobalWindowTime))
		b = append(b, v.key...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(v.list)))
		for _, x := range v.list {
			b = append(b, x...)
		}
		w.b.Elements(b)
	}
	return nil
}

// split calls f for the n elements of a sealed chunk.
func split(data []byte, n int, f func([]byte) error) error {
	if n == 1 {
		return f(data)
	}
	lens := len(data) - 4*n
	if lens < 0 {
		return fnio.ErrWire
	}
	o := 0
	for i := range n {
		l := int(binary.BigEndian.Uint32(data[lens+4*i:]))
		if l > lens-o {
			return fnio.ErrWire
		}
		if err := f(data[o : o+l]); err != nil {
			return err
		}
		o += l
	}
	return nil
}
