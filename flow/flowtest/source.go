package flowtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// pause is the time between two looks at the script, in processing time.
const pause = 2 * time.Millisecond

// Read adds a source that follows the script.
func Read[T any](p *flow.Pipeline, step string, s *Script[T]) flow.Input {
	m, schema, err := s.schema()
	if err != nil {
		p.Errorf(step, "%w", err)
		return flow.Input{}
	}
	return flow.Read(p, step, &source[T]{Script: s, step: step, m: m, spec: flow.SourceSpec{
		Connector: "script", Address: step, Schema: schema, EventTime: s.o.Time != nil, Bounded: s.o.Bounded,
		IdleAfter: s.o.IdleAfter, Discover: pause, Guarantee: "a script",
	}})
}

type source[T any] struct {
	*Script[T]
	step string
	m    *batch.Mapping[T]
	spec flow.SourceSpec
}

// Spec implements flow.Source.
func (s *source[T]) Spec() flow.SourceSpec { return s.spec }

// Partitions gives those that exist at this step of the script.
func (s *source[T]) Partitions(ctx context.Context) ([]flow.Partition, error) {
	h := harnessOf(ctx)
	run := h.state(s.step)
	run.mu.Lock()
	defer run.mu.Unlock()
	s.begin(h, run)
	var out []flow.Partition
	for _, p := range run.parts {
		out = append(out, flow.Partition{ID: p})
	}
	return out, nil
}

// Open starts behind the last committed step.
func (s *source[T]) Open(_ context.Context, a flow.Assignment) (flow.Reader, error) {
	r := &reader[T]{s: s, part: a.ID}
	if len(a.Position) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(a.Position, &r.pos); err != nil {
		return nil, fmt.Errorf("position of script partition %s: %w", a.ID, err)
	}
	return r, nil
}

// begin takes the steps that no partition takes: it must hold the lock.
func (s *source[T]) begin(h *harness, run *state) {
	for run.next < len(s.steps) && !run.crash {
		st := s.steps[run.next]
		first := st.verb == partition && !slices.ContainsFunc(s.steps[:run.next], func(x step[T]) bool { return x.verb != partition })
		if !first && (st.verb != clock && st.verb != partition && st.verb != restart || !run.quiet(h)) {
			return
		}
		run.next++
		switch st.verb {
		case clock:
			h.clock.Advance(st.by)
		case partition:
			run.parts = append(run.parts, st.part)
		case restart:
			run.crash = true
			h.crash()
		}
	}
	if run.next == len(s.steps) {
		h.done(run)
	}
}

// quiet says whether everything that the steps so far have caused is done: it must hold the lock. The engine alone cannot tell,
// since it does not know of a page before it has it.
func (s *state) quiet(h *harness) bool {
	for _, taken := range s.taken {
		if taken {
			return false
		}
	}
	return h.quiet()
}

type reader[T any] struct {
	s    *source[T]
	part string
	pos  int
	up   bool
}

// Close implements flow.Reader.
func (r *reader[T]) Close() error { return nil }

// Read takes the partition's next step if it is due. A step that was taken before a restart is due at once.
func (r *reader[T]) Read(ctx context.Context) (flow.Page, error) {
	s, h := r.s, harnessOf(ctx)
	run := h.state(s.step)
	run.mu.Lock()
	defer run.mu.Unlock()
	run.taken[r.part] = false // it is read again when the engine has what it gave before
	s.begin(h, run)
	page := flow.Page{State: flow.Waiting, Watermark: batch.NoTime, Lag: -1, Pause: pause}
	mine := r.pos
	for mine < len(s.steps) && (s.steps[mine].part != r.part || s.steps[mine].verb == partition) {
		mine++
	}
	var err error
	if mine < len(s.steps) && (mine < run.next || mine == run.next && !run.crash && run.quiet(h)) {
		run.next = max(run.next, mine+1)
		run.taken[r.part] = s.steps[mine].verb != end // behind its end a partition is not read again
		r.pos = mine + 1
		err = r.take(&page, s.steps[mine], mine)
	}
	if page.State == flow.Waiting && r.up {
		page.State = flow.CaughtUp
	}
	if err == nil {
		page.Next, err = json.Marshal(r.pos)
	}
	return page, err
}

func (r *reader[T]) take(page *flow.Page, st step[T], index int) error {
	r.up = st.verb == idle
	switch st.verb {
	case watermark:
		page.Watermark = st.at.UnixMicro()
	case end:
		page.State = flow.End
	case rows:
		return r.rows(page, st.rows, index)
	}
	return nil
}

func (r *reader[T]) rows(page *flow.Page, rs []T, index int) error {
	b, err := batch.NewBuilder(r.s.spec.Schema, batch.BuilderOptions{Time: r.s.spec.EventTime, Offsets: batch.IntOffsets})
	if err != nil {
		return err
	}
	for i := range rs {
		if err := r.s.m.Append(b, &rs[i]); err != nil {
			return fmt.Errorf("script row %d of step %d: %w", i, index, err)
		}
		b.Position(r.part, int64(index)<<20|int64(i), 0)
		if r.s.o.Time != nil {
			b.Time(r.s.o.Time(rs[i]).UnixMicro())
		}
		if err := b.EndRow(); err != nil {
			return fmt.Errorf("script row %d of step %d: %w", i, index, err)
		}
	}
	page.Records = int64(len(rs))
	page.Rows, err = b.Build()
	return err
}
