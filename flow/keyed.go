package flow

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/timers"
	"github.com/millrace-io/millrace/batch"
)

// errNothing says that a call has changed nothing.
var errNothing = errors.New("nothing to do")

// nearTimers is the number of closings of a key group for which timers are pending.
const nearTimers = 32

// keyedFn runs an Operator on the key groups.
type keyedFn struct {
	P     string              `json:"p"`
	Step  string              `json:"step"`
	Head  state.Value[[]byte] `json:"head"`
	Log   state.Bag[[]byte]   `json:"log"`
	Close timers.EventTime    `json:"close"`

	held map[string]indexed[Group]
}

func newKeyedFn(p, step string) *keyedFn {
	return &keyedFn{
		P: p, Step: step,
		Head:  state.MakeValueState[[]byte]("head"),
		Log:   state.MakeBagState[[]byte]("log"),
		Close: timers.InEventTime("close"),
	}
}

// emits are the two outputs of keyedFn.
type emits struct {
	rows, late func(beam.EventTime, *batch.Batch)
}

// keyedCall is one call for one key group.
type keyedCall struct {
	g     *Graph
	op    *operator
	sp    state.Provider
	tp    timers.Provider
	label string
	in    int64 // source rows that the call brings
	emits
}

// StartBundle forgets the indexes of a bundle that failed.
func (f *keyedFn) StartBundle(context.Context, func(beam.EventTime, *batch.Batch), func(beam.EventTime, *batch.Batch)) error {
	f.held = map[string]indexed[Group]{}
	return nil
}

// ProcessElement hands the next batch to its group.
func (f *keyedFn) ProcessElement(ctx context.Context, sp state.Provider, tp timers.Provider, label string, in *batch.Batch, rows, late func(beam.EventTime, *batch.Batch)) error {
	c := keyedCall{sp: sp, tp: tp, label: label, in: in.Weight(), emits: emits{rows, late}}
	return f.call(ctx, c, func(gr Group, out *Out, _ *head) error { return gr.Process(in, out) })
}

// OnTimer closes what is due.
func (f *keyedFn) OnTimer(ctx context.Context, _ beam.EventTime, sp state.Provider, tp timers.Provider, label string, t timers.Context, rows, late func(beam.EventTime, *batch.Batch)) error {
	at, err := strconv.ParseInt(t.Tag, 10, 64)
	if err != nil {
		return &StepError{Step: f.Step, Op: "timer", Err: err}
	}
	tag, hint := at, watermarkOf(ctx)
	at = max(at, hint)
	c := keyedCall{sp: sp, tp: tp, label: label, emits: emits{rows, late}}
	return f.call(ctx, c, func(gr Group, out *Out, h *head) error {
		if closes := gr.Closes(); len(closes) == 0 || closes[0].At > at {
			return errNothing // an earlier timer of the same time has closed it
		}
		for _, due := range h.firedUpTo(at) {
			if hint > due && due != tag { // a runner that gives the hint fires one timer of a key in a bundle
				f.Close.ClearTag(tp, strconv.FormatInt(due, 10))
			}
		}
		return gr.Close(at, out)
	})
}

// FinishBundle gives the indexes back.
func (f *keyedFn) FinishBundle(ctx context.Context, _ func(beam.EventTime, *batch.Batch), _ func(beam.EventTime, *batch.Batch)) error {
	if len(f.held) == 0 {
		return nil
	}
	g, _, err := stepOf[*operator](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	for label, e := range f.held {
		g.groups.put(f.Step+"/"+label, e)
	}
	f.held = nil
	return nil
}

// call runs one operation on a group and stores what it changed.
func (f *keyedFn) call(ctx context.Context, c keyedCall, do func(Group, *Out, *head) error) error {
	var err error
	if c.g, c.op, err = stepOf[*operator](ctx, f.P, f.Step); err != nil {
		return err
	}
	st := logged{f.Head, f.Log}
	h, ok, err := st.load(c.sp)
	if err != nil {
		return &StepError{Step: f.Step, Partition: c.label, Op: "read state", Err: err}
	}
	gr, err := f.group(c, st, stored{h, ok})
	if err != nil {
		return &StepError{Step: f.Step, Partition: c.label, Op: "restore state", Err: err}
	}
	var out Out
	switch err := protect(func() error { return do(gr, &out, &h) }); {
	case errors.Is(err, errNothing):
		f.held[c.label] = indexed[Group]{nonce: h.nonce, index: gr}
		return nil
	case err != nil:
		return &StepError{Step: f.Step, Partition: c.label, Op: c.op.Kind, Err: err}
	}
	if err := books(c.in, out.weight()); err != nil {
		return &StepError{Step: f.Step, Partition: c.label, Op: c.op.Kind, Err: err}
	}
	if err := c.emit(ctx, &out); err != nil {
		return err
	}
	f.setTimers(c, &h, gr.Closes())
	entries := make([][]byte, len(out.log))
	for i, b := range out.log {
		if entries[i], err = batch.Encode(b); err != nil {
			return &StepError{Step: f.Step, Op: "encode state", Err: err}
		}
	}
	h.header = gr.Header()
	if err := st.store(c.sp, change{head: &h, append: entries, rewrite: out.rewrite}); err != nil {
		return &StepError{Step: f.Step, Op: "write state", Err: err}
	}
	f.held[c.label] = indexed[Group]{nonce: h.nonce, index: gr}
	return nil
}

// stored is a head that may not be there.
type stored struct {
	head
	ok bool
}

// group finds the group's index: in this bundle, in the process, or in the log.
func (f *keyedFn) group(c keyedCall, st logged, h stored) (Group, error) {
	if e, ok := f.held[c.label]; ok && e.nonce == h.nonce {
		return e.index, nil
	}
	if !h.ok {
		return c.op.Open(), nil
	}
	if gr, ok := c.g.groups.take(f.Step+"/"+c.label, h.nonce); ok {
		return gr, nil
	}
	raw, err := st.entries(c.sp, h.head)
	if err != nil {
		return nil, err
	}
	log := make([]*batch.Batch, len(raw))
	for i, e := range raw {
		if log[i], err = batch.Decode(e); err != nil {
			return nil, err
		}
	}
	gr := c.op.Open()
	return gr, gr.Restore(h.header, log)
}

func (c keyedCall) emit(ctx context.Context, out *Out) error {
	n := c.op.n
	for _, b := range out.rows {
		if b.Rows() > 0 {
			c.rows(beamTime(b.MinTime()), b)
			n.count(ctx, "out", b.Weight())
		}
	}
	for _, b := range out.late {
		if b.Rows() > 0 {
			c.late(beamTime(b.MinTime()), b)
			n.count(ctx, "late", b.Weight())
		}
	}
	n.count(ctx, "dropped", out.dropped)
	n.count(ctx, "held", out.held)
	return nil
}

// setTimers keeps exact event-time timers pending for the nearest closings; when they fire, the next ones are set. A timer
// that is not needed any more finds nothing to close: it is not cleared, since Beam's Go SDK calls OnTimer for a timer that
// is cleared in a bundle which fires several timers of a key, whatever its time.
func (f *keyedFn) setTimers(c keyedCall, h *head, closes []Closing) {
	for _, cl := range closes[:min(len(closes), nearTimers)] {
		i, set := slices.BinarySearch(h.timers, cl.At)
		if set {
			continue
		}
		f.Close.Set(c.tp, goTime(min(cl.At, END)), timers.WithTag(strconv.FormatInt(cl.At, 10)),
			timers.WithOutputTimestamp(goTime(min(cl.Hold, cl.At, END-1))))
		h.timers = slices.Insert(slices.Clip(h.timers), i, cl.At)
	}
}

// firedUpTo forgets the timers that fire at or before a time, and gives them.
func (h *head) firedUpTo(at int64) []int64 {
	i, _ := slices.BinarySearch(h.timers, at+1)
	fired := h.timers[:i:i]
	h.timers = h.timers[i:]
	return fired
}
