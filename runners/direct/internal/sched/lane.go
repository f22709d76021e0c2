package sched

import (
	"container/heap"
	"fmt"
	"math"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/keyed"
	"github.com/millrace-io/millrace/runners/direct/internal/wm"
)

const never = int64(math.MaxInt64)

// stage is a stage of the graph with its work.
type stage struct {
	*graph.Stage
	e     *Engine
	pool  *fnio.Pool
	mark  *wm.Stage
	lanes []*lane // by key group; nil for stages without
	ready queue[*lane]

	elements, bytes int64    // queued
	unmet           int64    // restored restrictions that this run has not worked on
	bundles, taken  int64    // since the start of the run
	stored          wm.Value // watermarks in the store
}

// AddHold implements keyed.Holds.
func (s *stage) AddHold(ts int64) { s.mark.Holds.Add(ts) }

// RemoveHold implements keyed.Holds.
func (s *stage) RemoveHold(ts int64) { s.e.must(s.mark.Holds.Remove(ts)) }

// lane is a queue of which at most one bundle at a time is taken: a key group, one restriction of a source, or one
// chunk of a stage whose elements are independent.
type lane struct {
	st       *stage
	group    uint16
	items    queue[item]
	busy     bool
	ready    bool // stands in st.ready
	attempts int

	state  *keyed.State  // stages with state
	timers *keyed.Timers // stages with timers
}

func (l *lane) where() string {
	if l.st.Sharded() {
		return fmt.Sprintf(" (key group %d)", l.group)
	}
	return ""
}

// item is a chunk of elements that one bundle put into a queue.
type item struct {
	seq    uint64 // bundle that wrote it
	idx    uint32 // number within the bundle
	n      uint32 // elements
	ts     int64  // lowest timestamp; of a restriction: the hold
	notBef int64  // processing time at which a restriction may go on, as stored
	wait   int64  // the same; none after a restart, since a pause ends with its process
	size   int
	data   []byte // nil: only in the store
	unmet  bool   // counted in the stage's unmet
}

func (e *Engine) addStages() error {
	for _, gs := range e.cfg.Graph.Stages {
		pool, err := fnio.NewPool(gs)
		if err != nil {
			return err
		}
		s := &stage{Stage: gs, e: e, pool: pool}
		if gs.Sharded() {
			s.lanes = make([]*lane, graph.KeyGroups)
		}
		if len(gs.Timers) > 0 {
			e.timed = append(e.timed, s)
		}
		if gs.Kind == graph.Source {
			e.reads = append(e.reads, s)
		}
		e.stages = append(e.stages, s)
		producers := make([]string, 0, len(gs.Producers))
		for _, p := range gs.Producers {
			producers = append(producers, p.Name)
		}
		if s.mark, err = e.marks.AddStage(gs.Name, producers...); err != nil {
			return err
		}
		e.byMark[s.mark] = s
	}
	return nil
}

// lane returns the lane for an item of key group g.
func (s *stage) lane(g uint16) *lane {
	if s.lanes == nil {
		return &lane{st: s}
	}
	if l := s.lanes[g]; l != nil {
		return l
	}
	l := &lane{st: s, group: g}
	if len(s.State) > 0 {
		l.state = keyed.NewState(s.e.cfg.Store, stageKey(kindState, s.ID, g), s.State)
	}
	if len(s.Timers) > 0 {
		l.timers = keyed.NewTimers(s.Stage)
	}
	s.lanes[g] = l
	return l
}

// enqueue adds an item and returns its lane. Watermarks are the caller's.
func (s *stage) enqueue(g uint16, it item) *lane {
	l := s.lane(g)
	e := s.e
	s.elements += int64(it.n)
	s.bytes += int64(it.size)
	if s.Kind == graph.Source {
		e.sources++
	} else {
		e.backlog += int64(it.size)
		if it.data != nil && e.resident+int64(it.size) > e.cfg.Memory/4 {
			it.data = nil
		}
		if it.data != nil {
			e.resident += int64(it.size)
		}
	}
	l.items.push(it)
	return l
}

// consumed takes the first n items out of the lane.
func (e *Engine) consumed(l *lane, n int) {
	for range n {
		it := l.items.pop()
		l.st.elements -= int64(it.n)
		l.st.bytes -= int64(it.size)
		if l.st.Kind == graph.Source {
			e.sources--
			continue
		}
		e.backlog -= int64(it.size)
		if it.data != nil {
			e.resident -= int64(it.size)
		}
	}
}

// offer makes the lane ready if it has something to do now, and remembers when it will have.
func (e *Engine) offer(l *lane) {
	if l.busy || l.ready {
		return
	}
	now := e.now()
	switch {
	case l.timers != nil && (l.timers.NextEvent() <= l.st.mark.Input() || l.timers.NextProcessing() <= now):
	case l.items.len() == 0:
		return
	case l.items.at(0).wait > now:
		heap.Push(&e.delayed, l)
		e.wakeAt(l.items.at(0).wait)
		return
	}
	l.ready = true
	l.st.ready.push(l)
}

// delayHeap holds restrictions that wait, the first to go on first.
type delayHeap []*lane

func (h delayHeap) Len() int           { return len(h) }
func (h delayHeap) Less(i, j int) bool { return h[i].items.at(0).wait < h[j].items.at(0).wait }
func (h delayHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *delayHeap) Push(x any) { *h = append(*h, x.(*lane)) }

// Pop implements heap.Interface.
func (h *delayHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}

// queue is a FIFO on a slice.
type queue[T any] struct {
	buf  []T
	head int
}

func (q *queue[T]) len() int    { return len(q.buf) - q.head }
func (q *queue[T]) at(i int) *T { return &q.buf[q.head+i] }
func (q *queue[T]) push(v T)    { q.buf = append(q.buf, v) }

func (q *queue[T]) pop() T {
	var zero T
	v := q.buf[q.head]
	q.buf[q.head] = zero
	q.head++
	if q.head == len(q.buf) {
		q.buf, q.head = q.buf[:0], 0
	} else if q.head > 32 && q.head > len(q.buf)/2 {
		n := copy(q.buf, q.buf[q.head:])
		clear(q.buf[n:])
		q.buf, q.head = q.buf[:n], 0
	}
	return v
}

func (q *queue[T]) pushFront(v T) {
	if q.head > 0 {
		q.head--
		q.buf[q.head] = v
		return
	}
	q.buf = append([]T{v}, q.buf...)
}
