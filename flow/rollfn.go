package flow

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/timers"
	"github.com/millrace-io/millrace/flow/commit"
)

// rollFn gathers what is staged for a sink and cuts commits. Its log is a snapshot of the roll and the staged elements
// since; a cut replaces it by a new snapshot.
type rollFn struct {
	P    string                `json:"p"`
	Step string                `json:"step"`
	Head state.Value[[]byte]   `json:"head"`
	Log  state.Bag[[]byte]     `json:"log"`
	End  timers.EventTime      `json:"end"`
	Age  timers.ProcessingTime `json:"age"`

	held map[string]indexed[*commit.Roll]
}

func newRollFn(sp stepPayload) *rollFn {
	return &rollFn{
		P: sp.P, Step: sp.Step,
		Head: state.MakeValueState[[]byte]("head"), Log: state.MakeBagState[[]byte]("log"),
		End: timers.InEventTime("end"), Age: timers.InProcessingTime("age"),
	}
}

// rollCall is one call of rollFn.
type rollCall struct {
	sp   state.Provider
	tp   timers.Provider
	key  string
	emit emitString
}

// StartBundle forgets what a bundle that failed has left.
func (f *rollFn) StartBundle(context.Context, emitString) error {
	f.held = map[string]indexed[*commit.Roll]{}
	return nil
}

// ProcessElement takes what a bundle has staged; an empty element is the seed.
func (f *rollFn) ProcessElement(ctx context.Context, sp state.Provider, tp timers.Provider, key string, staged []byte, emit emitString) error {
	return f.call(ctx, rollCall{sp, tp, key, emit}, func(r *roll) error {
		if len(staged) == 0 {
			f.End.Set(tp, goTime(END), timers.WithOutputTimestamp(goTime(END)))
			return nil
		}
		st, err := commit.DecodeStaged(staged)
		if err != nil {
			return err
		}
		if err := r.Add(st, r.now); err != nil {
			return err
		}
		r.log = append(r.log, rollEntry(r.now, staged))
		r.cutDue(r.Due(r.now))
		return nil
	})
}

// OnTimer cuts what has its age, and at END everything.
func (f *rollFn) OnTimer(ctx context.Context, _ beam.EventTime, sp state.Provider, tp timers.Provider, key string, t timers.Context, emit emitString) error {
	return f.call(ctx, rollCall{sp, tp, key, emit}, func(r *roll) error {
		r.fired = t.Family == f.Age.Family
		switch {
		case t.Family == f.End.Family:
			r.cut(nil, true)
		case r.stopping:
			r.cutDue(r.Dests())
		default:
			r.cutDue(r.Due(r.now))
		}
		return nil
	})
}

// FinishBundle gives the roll back to the process.
func (f *rollFn) FinishBundle(ctx context.Context, _ emitString) error {
	if len(f.held) == 0 {
		return nil
	}
	g, _, err := stepOf[*sink](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	for _, e := range f.held {
		g.sinks.of(f.Step).rolls.put(f.Step, e)
	}
	f.held = nil
	return nil
}

// roll is a sink's roll and what one call does to it.
type roll struct {
	*commit.Roll
	now      int64
	stopping bool
	fired    bool // the age timer is not pending any more
	log      [][]byte
	cuts     []commit.Commit
	orphans  *orphans
}

func (r *roll) cutDue(dests []string) {
	if len(dests) > 0 {
		r.cut(dests, false)
	}
}

func (r *roll) cut(dests []string, end bool) {
	if c, ok := r.Cut(dests, commit.CutOptions{NewID: commit.NewID, End: end}); ok {
		r.cuts = append(r.cuts, c)
		r.orphans.cut(c, r.Pieces())
	}
}

func (f *rollFn) call(ctx context.Context, c rollCall, do func(*roll) error) error {
	sp := stepPayload{f.P, f.Step}
	g, _, err := stepOf[*sink](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	st := logged{f.Head, f.Log}
	h, ok, err := st.load(c.sp)
	if err != nil {
		return sp.fail("read the roll's state", err)
	}
	r := roll{now: g.now().UnixMilli(), stopping: g.control.Stopping(), orphans: &g.sinks.of(f.Step).orphans}
	if r.Roll, err = f.restore(g, c, stored{h, ok}); err != nil {
		return sp.fail("restore the roll", err)
	}
	if err := do(&r); err != nil {
		return sp.fail("roll", err)
	}
	ch := change{head: &h, append: r.log}
	for _, cm := range r.cuts {
		data, err := cm.Encode()
		if err != nil {
			return sp.fail("encode a commit", err)
		}
		c.emit(minTime, sp.key(), data)
		ch.rewrite = true
	}
	if ch.rewrite || !ok {
		ch.rewrite, ch.append = true, [][]byte{rollEntry(0, r.Encode())}
	}
	if r.fired {
		h.timers = nil
	}
	f.setAge(c.tp, r.Roll, &h)
	if err := st.store(c.sp, ch); err != nil {
		return sp.fail("write the roll's state", err)
	}
	f.held[c.key] = indexed[*commit.Roll]{nonce: h.nonce, index: r.Roll}
	return nil
}

// setAge sets the processing-time timer for the next destination that is due by its age.
func (f *rollFn) setAge(tp timers.Provider, r *commit.Roll, h *head) {
	var want []int64
	if at, ok := r.NextDeadline(); ok {
		want = []int64{at}
	}
	switch {
	case len(want) > 0 && (len(h.timers) == 0 || h.timers[0] != want[0]):
		f.Age.Set(tp, time.UnixMilli(want[0]), timers.WithNoOutputTimestamp())
	case len(want) == 0 && len(h.timers) > 0:
		f.Age.Clear(tp)
	}
	h.timers = want
}

func (f *rollFn) restore(g *Graph, c rollCall, h stored) (*commit.Roll, error) {
	s := g.sinks.of(f.Step)
	if e, ok := f.held[c.key]; ok && e.nonce == h.nonce {
		return e.index, nil
	}
	if !h.ok {
		return commit.NewRoll(s.roll), nil
	}
	if r, ok := s.rolls.take(f.Step, h.nonce); ok {
		return r, nil
	}
	st := logged{f.Head, f.Log}
	log, err := st.entries(c.sp, h.head)
	if err != nil {
		return nil, err
	}
	var r *commit.Roll
	for i, e := range log {
		now, body, err := splitRollEntry(e)
		switch {
		case err != nil:
		case i == 0:
			r, err = commit.DecodeRoll(body, s.roll)
		default:
			var staged commit.Staged
			if staged, err = commit.DecodeStaged(body); err == nil {
				err = r.Add(staged, now)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if r == nil {
		return nil, errDamaged
	}
	return r, nil
}

func rollEntry(now int64, body []byte) []byte {
	return append(binary.AppendVarint(nil, now), body...)
}

func splitRollEntry(e []byte) (now int64, body []byte, err error) {
	now, n := binary.Varint(e)
	if n <= 0 {
		return 0, nil, errDamaged
	}
	return now, e[n:], nil
}
