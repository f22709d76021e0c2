package flow

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

// Step is a stateless step on whole batches. Map, Filter, FlatMap and TryMap are Steps, and so are the transforms.
type Step struct {
	// Kind names the step in plans, such as "filter". Required.
	Kind string
	// Schema is the visible schema of the rows it emits. Required.
	Schema *arrow.Schema
	// Open makes the function that handles the batches of one worker; it is called once per worker. Required, or
	// OpenClosing in its place.
	Open func() (StepFunc, error)
	// OpenClosing is Open for a step that opens something: the second result ends it.
	OpenClosing func() (StepFunc, func() error, error)
	// Identity names the step's parameters for plans.
	Identity string
	// OneToOne asserts that each row gives exactly one row or one refusal.
	OneToOne bool
}

// StepFunc handles one batch. It must not change in.
type StepFunc func(in *batch.Batch, out *StepOut) error

// StepOut takes what a StepFunc gives.
type StepOut struct {
	rows    []*batch.Batch
	refused []Refusal
	dropped int64
}

// Emit sends rows on.
func (o *StepOut) Emit(b *batch.Batch) { o.rows = append(o.rows, b) }

// Refuse sends a row of the input to the step's Rejected output, as the dead letter of its visible columns.
func (o *StepOut) Refuse(r Refusal) { o.refused = append(o.refused, r) }

// Drop counts source rows (weights) that the step's rule drops, such as those that a filter does not keep.
func (o *StepOut) Drop(weight int64) { o.dropped += weight }

// Rows gives the batches emitted so far, for tests of a StepFunc.
func (o *StepOut) Rows() []*batch.Batch { return o.rows }

// Refused gives the refused rows so far, for tests of a StepFunc.
func (o *StepOut) Refused() []Refusal { return o.refused }

// Dropped gives the weight dropped so far, for tests of a StepFunc.
func (o *StepOut) Dropped() int64 { return o.dropped }
