package commit

import (
	"context"
	"fmt"
)

// Status is how a ledger stands.
type Status struct {
	// Job is the job that the ledger belongs to; empty if the ledger is.
	Job string
	// Through is the number up to which all commits are done, Head the greatest claimed one.
	Through, Head int64
	// Incarnations are the lives of the job's state, the current one last.
	Incarnations []Incarnation
	// Open are the claims behind Through.
	Open []OpenClaim
	// Ended says that the job's last commit is done.
	Ended bool
	// Totals sums the commits up to Through.
	Totals Totals

	headID string
}

// OpenClaim is a claimed commit that `through` has not reached.
type OpenClaim struct {
	Seq   int64
	ID    string
	Begin bool
	// Done says that the commit is done; one before it is not.
	Done  bool
	Files int
	Counts
}

// Current is the incarnation that the ledger goes on with; zero in an empty ledger.
func (s Status) Current() Incarnation {
	if len(s.Incarnations) == 0 {
		return Incarnation{}
	}
	return s.Incarnations[len(s.Incarnations)-1]
}

// State reads how the ledger stands. It changes nothing and may run beside any writer; what it gives may then be a moment
// old.
func (l *Ledger) State(ctx context.Context) (Status, error) {
	th, err := l.through(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Through: th.Seq, Head: th.Seq, headID: th.ID, Incarnations: th.Incarnations, Totals: th.Totals}
	if th.Seq > 0 {
		s.Job = l.o.Job
	}
	for {
		c, found, err := l.claim(ctx, s.Head+1)
		if err != nil {
			return Status{}, err
		}
		if !found {
			break
		}
		_, done, err := l.done(ctx, c.Seq)
		if err != nil {
			return Status{}, err
		}
		s.Open = append(s.Open, OpenClaim{Seq: c.Seq, ID: c.ID, Begin: c.Begin, Done: done, Files: len(c.Files), Counts: c.counts()})
		if c.Begin {
			s.Incarnations = append(s.Incarnations[:len(s.Incarnations):len(s.Incarnations)], Incarnation{ID: c.ID, First: c.Seq})
		}
		s.Head, s.headID = c.Seq, c.ID
	}
	head, found, err := l.claim(ctx, s.Head)
	if found {
		s.Job = head.Job
	}
	s.Ended = th.End && len(s.Open) == 0
	return s, err
}

// OpenPieces names the staged pieces that claims behind Through need.
func (l *Ledger) OpenPieces(ctx context.Context) (map[string]bool, error) {
	th, err := l.through(ctx)
	if err != nil {
		return nil, err
	}
	pieces := map[string]bool{}
	for seq := th.Seq + 1; ; seq++ {
		c, found, err := l.claim(ctx, seq)
		if !found || err != nil {
			return pieces, err
		}
		for _, f := range c.Files {
			for _, g := range f.Ranges {
				pieces[g.Piece] = true
			}
		}
	}
}

// First gives the number with which an incarnation began, for RollOptions.First.
func (l *Ledger) First(ctx context.Context, incarnation string) (int64, error) {
	s, err := l.State(ctx)
	if err != nil {
		return 0, err
	}
	for _, i := range s.Incarnations {
		if i.ID == incarnation {
			return i.First, nil
		}
	}
	return 0, fmt.Errorf("commit: the ledger of sink %s in %s knows no incarnation %s; attach first", l.o.Sink, l.o.Staging.URL(), incarnation)
}
