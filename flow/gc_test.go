package flow

import (
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/flow/object"
)

const gcIncarnation = "0123456789abcdef0123456789abcdef"

// gcBench is a sink of the second start of a job.
type gcBench struct {
	t  *testing.T
	st *sinkState
	*commit.Roll
}

func newGCBench(t *testing.T, pieces ...string) *gcBench {
	t.Helper()
	store := object.NewMemory("gc")
	b := &gcBench{t: t, st: &sinkState{staging: store, dest: store}}
	b.st.ledger = commit.NewLedger(commit.LedgerOptions{Job: "j", Sink: "s", Staging: store, Dest: store})
	if _, err := b.st.ledger.Attach(t.Context(), commit.AttachOptions{Incarnation: gcIncarnation}); err != nil {
		t.Fatal(err)
	}
	b.Roll = commit.NewRoll(commit.RollOptions{Sink: "s", Job: "j", Incarnation: gcIncarnation, Epoch: 2, First: 1, Extension: ".x"})
	for _, p := range pieces {
		b.write(p)
	}
	if err := b.st.findOrphans(t.Context(), "s", 2); err != nil {
		t.Fatal(err)
	}
	return b
}

// piece names a piece by the start that staged it.
func piece(epoch int, name string) string { return fmt.Sprintf("pieces/s/%010d-%s", epoch, name) }

func (b *gcBench) write(name string) {
	b.t.Helper()
	err := b.st.staging.Put(b.t.Context(), name, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err })
	if err != nil {
		b.t.Fatal(err)
	}
}

// comes brings a piece with one row for each destination to the roll.
func (b *gcBench) comes(name string, dests ...string) {
	b.t.Helper()
	s := commit.Staged{Piece: name, NumRanges: len(dests)}
	for _, d := range dests {
		s.Manifests = append(s.Manifests, commit.Manifest{Piece: name, Dest: d, Len: 1, Counts: commit.Counts{Rows: 1, Weight: 1}})
	}
	if err := b.Add(s, 0); err != nil {
		b.t.Fatal(err)
	}
}

func (b *gcBench) cut(end bool, dests ...string) commit.Commit {
	b.t.Helper()
	c, ok := b.Cut(dests, commit.CutOptions{NewID: commit.NewID, End: end})
	if !ok {
		b.t.Fatal("nothing to cut")
	}
	b.st.orphans.cut(c, b.Pieces())
	return c
}

func (b *gcBench) claim(c commit.Commit) {
	b.t.Helper()
	if _, err := b.st.ledger.Claim(b.t.Context(), c); err != nil {
		b.t.Fatal(err)
	}
}

// finish writes the done record, and collects.
func (b *gcBench) finish(c commit.Commit) {
	b.t.Helper()
	var results []commit.FileResult
	for _, f := range c.Files {
		results = append(results, commit.FileResult{Name: f.Name, Rows: f.Rows})
	}
	if err := b.st.ledger.Finish(b.t.Context(), c, results); err != nil {
		b.t.Fatal(err)
	}
	if err := b.st.collect(b.t.Context(), c); err != nil {
		b.t.Fatal(err)
	}
}

func (b *gcBench) staged(want ...string) {
	b.t.Helper()
	list, err := b.st.staging.List(b.t.Context(), "pieces/")
	if err != nil {
		b.t.Fatal(err)
	}
	got := []string{}
	for _, i := range list {
		got = append(got, i.Name)
	}
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		b.t.Errorf("(-want +got)\n%s", d)
	}
}

// Nothing of an earlier start goes that the roll, the queue before it, an open claim or this start's own state needs.
func TestOrphansGoOnlyWhenNobodyNamesThem(t *testing.T) {
	waiting, queued, claimed, orphan := piece(1, "waiting"), piece(1, "queued"), piece(1, "claimed"), piece(1, "orphan")
	own, later := piece(2, "own"), piece(2, "later")
	b := newGCBench(t, waiting, queued, claimed, orphan, "pieces/s/of-nobody")
	b.comes(claimed, "a")
	b.comes(waiting, "b", "c")
	first := b.cut(false, "a")
	b.claim(first)

	early := b.cut(false, "b") // the roll has seen nothing of this start: what is queued before it may be older
	b.claim(early)
	b.finish(early)
	b.staged(waiting, queued, claimed, orphan, "pieces/s/of-nobody")

	b.comes(queued, "d")
	b.write(own)
	b.comes(own, "e", "f")
	proof := b.cut(false, "e")
	b.write(later)
	b.claim(proof)
	b.staged(waiting, queued, claimed, orphan, own, later, "pieces/s/of-nobody")
	b.finish(proof)
	b.staged(waiting, queued, claimed, own, later, "pieces/s/of-nobody")
	b.finish(first)
	b.staged(waiting, queued, own, later, "pieces/s/of-nobody")
}

// At the end everything has come to the roll, even if this start has staged nothing.
func TestOrphansGoAtTheEnd(t *testing.T) {
	last, orphan := piece(1, "last"), piece(1, "orphan")
	b := newGCBench(t, last, orphan)
	b.comes(last, "a")
	end := b.cut(true)
	b.claim(end)
	b.staged(last, orphan)
	b.finish(end)
	b.staged([]string{}...)
}

// A history of the job that has lost its number deletes nothing: the other one names what it has staged.
func TestALoserCollectsNothing(t *testing.T) {
	old, own := piece(1, "old"), piece(2, "own")
	b := newGCBench(t, old)
	b.write(own)
	winner := commit.NewRoll(commit.RollOptions{Sink: "s", Job: "j", Incarnation: gcIncarnation, Epoch: 3, First: 1, Extension: ".x"})
	c, _ := winner.Cut(nil, commit.CutOptions{NewID: commit.NewID, End: true})
	b.claim(c)
	b.comes(own, "a")
	lost := b.cut(false, "a")
	if _, err := b.st.ledger.Claim(t.Context(), lost); err == nil {
		t.Fatal("two histories have one number")
	}
	b.staged(old, own)
}
