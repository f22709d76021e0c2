package grouptest

import (
	"errors"
	"sync/atomic"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

var errShaky = errors.New("fails now and then")

// Shaky passes batches on and fails at the n-th, the 4n-th and so on, so that bundles are repeated. For 0 there is no such step.
func Shaky(step string, in flow.Rows, n int64) flow.Rows {
	if n == 0 {
		return in
	}
	fails := every(n)
	return flow.Transform(step, in, flow.Step{Kind: "shaky", Schema: in.Schema(), Open: func() (flow.StepFunc, error) {
		return func(b *batch.Batch, out *flow.StepOut) error {
			out.Emit(b)
			return fails()
		}, nil
	}}).Rows
}

// Relay is a keyed step that passes batches on. It fails at the n-th end of a bundle, the 4n-th and so on, when the keyed steps before it have
// put their state back. For 0 there is no such step.
func Relay(step string, in flow.Rows, n int64) flow.Rows {
	if n == 0 {
		return in
	}
	fails := every(n)
	return flow.Apply(step, in, flow.Operator{
		Kind: "relay", Schema: in.Schema(), Open: func() flow.Group { return relay{} },
		Combine: func(in []*batch.Batch) ([]*batch.Batch, error) { return in, fails() },
	}).Rows
}

// every gives a function that fails ever more seldom, so that no bundle fails each time.
func every(n int64) func() error {
	var calls, next atomic.Int64
	next.Store(n)
	return func() error {
		if calls.Add(1) == next.Load() {
			next.Store(4 * next.Load())
			return errShaky
		}
		return nil
	}
}

// relay is a group without state.
type relay struct{}

// Restore implements flow.Group.
func (relay) Restore([]byte, []*batch.Batch) error { return nil }

// Process implements flow.Group.
func (relay) Process(in *batch.Batch, out *flow.Out) error {
	out.Emit(in)
	return nil
}

// Close implements flow.Group.
func (relay) Close(int64, *flow.Out) error { return nil }

// Closes implements flow.Group.
func (relay) Closes() []flow.Closing { return nil }

// Header implements flow.Group.
func (relay) Header() []byte { return nil }
