package commit

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPublishOnceAndAgain(t *testing.T) {
	b := newBench(t, 0)
	r := b.attach()
	c := b.cut(r, false, b.stage("a", "b"))
	if o := b.publish(c); o != New {
		t.Fatalf("first: %s", o)
	}
	if o := b.publish(c); o != Done {
		t.Fatalf("again: %s", o)
	}
	if d := cmp.Diff("a of pieces/0001\nb of pieces/0001\n", b.visible()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string(nil), b.staged("pieces/")); d != "" {
		t.Error(d)
	}
	want := []string{"0000000001.claim", "0000000001.done", "0000000002.claim", "0000000002.done", "through/0000000002"}
	if d := cmp.Diff(want, b.staged("ledger/trips/")); d != "" {
		t.Error(d)
	}
	s := b.state()
	if s.Through != 2 || s.Head != 2 || s.Ended || s.Totals.Visible != (Counts{Rows: 2, Weight: 4}) || s.Totals.Files != 2 || s.Totals.Bytes != 34 {
		t.Errorf("status %+v", s)
	}
}

func TestDoneCommitLeavesDeletedFilesAlone(t *testing.T) {
	b := newBench(t, 0)
	r := b.attach()
	if err := r.Add(b.stage("a", "b"), 0); err != nil {
		t.Fatal(err)
	}
	c, _ := r.Cut([]string{"a"}, CutOptions{NewID: b.newID}) // the piece stays, for b
	b.publish(c)
	if err := b.dest.Delete(b.ctx(), c.Files[0].Name); err != nil {
		t.Fatal(err)
	}
	if o := b.publish(c); o != Done || b.visible() != "" {
		t.Fatalf("%s, visible %q", o, b.visible())
	}
	// A process that claimed before the commit was done comes late to its file.
	res, err := b.ledger.WriteFile(b.ctx(), c, c.Files[0], b.encode)
	if err != nil || !res.Done || b.visible() != "" {
		t.Fatalf("%+v, %v, visible %q", res, err, b.visible())
	}
	if err := b.ledger.Finish(b.ctx(), c, []FileResult{res}); err != nil {
		t.Fatal(err)
	}
}

func TestSinkNamesAreOneSegment(t *testing.T) {
	for sink, want := range map[string]string{
		"trips": "ledger/trips/", "a/b": "ledger/a%2Fb/", ".tmp-x": "ledger/%2Etmp-x/", "..": "ledger/%2E./", "a b": "ledger/a%20b/",
	} {
		if got := NewLedger(LedgerOptions{Sink: sink}).prefix(); got != want {
			t.Errorf("%q: got %s, want %s", sink, got, want)
		}
	}
}

func TestPieceLivesUntilAllBeforeItAreDone(t *testing.T) {
	b := newBench(t, 0)
	r := b.attach()
	if err := r.Add(b.stage("a", "b"), 0); err != nil {
		t.Fatal(err)
	}
	first, _ := r.Cut([]string{"a"}, CutOptions{NewID: b.newID})
	second, _ := r.Cut([]string{"b"}, CutOptions{NewID: b.newID})
	if d := cmp.Diff([]string{"pieces/0001"}, second.Pieces); d != "" || len(first.Pieces) > 0 {
		t.Fatal(first.Pieces, d)
	}
	if _, err := b.ledger.Claim(b.ctx(), first); err != nil {
		t.Fatal(err)
	}
	b.publish(second)
	if s := b.state(); s.Through != 1 || !s.Open[1].Done || s.Open[0].Done {
		t.Fatalf("status %+v", s)
	}
	if p, err := b.ledger.OpenPieces(b.ctx()); !p["pieces/0001"] || len(p) != 1 || err != nil {
		t.Fatalf("open pieces %v, %v", p, err)
	}
	if o := b.publish(first); o != Again {
		t.Fatalf("outcome %s", o)
	}
	if d := cmp.Diff("a of pieces/0001\nb of pieces/0001\n", b.visible()); d != "" {
		t.Error(d)
	}
	if left := b.staged("pieces/"); left != nil || b.state().Through != 3 {
		t.Errorf("left %v, status %+v", left, b.state())
	}
}

func TestClaimWaitsForItsPredecessor(t *testing.T) {
	b := newBench(t, 0)
	r := b.attach()
	first, second := b.cut(r, false, b.stage("a")), b.cut(r, false, b.stage("a"))
	if _, err := b.ledger.Claim(b.ctx(), second); !errors.Is(err, ErrEarly) {
		t.Fatalf("got %v", err)
	}
	b.publish(first)
	b.publish(second)
}

func TestConflicts(t *testing.T) {
	b := newBench(t, 1)
	r := b.attach()
	copied, err := DecodeRoll(r.Encode(), r.o)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.publish(b.cut(r, false, b.stage("a")))
	}
	before := b.visible()
	check := func(c Commit, want History, words string) {
		t.Helper()
		_, err := b.ledger.Publish(b.ctx(), c, b.encode)
		e, ok := errors.AsType[*ConflictError](err)
		if !ok || e.History != want || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want %s", err, want)
		}
		if d := cmp.Diff(before, b.visible()); d != "" {
			t.Error(d)
		}
	}
	check(b.cut(copied, false, b.stage("a")), Trimmed, "reset --keep")
	copied.next, copied.prev = 5, id(7)
	check(b.cut(copied, false, b.stage("a")), Older, "newest state")
	live := b.cut(r, false, b.stage("a"))
	live.Epoch = 3
	if _, err := b.ledger.Claim(b.ctx(), live); err != nil {
		t.Fatal(err)
	}
	other := live
	other.ID, other.Epoch = id(8), 2
	check(other, Zombie, "FENCED")
	b.publish(live)
	before = b.visible()
	check(other, Zombie, "FENCED")
	if _, err := b.ledger.Reset(b.ctx(), ResetOptions{Incarnation: id(2)}); err != nil {
		t.Fatal(err)
	}
	check(b.cut(r, false, b.stage("a")), Fenced, "was reset")
}

func TestTrimKeepsTheLastCommits(t *testing.T) {
	b := newBench(t, 2)
	r := b.attach()
	for range 5 {
		b.publish(b.cut(r, false, b.stage("a")))
	}
	want := []string{"0000000005.claim", "0000000005.done", "0000000006.claim", "0000000006.done", "through/0000000006"}
	if d := cmp.Diff(want, b.staged("ledger/trips/")); d != "" {
		t.Fatal(d)
	}
	if s := b.state(); s.Totals.Visible.Rows != 5 || s.Totals.Commits != 5 || s.Totals.Parts[0].Weight != 10 || string(s.Totals.Parts[0].Last) != "pieces/0005" {
		t.Fatalf("totals %+v", s.Totals)
	}
}

func TestDoneDecidesBeforeTheClaim(t *testing.T) {
	b := newBench(t, 0)
	r := b.attach()
	first, second := b.cut(r, false, b.stage("a")), b.cut(r, false, b.stage("a"))
	b.publish(first)
	b.publish(second)
	// A trim that had its claim but not yet its done record, and a zombie that claimed the number anew.
	zombie := first
	zombie.ID = id(9)
	data, err := zombie.Encode()
	if err != nil {
		t.Fatal(err)
	}
	name := b.ledger.name(first.Seq, claimExt)
	if err := b.staging.Delete(b.ctx(), name); err != nil {
		t.Fatal(err)
	}
	if err := b.staging.Create(b.ctx(), name, data); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Commit{first, second} {
		if o := b.publish(c); o != Done {
			t.Errorf("number %d: %s", c.Seq, o)
		}
	}
	if _, err := b.ledger.Claim(b.ctx(), zombie); err == nil {
		t.Error("the zombie was let through")
	}
}

func TestFinishRefusesWrongResults(t *testing.T) {
	b := newBench(t, 0)
	c := b.cut(b.attach(), false, b.stage("a", "b"))
	name := func(i int) string { return c.Files[i].Name }
	for what, results := range map[string][]FileResult{
		"no result for the file": {{Name: name(0), Rows: 1}},
		"has 1 rows, but 2":      {{Name: name(0), Rows: 1}, {Name: name(1), Rows: 2}},
		"has no file x":          {{Name: name(0), Rows: 1}, {Name: name(1), Rejected: 1}, {Name: "x"}},
	} {
		if err := b.ledger.Finish(b.ctx(), c, results); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want %q", err, what)
		}
	}
	if b.state().Through != 1 {
		t.Error("a done record was written")
	}
}

func TestDamagedPieceIsNotPublished(t *testing.T) {
	b := newBench(t, 0)
	s := b.stage("a")
	c := b.cut(b.attach(), false, s)
	if err := b.staging.Put(b.ctx(), s.Piece, func(w io.Writer) error {
		_, err := io.WriteString(w, "A of pieces/0001\n")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.Publish(b.ctx(), c, b.encode); !errors.Is(err, ErrDamaged) || b.visible() != "" {
		t.Fatalf("%v, visible %q", err, b.visible())
	}
	for _, g := range []Range{{Piece: s.Piece, Off: 0, Len: 1 << 40}, {Piece: s.Piece, Off: 9, Len: -1}, {Piece: s.Piece, Off: 18, Len: 1}} {
		if _, err := ReadRange(b.ctx(), b.staging, g); !errors.Is(err, ErrDamaged) {
			t.Errorf("range %+v: %v", g, err)
		}
	}
}

func TestEndIsCutOnce(t *testing.T) {
	b := newBench(t, 0)
	r := b.attach()
	c := b.cut(r, true)
	b.publish(c)
	if s := b.state(); !s.Ended {
		t.Fatalf("status %+v", s)
	}
	if _, ok := r.Cut(nil, CutOptions{NewID: b.newID, End: true}); ok {
		t.Error("a second end was cut")
	}
	if err := r.Add(b.stage("a"), 0); err == nil {
		t.Error("rows after the end were taken")
	}
	a, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: id(1), Resumed: true})
	if err != nil || !a.Ended {
		t.Fatalf("%+v, %v", a, err)
	}
}
