package commit

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow/object"
)

// refused checks that a start is refused for that reason, and that nothing was changed.
func (b *bench) refused(o AttachOptions, want Reason, words string) {
	b.t.Helper()
	staged, visible := b.staged(""), b.visible()
	_, err := b.ledger.Attach(b.ctx(), o)
	e, ok := errors.AsType[*AttachError](err)
	if !ok || e.Reason != want || !strings.Contains(err.Error(), words) {
		b.t.Errorf("got %v, want reason %d with %q", err, want, words)
	}
	if d := cmp.Diff(staged, b.staged("")) + cmp.Diff(visible, b.visible()); d != "" {
		b.t.Error(d)
	}
}

func (b *bench) file(name string) {
	b.t.Helper()
	if err := b.dest.Put(b.ctx(), name, func(w io.Writer) error { _, err := io.WriteString(w, name+"\n"); return err }); err != nil {
		b.t.Fatal(err)
	}
}

// other is another job's ledger on the same destination.
func (b *bench) other(job string) *Ledger {
	o := b.ledger.o
	o.Job = job
	staging, err := object.NewLocal(b.staging.Path() + "-" + job)
	if err != nil {
		b.t.Fatal(err)
	}
	o.Staging = staging
	return NewLedger(o)
}

func TestAttachAgain(t *testing.T) {
	b := newBench(t, 0)
	for i, want := range []Attached{{First: 1, New: true, Alone: true}, {First: 1, Alone: true}, {First: 1, Alone: true}} {
		got, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: id(1), Resumed: i > 1})
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Fatal(i, d, err)
		}
	}
	if n, err := b.ledger.First(b.ctx(), id(1)); n != 1 || err != nil {
		t.Errorf("first number %d, %v", n, err)
	}
	if _, err := b.ledger.First(b.ctx(), id(2)); err == nil {
		t.Error("an unknown incarnation has a first number")
	}
	if _, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: "x"}); err == nil {
		t.Error("a bad incarnation was taken")
	}
}

func TestAttachToAnOccupiedPlace(t *testing.T) {
	b := newBench(t, 0)
	b.file("day=1/other.parquet")
	b.refused(AttachOptions{Incarnation: id(1)}, OccupiedPlace, "other.parquet; choose an empty place, or start with --append")
	if a, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: id(1), Append: true}); err != nil || !a.New {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: id(1), Resumed: true}); err != nil || a.New {
		t.Fatalf("again without append: %+v, %v", a, err)
	}
}

func TestHiddenFilesAreNoStrangers(t *testing.T) {
	b := newBench(t, 0)
	b.file("_SUCCESS")
	b.file(".cache/x")
	b.attach()
}

func TestTwoJobsInOnePlace(t *testing.T) {
	b := newBench(t, 0)
	b.publish(b.cut(b.attach(), false, b.stage("a")))
	second := b.other("second")
	_, err := second.Attach(b.ctx(), AttachOptions{Incarnation: id(2)})
	if e, ok := errors.AsType[*AttachError](err); !ok || e.Reason != OccupiedPlace || !strings.Contains(err.Error(), `job "demo"`) {
		t.Fatalf("got %v", err)
	}
	for i, o := range []AttachOptions{{Incarnation: id(2), Append: true}, {Incarnation: id(2), Resumed: true}} {
		if at, err := second.Attach(b.ctx(), o); err != nil || at.Alone {
			t.Fatal(i, at, err)
		}
	}
	if at, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: id(1), Resumed: true}); err != nil || at.Alone {
		t.Fatal(at, err)
	}
}

func TestLedgerOfAnotherJob(t *testing.T) {
	b := newBench(t, 0)
	b.attach()
	b.ledger.o.Job = "second"
	b.refused(AttachOptions{Incarnation: id(1), Append: true}, OccupiedPlace, `the ledger of job "demo"`)
}

func TestLostThings(t *testing.T) {
	b := newBench(t, 0)
	b.publish(b.cut(b.attach(), false, b.stage("a")))
	b.refused(AttachOptions{Incarnation: id(2)}, StateLost, "reset --keep")

	if err := os.RemoveAll(b.dest.Path()); err != nil {
		t.Fatal(err)
	}
	b.dest, _ = object.NewLocal(b.dest.Path())
	b.ledger.o.Dest = b.dest
	b.refused(AttachOptions{Incarnation: id(1), Resumed: true}, DestinationLost, "1 rows were published there")
	if _, err := b.ledger.Reset(b.ctx(), ResetOptions{Incarnation: id(2)}); err != nil {
		t.Fatal(err)
	}
	b.refused(AttachOptions{Incarnation: id(1), Resumed: true}, StateFenced, "FENCED")
	if a, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: id(2)}); err != nil || a.First != 3 {
		t.Fatalf("%+v, %v", a, err)
	}

	if err := os.RemoveAll(b.staging.Path()); err != nil {
		t.Fatal(err)
	}
	b.staging, _ = object.NewLocal(b.staging.Path())
	b.ledger.o.Staging = b.staging
	b.refused(AttachOptions{Incarnation: id(2), Resumed: true}, LedgerLost, "its ledger in")
	b.refused(AttachOptions{Incarnation: id(3)}, LedgerLost, "reset --replace")
	if a, err := b.ledger.Reset(b.ctx(), ResetOptions{Incarnation: id(3)}); err != nil || a.First != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
}

func TestResetKeepsOrReplaces(t *testing.T) {
	for _, replace := range []bool{false, true} {
		b := newBench(t, 0)
		r := b.attach()
		b.publish(b.cut(r, false, b.stage("a", "b")))
		open := b.cut(r, false, b.stage("a", "b"), b.stage("a"))
		if _, err := b.ledger.Claim(b.ctx(), open); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ledger.WriteFile(b.ctx(), open, open.Files[1], b.encode); err != nil {
			t.Fatal(err)
		}
		b.file("x/of-nobody.txt")
		for range 2 { // a repetition does nothing
			a, err := b.ledger.Reset(b.ctx(), ResetOptions{Incarnation: id(2), Replace: replace})
			if d := cmp.Diff(Attached{First: 4, New: true}, a); d != "" || err != nil {
				t.Fatal(d, err)
			}
		}
		want := "a of pieces/0001\nb of pieces/0001\nb of pieces/0002\nx/of-nobody.txt\n"
		totals := Totals{Commits: 2, Files: 3, Bytes: 51, Visible: Counts{3, 6}, Lost: Counts{2, 4}}
		if replace {
			want, totals = "x/of-nobody.txt\n", Totals{}
		}
		s := b.state()
		s.Totals.Parts = nil
		if d := cmp.Diff(want, b.visible()) + cmp.Diff(totals, s.Totals); d != "" || s.Through != 4 || len(s.Incarnations) != 2 {
			t.Errorf("replace %t: %s %+v", replace, d, s)
		}
		if left := b.staged("pieces/"); left != nil {
			t.Errorf("replace %t: left %v", replace, left)
		}
		if o, err := b.ledger.Publish(b.ctx(), open, b.encode); o != Done || err != nil {
			t.Errorf("the old claim again: %s, %v", o, err)
		}
		next := NewRoll(RollOptions{Sink: testSink, Job: testJob, Incarnation: id(2), First: 4, Extension: ".txt"})
		b.publish(b.cut(next, false, b.stage("c")))
		if d := cmp.Diff(strings.Replace(want, "x/", "c of pieces/0004\nx/", 1), b.visible()); d != "" {
			t.Error(d)
		}
	}
}

// TestHalfReset leaves a beginning without what it asks for; attaching completes it.
func TestHalfReset(t *testing.T) {
	b := newBench(t, 0)
	b.publish(b.cut(b.attach(), false, b.stage("a")))
	st := b.state()
	half := Commit{
		Version: version, Sink: testSink, Job: testJob, Incarnation: id(2), ID: id(2), Seq: st.Head + 1, Prev: st.headID, Begin: true, Replace: true,
	}
	if _, err := b.ledger.Claim(b.ctx(), half); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.Reset(b.ctx(), ResetOptions{Incarnation: id(3)}); err != nil {
		t.Fatal(err)
	}
	if got := b.visible(); got != "" {
		t.Errorf("still visible: %q", got)
	}
	if s := b.state(); s.Through != 4 || s.Current().ID != id(3) || s.Totals.Commits != 0 {
		t.Errorf("status %+v", s)
	}
}

// Where the ledger was lost the numbers begin anew, and what was published under greater ones goes as well.
func TestReplaceWithoutItsLedger(t *testing.T) {
	b := newBench(t, 0)
	r := b.attach()
	b.publish(b.cut(r, false, b.stage("a")))
	b.publish(b.cut(r, false, b.stage("b")))
	b.file("of-nobody.txt")
	if err := os.RemoveAll(b.staging.Path() + "/ledger"); err != nil {
		t.Fatal(err)
	}
	b.staging, _ = object.NewLocal(b.staging.Path())
	b.ledger.o.Staging = b.staging
	if _, err := b.ledger.Reset(b.ctx(), ResetOptions{Incarnation: id(2), Replace: true}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("of-nobody.txt\n", b.visible()); d != "" {
		t.Error(d)
	}
}

func TestReplaceLeavesLaterNumbersAlone(t *testing.T) {
	b := newBench(t, 0)
	of := func(job string, seq int64) string {
		name := Commit{Job: job, Sink: testSink, Seq: seq, ID: id(5)}.fileName("a", 0, ".txt")
		b.file(name)
		return name + "\n"
	}
	old, later, others := of(testJob, 6), of(testJob, 7), of("other", 6)
	if err := b.ledger.deleteFiles(b.ctx(), 7); err != nil {
		t.Fatal(err)
	}
	if got := b.visible(); strings.Contains(got, old) || !strings.Contains(got, later) || !strings.Contains(got, others) {
		t.Errorf("left: %s", got)
	}
}

func TestAttachSweepsTheLedger(t *testing.T) {
	b := newBench(t, 2)
	r := b.attach()
	first := b.cut(r, false, b.stage("a"))
	b.publish(first)
	for range 4 {
		b.publish(b.cut(r, false, b.stage("a")))
	}
	if _, err := b.ledger.Claim(b.ctx(), first); err == nil {
		t.Fatal("a trimmed number was claimed")
	}
	for _, name := range []string{b.ledger.throughName(5), b.ledger.name(4, doneExt), b.ledger.prefix() + "note.txt", b.ledger.prefix() + "0000000001.txt"} {
		if err := b.staging.Create(b.ctx(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: id(1)}); err != nil {
		t.Fatal(err)
	}
	want := []string{"0000000001.txt", "0000000005.claim", "0000000005.done", "0000000006.claim", "0000000006.done", "note.txt", "through/0000000006"}
	if d := cmp.Diff(want, b.staged("ledger/trips/")); d != "" {
		t.Error(d)
	}
}

func TestResolve(t *testing.T) {
	b := newBench(t, 0)
	r := b.attach()
	fails := func(seq int64, how Resolution, words string) {
		t.Helper()
		if err := b.ledger.Resolve(b.ctx(), seq, how, nil); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want %q", err, words)
		}
	}
	fails(1, VoidClaim, "it is done")
	fails(2, VoidClaim, "no such claim")
	claimed := func(dests ...string) Commit {
		c := b.cut(r, false, b.stage(dests...))
		if _, err := b.ledger.Claim(b.ctx(), c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	published, voided := claimed("a"), claimed("b")
	fails(published.Seq, ReleaseClaim, "the next number is claimed")
	if err := b.ledger.Resolve(b.ctx(), published.Seq, PublishClaim, b.encode); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.Resolve(b.ctx(), voided.Seq, VoidClaim, nil); err != nil {
		t.Fatal(err)
	}
	if o := b.publish(voided); o != Done {
		t.Errorf("a void again: %s", o)
	}
	half := claimed("c", "d")
	if _, err := b.ledger.WriteFile(b.ctx(), half, half.Files[0], b.encode); err != nil {
		t.Fatal(err)
	}
	fails(half.Seq, VoidClaim, "1 of its 2 files are visible")
	b.publish(half)
	foreign := half
	foreign.Seq, foreign.ID, foreign.Prev, foreign.Files = half.Seq+1, id(77), half.ID, nil
	if _, err := b.ledger.Claim(b.ctx(), foreign); err != nil {
		t.Fatal(err)
	}
	own := b.cut(r, false, b.stage("e"))
	if _, err := b.ledger.Claim(b.ctx(), own); err == nil {
		t.Fatal("two claims of one number")
	}
	if err := b.ledger.Resolve(b.ctx(), own.Seq, ReleaseClaim, nil); err != nil {
		t.Fatal(err)
	}
	b.publish(own)
	if d := cmp.Diff("a of pieces/0001\nc of pieces/0003\nd of pieces/0003\ne of pieces/0004\n", b.visible()); d != "" {
		t.Error(d)
	}
	if s := b.state(); s.Totals.Lost.Rows != 1 || s.Totals.Visible.Rows != 4 || s.Through != own.Seq {
		t.Errorf("status %+v", s)
	}
}
