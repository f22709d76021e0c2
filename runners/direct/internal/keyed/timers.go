package keyed

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"fmt"
	"math"

	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// Never is the time of a timer that does not exist.
const Never = int64(math.MaxInt64)

// Holds is told which timestamps timers hold the output watermark at.
type Holds interface {
	AddHold(ts int64)
	RemoveHold(ts int64)
}

// Timers are the timers of one key group. A timer is named by family, key and tag; setting it again replaces it.
type Timers struct {
	stage *graph.Stage
	byID  map[string]*timer
	event timerHeap
	proc  timerHeap
	name  []byte
}

type timer struct {
	fnio.Timer
	id  string
	due int64 // when it fires
	at  int   // index in its heap, -1 while a bundle that fires it is on its way
}

// NewTimers returns the empty timers of a key group of stage s.
func NewTimers(s *graph.Stage) *Timers {
	return &Timers{stage: s, byID: map[string]*timer{}}
}

// ID returns the timer's name, the same in every run. It is valid until the next call.
func (t *Timers) ID(tm *fnio.Timer) []byte {
	t.name = binary.AppendUvarint(t.name[:0], uint64(len(tm.Family)))
	t.name = append(t.name, tm.Family...)
	t.name = binary.AppendUvarint(t.name, uint64(len(tm.Key)))
	t.name = append(t.name, tm.Key...)
	t.name = append(t.name, tm.Tag...)
	return t.name
}

// ParseID returns the family in a timer's name.
func ParseID(id []byte) (family string, err error) {
	l, n := binary.Uvarint(id)
	if n <= 0 || l > uint64(len(id)-n) {
		return "", fmt.Errorf("timer name %x is malformed", id)
	}
	return string(id[n : n+int(l)]), nil
}

func (t *Timers) heapOf(family string) *timerHeap {
	if t.stage.Timers[family] == pipepb.TimeDomain_PROCESSING_TIME {
		return &t.proc
	}
	return &t.event
}

// Remove deletes a timer if there is one.
func (t *Timers) Remove(tm *fnio.Timer, h Holds) {
	old := t.byID[string(t.ID(tm))]
	if old == nil {
		return
	}
	delete(t.byID, old.id)
	if old.at >= 0 {
		heap.Remove(t.heapOf(old.Family), old.at)
	}
	h.RemoveHold(old.Hold)
}

// Set adds or replaces a timer.
func (t *Timers) Set(tm fnio.Timer, h Holds) {
	t.Remove(&tm, h)
	n := &timer{Timer: tm, id: string(t.ID(&tm)), due: tm.Fire}
	t.byID[n.id] = n
	heap.Push(t.heapOf(tm.Family), n)
	h.AddHold(tm.Hold)
}

// Len is the number of timers.
func (t *Timers) Len() int { return len(t.byID) }

// NextEvent is the earliest fire time of an event-time timer, NextProcessing that of a processing-time timer. Timers
// that a bundle fires at the moment do not count.
func (t *Timers) NextEvent() int64 { return t.event.first() }

// NextProcessing is described at NextEvent.
func (t *Timers) NextProcessing() int64 { return t.proc.first() }

// TakeEvent takes out timers that are due at the watermark, in the order of fire time, key and tag, at most one per
// key: the SDK fires timers that a timer sets by itself when it gets several of one key, even cleared ones.
func (t *Timers) TakeEvent(watermark int64, limit int) []fnio.Timer {
	return t.event.take(watermark, limit)
}

// TakeProcessing is TakeEvent for processing-time timers.
func (t *Timers) TakeProcessing(now int64, limit int) []fnio.Timer {
	return t.proc.take(now, limit)
}

// Expire makes all processing-time timers due at now, for once: those set later have their own times. It reports
// whether there is any.
func (t *Timers) Expire(now int64) bool {
	for _, tm := range t.proc {
		tm.due = min(tm.due, now)
	}
	heap.Init(&t.proc)
	return len(t.proc) > 0
}

// Return puts back timers that were taken and did not fire.
func (t *Timers) Return(taken []fnio.Timer) {
	for i := range taken {
		if tm := t.byID[string(t.ID(&taken[i]))]; tm != nil && tm.at < 0 {
			heap.Push(t.heapOf(tm.Family), tm)
		}
	}
}

// timerHeap is a heap.Interface in firing order.
type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.due != b.due {
		return a.due < b.due
	}
	if c := bytes.Compare(a.Key, b.Key); c != 0 {
		return c < 0
	}
	return a.Tag < b.Tag
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.at = len(*h)
	*h = append(*h, t)
}

// Pop implements heap.Interface.
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.at = -1
	return t
}

func (h timerHeap) first() int64 {
	if len(h) == 0 {
		return Never
	}
	return h[0].due
}

func (h *timerHeap) take(now int64, limit int) []fnio.Timer {
	var out []fnio.Timer
	keys := map[string]bool{}
	for len(out) < limit && h.first() <= now && !keys[string((*h)[0].Key)] {
		t := heap.Pop(h).(*timer)
		keys[string(t.Key)] = true
		out = append(out, t.Timer)
	}
	return out
}
