package commit

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// AttachOptions says which state wants to publish.
type AttachOptions struct {
	// Incarnation is the id that the job's state drew when it was new. Required.
	Incarnation string
	// Resumed says that the state holds committed work already, so that an empty ledger is a loss.
	Resumed bool
	// Append allows a first commit into a place where others publish or files of unknown origin lie.
	Append bool
}

// Attached is what a job that may publish needs to know.
type Attached struct {
	// First is the number with which the incarnation began, for RollOptions.First.
	First int64
	// New says that the incarnation began just now.
	New bool
	// Ended says that the job's last commit is done: there is nothing to do.
	Ended bool
	// Alone says that no other job or sink publishes into the destination.
	Alone bool
}

// Attach is the check at the start of a run, before anything is read. In a new place it sets the destination's marker and
// begins the incarnation; otherwise it proves that ledger, state and destination belong together, mends what a crash left
// half done, and sweeps the ledger. An *AttachError says why the job must not start.
func (l *Ledger) Attach(ctx context.Context, o AttachOptions) (Attached, error) {
	if !isID(o.Incarnation) {
		return Attached{}, fmt.Errorf("commit: sink %s: the incarnation %q has not 32 hex digits", l.o.Sink, o.Incarnation)
	}
	st, err := l.State(ctx)
	if err != nil {
		return Attached{}, err
	}
	own, other, err := l.findMarker(ctx)
	if err != nil {
		return Attached{}, err
	}
	// Guarantee 5: whatever does not belong together is refused here.
	refuse := func(r Reason, found string) (Attached, error) {
		return Attached{}, l.refusal(st, o.Incarnation, r, found)
	}
	switch {
	case st.Head == 0 && (o.Resumed || own != nil && own.Incarnation != o.Incarnation):
		return refuse(LedgerLost, "")
	case st.Head == 0:
		return l.attachFirst(ctx, o, own == nil, other)
	case st.Job != l.o.Job:
		return refuse(OccupiedPlace, fmt.Sprintf("the ledger of job %q", st.Job))
	case st.Current().ID != o.Incarnation:
		for _, i := range st.Incarnations {
			if i.ID == o.Incarnation {
				return refuse(StateFenced, "")
			}
		}
		return refuse(StateLost, "")
	case own == nil:
		return refuse(DestinationLost, "")
	}
	if err := l.settle(ctx, st); err != nil {
		return Attached{}, err
	}
	st, err = l.State(ctx)
	if err != nil {
		return Attached{}, err
	}
	alone, err := l.alone(ctx, other)
	return Attached{First: st.Current().First, Ended: st.Ended, Alone: alone}, err
}

func (l *Ledger) refusal(st Status, incarnation string, r Reason, found string) error {
	return &AttachError{
		Reason: r, Sink: l.o.Sink, Job: l.o.Job, Destination: l.o.Dest.URL(), Ours: incarnation, Theirs: st.Current().ID, Found: found,
		LedgerPlace: l.o.Staging.URL(), PublishedThrough: st.Through, PublishedRowCount: st.Totals.Visible.Rows,
	}
}

// attachFirst begins an empty ledger. The marker comes first, so that a ledger with commits always had one.
func (l *Ledger) attachFirst(ctx context.Context, o AttachOptions, unmarked bool, found string) (Attached, error) {
	if unmarked && !o.Append {
		if found == "" {
			var err error
			if found, err = l.strangers(ctx); err != nil {
				return Attached{}, err
			}
		}
		if found != "" {
			return Attached{}, l.refusal(Status{}, o.Incarnation, OccupiedPlace, found)
		}
	}
	if err := l.mark(ctx, o.Incarnation); err != nil {
		return Attached{}, err
	}
	first, err := l.begin(ctx, Status{}, o.Incarnation, false)
	if _, lost := errors.AsType[*ConflictError](err); lost {
		return l.Attach(ctx, o) // another state began the ledger meanwhile, and the answer names it
	}
	if err != nil {
		return Attached{}, err
	}
	alone, err := l.alone(ctx, found)
	return Attached{First: first, New: true, Alone: alone}, err
}

// begin claims the number behind the head for a new incarnation, which cuts all older ones off, and completes it.
func (l *Ledger) begin(ctx context.Context, st Status, incarnation string, replace bool) (int64, error) {
	c := Commit{
		Version: version, Sink: l.o.Sink, Job: l.o.Job, Incarnation: incarnation, Seq: st.Head + 1, ID: incarnation, Prev: st.headID,
		Begin: true, Replace: replace,
	}
	if _, err := l.Claim(ctx, c); err != nil {
		return 0, err
	}
	return c.Seq, l.complete(ctx, c)
}

// complete does what a beginning asks for: files of older incarnations go if it replaces them, and older claims that are
// not done never will be.
func (l *Ledger) complete(ctx context.Context, begin Commit) error {
	if begin.Replace {
		older := begin.Seq
		if older == 1 { // the ledger was lost: whatever stands is older, and its numbers may be greater
			older = math.MaxInt64
		}
		if err := l.deleteFiles(ctx, older); err != nil {
			return err
		}
	}
	th, err := l.through(ctx)
	if err != nil {
		return err
	}
	for seq := th.Seq + 1; seq < begin.Seq; seq++ {
		if err := l.giveUp(ctx, seq); err != nil {
			return err
		}
	}
	d, err := doneOf(begin, nil, false)
	if err != nil {
		return err
	}
	return l.finish(ctx, begin, d)
}

// giveUp ends an older claim: what stands of it stays, the rest is lost and counted as such.
func (l *Ledger) giveUp(ctx context.Context, seq int64) error {
	_, done, err := l.done(ctx, seq)
	if done || err != nil {
		return err
	}
	c, found, err := l.claim(ctx, seq)
	switch {
	case err != nil || !found:
		return err
	case c.Begin:
		return l.complete(ctx, c)
	}
	standing, err := l.standing(ctx, c)
	if err != nil {
		return err
	}
	return l.void(ctx, c, standing)
}

// deleteFiles removes what the sink made visible under numbers below seq.
func (l *Ledger) deleteFiles(ctx context.Context, seq int64) error {
	list, err := l.o.Dest.List(ctx, "")
	if err != nil {
		return err
	}
	for _, i := range list {
		if n, ok := fileSeq(i.Name, l.o.Job, l.o.Sink); ok && n < seq {
			if err := l.o.Dest.Delete(ctx, i.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle completes a beginning that a crash left, moves `through` on, and deletes what the ledger need not keep.
func (l *Ledger) settle(ctx context.Context, st Status) error {
	for _, open := range st.Open {
		if open.Begin && !open.Done {
			if err := l.giveUp(ctx, open.Seq); err != nil {
				return err
			}
		}
	}
	if err := l.advance(ctx); err != nil {
		return err
	}
	th, err := l.through(ctx)
	if err != nil {
		return err
	}
	list, err := l.o.Staging.List(ctx, l.prefix())
	if err != nil {
		return err
	}
	for _, i := range list {
		seq, kind := seqOf(i.Name)
		if kind == throughKind && seq < th.Seq || kind != "" && seq <= th.Seq-l.o.Keep {
			if err := l.o.Staging.Delete(ctx, i.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// ResetOptions says how a job begins anew in a place where it has published.
type ResetOptions struct {
	// Incarnation is the id that the new state drew. Required.
	Incarnation string
	// Replace deletes what the job made visible through this sink; otherwise it stays.
	Replace bool
}

// Reset begins a new incarnation. Numbers go on; states of older incarnations can claim nothing from then on; claims that
// are not done are given up, and what stands of them is treated as everything else. No other process may publish for the
// job meanwhile: one that is in the middle of a file can still make that file visible. A repetition with the same
// incarnation after an error completes it.
func (l *Ledger) Reset(ctx context.Context, o ResetOptions) (Attached, error) {
	if !isID(o.Incarnation) {
		return Attached{}, fmt.Errorf("commit: sink %s: the incarnation %q has not 32 hex digits", l.o.Sink, o.Incarnation)
	}
	if err := l.mark(ctx, o.Incarnation); err != nil {
		return Attached{}, err
	}
	for {
		st, err := l.State(ctx)
		if err != nil {
			return Attached{}, err
		}
		if st.Current().ID == o.Incarnation {
			return Attached{First: st.Current().First, New: true}, l.settle(ctx, st)
		}
		first, err := l.begin(ctx, st, o.Incarnation, o.Replace)
		if _, raced := errors.AsType[*ConflictError](err); !raced {
			return Attached{First: first, New: true}, err
		}
	}
}
