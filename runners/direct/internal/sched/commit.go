package sched

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
	"github.com/millrace-io/millrace/runners/direct/internal/wm"
)

// handed is a bundle whose batch the store has.
type handed struct {
	w       *work
	outs    []queued
	rest    []queued
	bytes   int64 // of outs
	durable *store.Pending
}

// queued is an item for a queue.
type queued struct {
	st    *stage
	group uint16
	it    item
}

// handOff gives the bundle's effects to the store as one batch and returns without waiting for it.
func (e *Engine) handOff(w *work) {
	e.met(w)
	if w.idle() {
		e.rest(w)
		return
	}
	var b store.Batch
	h := handed{w: w}
	e.writeBundle(&b, &h)

	e.commitMu.Lock()
	defer e.commitMu.Unlock()
	if e.failed() {
		return
	}
	e.commits++
	if e.cfg.BeforeCommit != nil {
		if err := e.cfg.BeforeCommit(e.commits); err != nil {
			e.fail(fmt.Errorf("before commit %d: %w", e.commits, err))
			return
		}
	}
	for c, v := range w.b.Counters {
		e.counters[c] += v
		b.Set(counterKey(c), binary.BigEndian.AppendUint64(nil, uint64(e.counters[c])))
	}
	e.writeMarks(&b)
	// Guarantee 6: all of the bundle is in this one batch.
	h.durable = e.cfg.Store.Commit(&b)
	e.runAhead(&h)
	e.pending <- h
}

// idle says whether the bundle is that of a restriction that had nothing to give and stands where it stood: there is nothing
// to be stored.
func (w *work) idle() bool {
	if w.lane.st.Kind != graph.Source || len(w.items) != 1 || len(w.out.chunks) > 0 || len(w.b.Residuals) != 1 {
		return false
	}
	for _, v := range w.b.Counters {
		if v != 0 {
			return false
		}
	}
	r := w.b.Residuals[0]
	return r.Hold == w.items[0].ts && bytes.Equal(r.Elem, w.items[0].data)
}

// rest lets the restriction of an idle bundle wait where it is.
func (e *Engine) rest(w *work) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := w.lane
	l.items.at(0).wait = e.cfg.Clock.Now().Add(w.b.Residuals[0].Delay).UnixMilli()
	l.busy, l.attempts = false, 0
	e.settled(w)
	e.offer(l)
	e.cond.Broadcast()
}

// writeBundle puts into b what the bundle took and what it made.
func (e *Engine) writeBundle(b *store.Batch, h *handed) {
	w, l := h.w, h.w.lane
	for i := range w.items {
		b.Delete(itemKey(l.st.ID, l.group, &w.items[i]))
	}
	for i := range w.fired {
		b.Delete(e.timerKey(l, &w.fired[i]))
	}
	for i := range w.b.Timers {
		t := &w.b.Timers[i]
		if t.Clear {
			b.Delete(e.timerKey(l, t))
		} else {
			b.Set(e.timerKey(l, t), t.Record)
		}
	}
	idx := uint32(0)
	put := func(st *stage, group uint16, it item) queued {
		it.seq, it.idx, it.size = w.seq, idx, len(it.data)
		idx++
		b.Set(itemKey(st.ID, group, &it), it.data)
		return queued{st, group, it}
	}
	for _, c := range w.out.chunks {
		q := put(c.st, c.group, item{n: c.n, ts: c.ts, data: c.seal()})
		h.bytes += int64(q.it.size)
		h.outs = append(h.outs, q)
	}
	for _, r := range w.b.Residuals {
		it := item{n: 1, ts: r.Hold, data: r.Elem}
		if r.Delay > 0 {
			it.notBef = e.cfg.Clock.Now().Add(r.Delay).UnixMilli()
			it.wait = it.notBef
		}
		h.rest = append(h.rest, put(l.st, 0, it))
	}
	if l.state != nil {
		l.state.Flush(b, w.seq)
	}
}

// writeMarks adds the bundle number and the watermarks that have changed since they were last written.
func (e *Engine) writeMarks(b *store.Batch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b.Set([]byte{kindMeta, metaSeq}, binary.BigEndian.AppendUint64(nil, e.seq))
	for _, s := range e.stages {
		now := wm.Value{Input: s.mark.Input(), Output: s.mark.Output()}
		if now == s.stored {
			continue
		}
		s.stored = now
		v := binary.BigEndian.AppendUint64(nil, uint64(now.Input))
		b.Set(stageKey(kindMark, s.ID, 0), binary.BigEndian.AppendUint64(v, uint64(now.Output)))
	}
}

// runAhead lets the rest of a restriction go on: its next bundle commits after this one.
func (e *Engine) runAhead(h *handed) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.coming += h.bytes
	if len(h.rest) != 1 || h.rest[0].it.ts != h.w.items[0].ts {
		e.unsettle(h.w)
	}
	if len(h.rest) == 0 {
		return
	}
	for _, q := range h.rest {
		e.offer(q.st.enqueue(q.group, q.it))
	}
	e.cond.Broadcast()
}

// publisher makes bundles visible in the order of their commits.
func (e *Engine) publisher() {
	for h := range e.pending {
		if err := h.durable.Wait(); err != nil {
			e.fail(fmt.Errorf("commit: %w", err))
			continue
		}
		e.publish(&h)
	}
}

func (e *Engine) publish(h *handed) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := h.w.lane
	for i := range h.w.items {
		e.unmark(l.st, &h.w.items[i])
	}
	e.consumed(l, len(h.w.items))
	e.coming -= h.bytes
	for _, q := range h.rest {
		e.mark(q.st, &q.it)
	}
	fed := make([]*lane, 0, len(h.outs))
	for _, q := range h.outs {
		e.mark(q.st, &q.it)
		fed = append(fed, q.st.enqueue(q.group, q.it))
	}
	for i := range h.w.fired {
		l.timers.Remove(&h.w.fired[i], l.st)
	}
	e.setTimers(l, h.w.b.Timers)
	l.busy, l.attempts = false, 0
	e.settled(h.w)
	changed := e.marks.Advance()
	e.offer(l)
	for _, f := range fed {
		e.offer(f)
	}
	for _, m := range changed {
		e.offerTimers(e.byMark[m])
	}
	e.cond.Broadcast()
}

func (e *Engine) setTimers(l *lane, ts []fnio.Timer) {
	for _, t := range ts {
		if t.Clear {
			l.timers.Remove(&t, l.st)
		} else {
			l.timers.Set(t, l.st)
		}
	}
	if len(ts) > 0 {
		e.wakeAt(l.timers.NextProcessing())
	}
}

// offerTimers offers the lanes whose event-time timers have become due.
func (e *Engine) offerTimers(s *stage) {
	if len(s.Timers) == 0 {
		return
	}
	for _, l := range s.lanes {
		if l != nil && l.timers.NextEvent() <= s.mark.Input() {
			e.offer(l)
		}
	}
}

// mark lets a queued item bound watermarks. The hold of a restriction bounds the output alone, so that what it was made
// from does not hold it back.
func (e *Engine) mark(s *stage, it *item) {
	if s.Kind == graph.Source {
		s.mark.Holds.Add(it.ts)
		return
	}
	s.mark.Pending.Add(it.ts)
}

func (e *Engine) unmark(s *stage, it *item) {
	if s.Kind == graph.Source {
		e.must(s.mark.Holds.Remove(it.ts))
		return
	}
	e.must(s.mark.Pending.Remove(it.ts))
}

// must ends the run if the books of the watermarks do not balance.
func (e *Engine) must(err error) {
	if err != nil && e.err == nil {
		e.err = fmt.Errorf("engine fault: %w", err)
		e.cancel()
	}
}
