package sched

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// timersPerBundle bounds how many timers one bundle fires.
const timersPerBundle = 1000

// work is a bundle on its way.
type work struct {
	lane  *lane
	seq   uint64
	items []item // of the head of the lane, where they stay until the commit is durable
	fired []fnio.Timer
	b     fnio.Bundle
	out   outputs
	mark  int64 // the stage's input watermark when it was taken
	loud  bool  // counted in unsettled
}

// next waits for work. It returns nil when the run is over.
func (e *Engine) next() *work {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if e.err != nil || e.done {
			return nil
		}
		e.tick()
		if w := e.pick(); w != nil {
			return w
		}
		if e.inflight == 0 && e.settle() {
			continue
		}
		if e.done {
			e.cond.Broadcast()
			return nil
		}
		e.cond.Wait()
	}
}

// pick takes work from the deepest stage that has any, and from the sources in turn if no other has. Sources rest while
// too much is queued, or too much, all of it in memory, is on its way into the store.
func (e *Engine) pick() *work {
	for i := len(e.stages) - 1; i >= 0; i-- {
		if s := e.stages[i]; s.ready.len() > 0 && s.Kind != graph.Source {
			return e.take(s)
		}
	}
	if e.stopping || e.backlog+e.coming > e.cfg.Memory/2 || e.coming > e.cfg.Memory/8 {
		return nil
	}
	for range e.reads {
		s := e.reads[e.turn]
		e.turn = (e.turn + 1) % len(e.reads)
		if s.ready.len() > 0 {
			return e.take(s)
		}
	}
	return nil
}

// take makes the first ready lane of s busy with timers that are due, or else with the elements at its head.
func (e *Engine) take(s *stage) *work {
	l := s.ready.pop()
	l.busy, l.ready = true, false
	s.bundles++
	e.seq++
	e.inflight++
	w := &work{lane: l, seq: e.seq, mark: l.st.mark.Input()}
	if l.st.Kind != graph.Source {
		e.unsettle(w)
	}
	if l.timers != nil {
		w.fired = l.timers.TakeEvent(l.st.mark.Input(), timersPerBundle)
		if len(w.fired) == 0 {
			w.fired = l.timers.TakeProcessing(e.now(), timersPerBundle)
		}
		if len(w.fired) > 0 {
			return w
		}
	}
	bytes, elements := 0, 0
	for i := 0; i < l.items.len() && bytes < e.cfg.BundleBytes && elements < e.cfg.BundleElements; i++ {
		it := *l.items.at(i)
		w.items = append(w.items, it)
		bytes += it.size
		elements += int(it.n)
	}
	l.st.taken += int64(elements)
	return w
}

// settle decides what happens when nothing runs and only sources could: nothing, as long as they may go on; at the end
// of the input or of a stopped run the pending processing-time timers fire, stage after stage; then the run is done.
func (e *Engine) settle() bool {
	ended := e.sources == 0
	if !ended && !e.stopping {
		return false
	}
	if ended || e.cfg.FireOnStop {
		for e.flushed < len(e.stages) {
			s := e.stages[e.flushed]
			e.flushed++
			if e.expire(s) {
				return true
			}
		}
	}
	if ended {
		e.must(e.leftover())
	}
	e.done = true
	return false
}

// leftover says what a run that has read its sources to the end has not processed: nothing, unless the engine is at fault.
func (e *Engine) leftover() error {
	for _, s := range e.stages {
		timers := 0
		for _, l := range s.lanes {
			if l != nil && l.timers != nil && l.timers.NextEvent() != never {
				timers++
			}
		}
		if s.elements > 0 || timers > 0 {
			return fmt.Errorf("the sources have ended, but step %q has %d elements queued and event-time timers in %d key groups; its watermark is %d",
				s.Name, s.elements, timers, s.mark.Input())
		}
	}
	return nil
}

// expire makes the processing-time timers of s due, each once.
func (e *Engine) expire(s *stage) bool {
	found := false
	for _, l := range s.lanes {
		if l != nil && l.timers != nil && l.timers.Expire(e.now()) {
			e.offer(l)
			found = true
		}
	}
	return found
}

func (e *Engine) now() int64 { return e.cfg.Clock.Now().UnixMilli() }

// tick offers what has become due by the clock.
func (e *Engine) tick() {
	now := e.now()
	if now < e.wake && !e.alarm {
		return
	}
	e.wake, e.alarm = never, false
	for len(e.delayed) > 0 && e.delayed[0].items.at(0).wait <= now {
		e.offer(heap.Pop(&e.delayed).(*lane))
	}
	if len(e.delayed) > 0 {
		e.wakeAt(e.delayed[0].items.at(0).wait)
	}
	for _, s := range e.timed {
		for _, l := range s.lanes {
			if l == nil {
				continue
			}
			if next := l.timers.NextProcessing(); next > now {
				e.wakeAt(next)
			} else {
				e.offer(l)
			}
		}
	}
}

// wakeAt makes sure that the workers look again at processing time t.
func (e *Engine) wakeAt(t int64) {
	if t >= e.wake {
		return
	}
	e.wake = t
	if e.stopTimer != nil {
		e.stopTimer()
	}
	d := time.Duration(max(t-e.now(), 0)) * time.Millisecond
	e.stopTimer = e.cfg.Clock.AfterFunc(d, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.alarm = true
		e.cond.Broadcast()
	})
}

func (e *Engine) disarm() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopTimer != nil {
		e.stopTimer()
	}
}
