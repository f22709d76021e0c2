// Package wm computes the watermarks of a graph of stages. It knows no clock and does no IO.
//
//	                 pending elements of the stage          holds of the stage
//	                            |                                   |
//	output of producers -- min -+-> input watermark --- min --------+-> output watermark -> consumers
//
// The input watermark of a stage is the least of its producers' output watermarks and of the timestamps of the elements that
// are queued for it or in flight in it. Its output watermark is the least of its input watermark and of its holds: those of
// timers, of residuals and of bundles in flight. A stage without producers has nothing before it, so that only its own
// elements and holds keep it back.
//
// A published watermark never goes back. An element that is older than the published watermark of its stage is late: it
// keeps the watermark where it is, not below.
//
// Times are milliseconds since 1970, as Beam counts event time.
package wm

import (
	"fmt"
	"math"
)

// Min is the watermark of a stage of which nothing is known, Max that of a stage to which nothing will come any more.
const (
	Min int64 = math.MinInt64 / 1000
	Max int64 = math.MaxInt64 / 1000
)

// Value is the pair of published watermarks of a stage.
type Value struct{ Input, Output int64 }

// Tracker holds the watermarks of one graph. It is not safe for concurrent use.
type Tracker struct {
	stages []*Stage // producers before consumers
	byID   map[string]*Stage
}

// New returns a tracker without stages.
func New() *Tracker { return &Tracker{byID: map[string]*Stage{}} }

// Stage is one stage of the graph. An element belongs in Pending from the commit that enqueues it to the commit that
// consumes it. What changes together, such as an element consumed and the elements it became, must be changed between two
// calls of Advance.
type Stage struct {
	Pending Times // timestamps of the elements that are queued or in flight
	Holds   Times // times that the output watermark must not pass

	id        string
	now       Value
	dirty     bool
	producers []*Stage
	consumers []*Stage
}

// ID returns the name under which the stage was added.
func (s *Stage) ID() string { return s.id }

// Input returns the published input watermark.
func (s *Stage) Input() int64 { return s.now.Input }

// Output returns the published output watermark.
func (s *Stage) Output() int64 { return s.now.Output }

// AddStage adds a stage that consumes what the producers emit. They must have been added before. Its watermarks are Min
// until the next Advance.
func (t *Tracker) AddStage(id string, producers ...string) (*Stage, error) {
	if t.byID[id] != nil {
		return nil, fmt.Errorf("watermarks: stage %q is added twice", id)
	}
	s := &Stage{id: id, now: Value{Min, Min}, dirty: true}
	for _, p := range producers {
		producer := t.byID[p]
		if producer == nil {
			return nil, fmt.Errorf("watermarks: stage %q: producer %q is unknown; add producers before their consumers", id, p)
		}
		s.producers = append(s.producers, producer)
	}
	for _, p := range s.producers {
		p.consumers = append(p.consumers, s)
	}
	s.Pending, s.Holds = newTimes(s), newTimes(s)
	t.stages = append(t.stages, s)
	t.byID[id] = s
	return s, nil
}

// Stage returns the stage with that name, nil if there is none.
func (t *Tracker) Stage(id string) *Stage { return t.byID[id] }

// Advance publishes the watermarks that follow from all changes since the last call and returns the stages of which one has
// moved, producers before consumers.
func (t *Tracker) Advance() []*Stage {
	var changed []*Stage
	for _, s := range t.stages {
		if !s.dirty {
			continue
		}
		s.dirty = false
		next := s.next()
		if next == s.now {
			continue
		}
		if next.Output != s.now.Output {
			for _, c := range s.consumers {
				c.dirty = true
			}
		}
		s.now = next
		changed = append(changed, s)
	}
	return changed
}

func (s *Stage) next() Value {
	// Guarantee 9: the least of all that is still to come, and never less than was published.
	in := min(Max, s.Pending.Min())
	for _, p := range s.producers {
		in = min(in, p.now.Output)
	}
	in = max(in, s.now.Input)
	return Value{Input: in, Output: max(min(in, s.Holds.Min()), s.now.Output)}
}

// Values returns the published watermarks of all stages by name, for Restore.
func (t *Tracker) Values() map[string]Value {
	m := make(map[string]Value, len(t.stages))
	for _, s := range t.stages {
		m[s.id] = s.now
	}
	return m
}

// Restore raises the watermarks to those that were published before a restart, below which they must not start. Elements
// and holds that were there at that moment must be added too, before or after.
func (t *Tracker) Restore(values map[string]Value) error {
	for id, v := range values {
		s := t.byID[id]
		if s == nil {
			return fmt.Errorf("watermarks: the saved state has a stage %q that the pipeline has not", id)
		}
		s.now = Value{Input: max(v.Input, s.now.Input), Output: max(v.Output, s.now.Output)}
		s.dirty = true
		for _, c := range s.consumers {
			c.dirty = true
		}
	}
	return nil
}
