package flow

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

// Operator is a stateful step. Its rows are hashed by key into a fixed number of key groups, and each group is one
// Group that sees its batches one after the other, in commit order.
type Operator struct {
	// Kind names the operator in plans, such as "dedupe". Required.
	Kind string
	// Keys are the columns that choose the key group; nil means all visible columns, an empty list one group for all rows.
	// Rows of equal keys meet.
	Keys []string
	// Combine, if set, shrinks what one bundle sends to the groups, such as partial aggregates. It gets the batches of
	// one bundle and returns batches of one schema that still has the columns Keys. Weights must add up.
	Combine func(in []*batch.Batch) ([]*batch.Batch, error)
	// Open makes the empty state of a group. Required.
	Open func() Group
	// Schema is the visible schema of the rows it emits. Required.
	Schema *arrow.Schema
	// LateSchema is the visible schema of the rows it emits as late; nil if it has no late rows.
	LateSchema *arrow.Schema
	// Identity names everything that the stored state depends on, such as window size and values. A job whose
	// state was written under another identity is refused.
	Identity string
	// Guarantee says in one line what the step promises; it is printed by plan.
	Guarantee string
}

// Group is the state of one key group: an index that can be rebuilt from a log of batches. The log is kept by the
// runner; what Process and Close append to it is committed together with what they emit.
type Group interface {
	// Restore rebuilds the index from the header of the last call and the whole log.
	Restore(header []byte, log []*batch.Batch) error
	// Process takes the next batch of the group.
	Process(in *batch.Batch, out *Out) error
	// Close is called when the watermark has passed upTo (milliseconds): everything due at or before it is due now.
	Close(upTo int64, out *Out) error
	// Closes lists the distinct event times at which Close wants to be called, sorted, with the hold of each; holds grow
	// with the times. The slice is read before the next call.
	Closes() []Closing
	// Header is a small value kept beside the log, such as the closing horizon. At most a few kB.
	Header() []byte
}

// Closing asks for a call of Close, in milliseconds since the epoch.
type Closing struct {
	// At is the event time that the watermark has to pass.
	At int64
	// Hold keeps the output watermark of the step at or below this time until then; At if nothing is to be held.
	Hold int64
}

// Out takes what a Group gives.
type Out struct {
	rows, late, log []*batch.Batch
	rewrite         bool
	dropped         int64
	held            int64
}

// Emit sends rows on. Their hidden event time must be set; the element's time is its minimum.
func (o *Out) Emit(b *batch.Batch) { o.rows = append(o.rows, b) }

// Late sends rows to the step's Late output.
func (o *Out) Late(b *batch.Batch) { o.late = append(o.late, b) }

// Append adds a batch to the group's log.
func (o *Out) Append(b *batch.Batch) { o.log = append(o.log, b) }

// Rewrite replaces the log by the batches appended in this call: the way to compact it.
func (o *Out) Rewrite() { o.rewrite, o.log = true, nil }

// Drop counts source rows (weights) that the step's rule drops.
func (o *Out) Drop(weight int64) { o.dropped += weight }

// Hold changes the number of source rows (weights) that the group holds back: positive when rows enter the
// state to be sent later, negative when they leave it.
func (o *Out) Hold(weight int64) { o.held += weight }

// Rows gives the batches emitted so far, for tests of a Group.
func (o *Out) Rows() []*batch.Batch { return o.rows }

// LateRows gives the batches emitted as late so far, for tests of a Group.
func (o *Out) LateRows() []*batch.Batch { return o.late }

// Log gives the batches appended so far and whether they replace the log, for tests of a Group.
func (o *Out) Log() (log []*batch.Batch, rewritten bool) { return o.log, o.rewrite }

// Dropped gives the weight dropped so far, Held the change of what is held, for tests of a Group.
func (o *Out) Dropped() int64 { return o.dropped }

// Held is described at Dropped.
func (o *Out) Held() int64 { return o.held }
