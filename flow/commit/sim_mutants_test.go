package commit

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow/object"
)

// mutant is a protocol with one fault.
type mutant struct {
	// publish gives the commit as it was published.
	publish       func(a *actor, l *Ledger, c Commit) (Commit, error)
	list          func(a *actor, prefix string, list []object.Info) []object.Info
	skipConflicts bool
}

var bg = context.Background()

// mutants are faults that the simulation must find. Each is a mistake that an implementation could make.
var mutants = map[string]mutant{
	"claim skipped": {publish: func(a *actor, l *Ledger, c Commit) (Commit, error) {
		results, err := writeFiles(a, l, c)
		return c, errors.Join(err, finishIf(err, l, c, results))
	}},
	"id redrawn on redo": {publish: func(a *actor, l *Ledger, c Commit) (Commit, error) {
		if a.p.line.tried[c.ID] {
			c = renamed(c, c.Seq, a.p.w.newID())
		}
		_, err := l.Publish(bg, c, a.encode)
		return c, err
	}},
	"piece deleted at its first done commit": {publish: func(a *actor, l *Ledger, c Commit) (Commit, error) {
		_, err := l.Publish(bg, c, a.encode)
		for _, f := range c.Files {
			for _, g := range f.Ranges {
				if err == nil {
					err = (store{a, "s/"}).Delete(bg, g.Piece)
				}
			}
		}
		return c, err
	}},
	"pieces deleted when their own commit is done": {publish: func(a *actor, l *Ledger, c Commit) (Commit, error) {
		_, err := l.Publish(bg, c, a.encode)
		for _, piece := range c.Pieces {
			if err == nil {
				err = (store{a, "s/"}).Delete(bg, piece)
			}
		}
		return c, err
	}},
	"through not re-read after a claim": {publish: func(a *actor, l *Ledger, c Commit) (Commit, error) {
		a.old = maps.Clone(a.p.w.objects)
		outcome, err := l.Claim(bg, c)
		a.old = nil
		if err != nil || outcome == Done {
			return c, err
		}
		results, err := writeFiles(a, l, c)
		return c, errors.Join(err, finishIf(err, l, c, results))
	}},
	"done before all files stand": {publish: func(a *actor, l *Ledger, c Commit) (Commit, error) {
		if outcome, err := l.Claim(bg, c); err != nil || outcome == Done {
			return c, err
		}
		var results []FileResult
		for _, f := range c.Files {
			results = append(results, FileResult{Name: f.Name, Rows: f.Rows})
		}
		if err := l.Finish(bg, c, results); err != nil {
			return c, err
		}
		_, err := writeFiles(a, l, c)
		return c, err
	}},
	"number taken from the ledger": {publish: func(a *actor, l *Ledger, c Commit) (Commit, error) {
		st, err := l.State(bg)
		if err != nil {
			return c, err
		}
		id := c.ID
		c = renamed(c, st.Head+1, id)
		c.Prev = st.headID
		_, err = l.Publish(bg, c, a.encode)
		return c, err
	}},
	"chain not checked": {publish: func(a *actor, l *Ledger, c Commit) (Commit, error) {
		if prev, found, err := l.claim(bg, c.Seq-1); err != nil {
			return c, err
		} else if found {
			c.Prev = prev.ID
		}
		_, err := l.Publish(bg, c, a.encode)
		return c, err
	}},
	"conflict skipped": {skipConflicts: true},
	"through can go back": {list: func(a *actor, prefix string, list []object.Info) []object.Info {
		for i := range list {
			if strings.HasSuffix(prefix, "/through/") && "s/"+list[i].Name == a.p.w.lastThrough {
				return list[i : i+1]
			}
		}
		return list
	}},
}

func TestMutantsAreCaught(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			seed, err := simulateAll(m, 5000)
			if err == nil {
				t.Fatal("5,000 schedules found no fault")
			}
			t.Logf("schedule %d: %v", seed, err)
		})
	}
}

// writeFiles is the middle of Publish.
func writeFiles(a *actor, l *Ledger, c Commit) ([]FileResult, error) {
	var results []FileResult
	for _, f := range c.Files {
		r, err := l.WriteFile(bg, c, f, a.encode)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

func finishIf(err error, l *Ledger, c Commit, results []FileResult) error {
	if err != nil {
		return nil //nolint:nilerr // the mutant goes on as if nothing had happened
	}
	return l.Finish(bg, c, results)
}

// renamed gives the commit another number and id, and its files the names that follow.
func renamed(c Commit, seq int64, id string) Commit {
	c.Seq, c.ID = seq, id
	files := c.Files
	c.Files = nil
	for i, f := range files {
		f.Name = c.fileName(f.Dest, i, "")
		c.Files = append(c.Files, f)
	}
	return c
}
