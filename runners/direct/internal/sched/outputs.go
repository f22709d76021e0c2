package sched

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// keepBytes is the size from which an element is queued in the buffer that the SDK encoded it into, without a copy.
const keepBytes = 32 << 10

// outputs collects what a bundle emits: for every consumer and key group, chunks of whole elements.
type outputs struct {
	e      *Engine
	w      *work
	open   [][]*chunk // by stage and key group
	chunks []*chunk   // in order of their first element
}

// chunk becomes one item of a queue.
type chunk struct {
	st    *stage
	group uint16
	n     uint32
	ts    int64
	data  []byte
	lens  []uint32 // of the elements, for Group stages
	kept  bool     // data is the buffer of one large element
}

// Emit implements fnio.Output.
func (o *outputs) Emit(sink *graph.Sink, elem []byte) error {
	ts, value, err := fnio.Header(elem)
	if err != nil {
		return err
	}
	for _, c := range sink.Consumers {
		var group uint16
		if c.Sharded() {
			n := c.Key(elem[value:])
			if n < 0 {
				return fnio.ErrWire
			}
			group = uint16(xxh3.Hash(elem[value:value+n]) % graph.KeyGroups)
		}
		o.add(o.e.stages[c.Index], group, ts, elem)
	}
	return nil
}

func (o *outputs) add(st *stage, group uint16, ts int64, elem []byte) {
	c := o.chunkFor(st, group, len(elem))
	if c.n == 0 && len(elem) >= keepBytes {
		c.data, c.kept = elem, true
	} else {
		c.data = append(c.data, elem...)
	}
	if st.Kind == graph.Group {
		c.lens = append(c.lens, uint32(len(elem)))
	}
	c.ts = min(c.ts, ts)
	c.n++
}

// chunkFor returns the chunk that takes size bytes more. A restriction is always a chunk of its own.
func (o *outputs) chunkFor(st *stage, group uint16, size int) *chunk {
	if o.open == nil {
		o.open = make([][]*chunk, len(o.e.stages))
		o.e.emits(o.w)
	}
	if o.open[st.Index] == nil {
		o.open[st.Index] = make([]*chunk, max(1, len(st.lanes)))
	}
	c := o.open[st.Index][group]
	full := c == nil || c.kept || size >= keepBytes || st.Kind == graph.Source ||
		len(c.data)+size > o.e.cfg.BundleBytes || int(c.n) >= o.e.cfg.BundleElements
	if full {
		c = &chunk{st: st, group: group, ts: never}
		o.open[st.Index][group] = c
		o.chunks = append(o.chunks, c)
	}
	return c
}

// seal returns the bytes that are queued. Chunks for Group stages that hold several elements end in their lengths.
func (c *chunk) seal() []byte {
	if c.n > 1 {
		for _, l := range c.lens {
			c.data = binary.BigEndian.AppendUint32(c.data, l)
		}
	}
	c.lens = nil
	return c.data
}
