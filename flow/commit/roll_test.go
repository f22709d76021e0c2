package commit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func rollOptions() RollOptions {
	return RollOptions{Sink: testSink, Job: testJob, Incarnation: id(1), First: 1, Extension: ".txt"}
}

// element stages one range of the given rows and bytes per destination.
func element(piece string, rows, size int64, dests ...string) Staged {
	s := Staged{Piece: piece, NumRanges: len(dests)}
	for i, d := range dests {
		s.Manifests = append(s.Manifests, Manifest{Piece: piece, Dest: d, Off: int64(i) * size, Len: size, Counts: Counts{Rows: rows, Weight: rows}})
	}
	return s
}

func mustAdd(t *testing.T, r *Roll, now int64, s ...Staged) {
	t.Helper()
	for _, e := range s {
		if err := r.Add(e, now); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDue(t *testing.T) {
	o := rollOptions()
	o.Rows, o.Bytes, o.Age, o.MaxOpen = 10, 100, time.Second, 4
	o.AgeOf = func(dest string) time.Duration {
		if dest == "quick" {
			return time.Millisecond
		}
		return time.Second
	}
	for what, c := range map[string]struct {
		add  []Staged
		now  int64
		want []string
	}{
		"nothing":       {},
		"below":         {add: []Staged{element("p", 9, 99, "a")}, now: 1099},
		"rows":          {add: []Staged{element("p", 5, 1, "a", "b"), element("q", 5, 1, "a")}, now: 100, want: []string{"a"}},
		"bytes":         {add: []Staged{element("p", 1, 100, "b", "a")}, now: 100, want: []string{"a", "b"}},
		"age":           {add: []Staged{element("p", 1, 1, "a")}, now: 1100, want: []string{"a"}},
		"own age":       {add: []Staged{element("p", 1, 1, "a", "quick")}, now: 101, want: []string{"quick"}},
		"clock is back": {add: []Staged{element("p", 1, 1, "a")}, now: 99, want: []string{"a"}},
		"too many": {
			add: []Staged{element("p", 1, 1, "a", "b"), element("q", 1, 1, "b", "c"), element("r", 1, 1, "b")},
			now: 100, want: []string{"b"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := NewRoll(o)
			mustAdd(t, r, 100, c.add...)
			if d := cmp.Diff(c.want, r.Due(c.now)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNextDeadline(t *testing.T) {
	o := rollOptions()
	o.Age = time.Second
	r := NewRoll(o)
	if _, ok := r.NextDeadline(); ok {
		t.Error("an empty roll has a deadline")
	}
	mustAdd(t, r, 500, element("p", 1, 1, "late"))
	mustAdd(t, r, 100, element("q", 1, 1, "early"))
	mustAdd(t, r, 50, element("r", 1, 1, "late"))
	if ms, ok := r.NextDeadline(); !ok || ms != 1100 {
		t.Errorf("got %d, %t", ms, ok)
	}
}

func TestCutNumbersAndChains(t *testing.T) {
	r := NewRoll(rollOptions())
	ids := 0
	draw := func() string { ids++; return id(100 + ids) }
	mustAdd(t, r, 0, element("p", 1, 10, "a", "b"))
	first, _ := r.Cut([]string{"b", "none"}, CutOptions{NewID: draw})
	if _, ok := r.Cut([]string{"b"}, CutOptions{NewID: draw}); ok {
		t.Error("an empty commit was cut")
	}
	second, _ := r.Cut(nil, CutOptions{NewID: draw, End: true})
	got := []Commit{first, second}
	for i := range got {
		for j := range got[i].Files {
			got[i].Files[j].Ranges = nil
		}
	}
	tag := filePrefix(testJob, testSink)
	want := []Commit{
		{
			Version: 1, Sink: testSink, Job: testJob, Incarnation: id(1), Seq: 2, ID: id(101), Prev: id(1), Held: Counts{1, 1},
			Files: []File{{Name: "b/" + tag + "0000000002-0000-" + id(101) + ".txt", Dest: "b", Counts: Counts{1, 1}}},
		},
		{
			Version: 1, Sink: testSink, Job: testJob, Incarnation: id(1), Seq: 3, ID: id(102), Prev: id(101), End: true, Pieces: []string{"p"},
			Files: []File{{Name: "a/" + tag + "0000000003-0000-" + id(102) + ".txt", Dest: "a", Counts: Counts{1, 1}}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !r.Ended() || r.Held() != (Counts{}) || len(r.Pieces()) > 0 {
		t.Errorf("left: %v %v", r.Held(), r.Pieces())
	}
}

func TestCutSplitsFilesAtRanges(t *testing.T) {
	o := rollOptions()
	o.FileBytes = 25
	r := NewRoll(o)
	for i, size := range []int64{10, 10, 10, 40, 10, 15} {
		mustAdd(t, r, 0, element(fmt.Sprint("p", i), 1, size, "a"))
	}
	c, _ := r.Cut([]string{"a"}, CutOptions{NewID: NewID})
	var got [][]string
	for _, f := range c.Files {
		var in []string
		for _, g := range f.Ranges {
			in = append(in, g.Piece)
		}
		got = append(got, in)
	}
	if d := cmp.Diff([][]string{{"p0", "p1"}, {"p2"}, {"p3"}, {"p4", "p5"}}, got); d != "" {
		t.Error(d)
	}
}

func TestCutSumsPartitions(t *testing.T) {
	r := NewRoll(rollOptions())
	part := func(p, first, last string, rows int64) PartRange {
		return PartRange{Partition: p, Counts: Counts{rows, 2 * rows}, First: []byte(first), Last: []byte(last)}
	}
	for i, parts := range [][]PartRange{{part("a", "3", "5", 1), part("c", "1", "1", 1)}, {part("a", "1", "9", 2), part("b", "7", "7", 1)}, nil} {
		s := element(fmt.Sprint("p", i), 3, 10, "x")
		s.Manifests[0].Parts, s.Manifests[0].MinTime, s.Manifests[0].MaxTime = parts, int64(-i), int64(i)
		mustAdd(t, r, 0, s)
	}
	c, _ := r.Cut([]string{"x"}, CutOptions{NewID: NewID})
	f := c.Files[0]
	want := []PartRange{part("a", "1", "9", 3), part("b", "7", "7", 1), part("c", "1", "1", 1)}
	if d := cmp.Diff(want, f.Parts); d != "" || f.MinTime != -2 || f.MaxTime != 2 || f.Rows != 9 {
		t.Errorf("%+v %s", f, d)
	}
}

func TestAddRefusesWhatStagingNeverGives(t *testing.T) {
	wrong := func(change func(*Staged)) Staged {
		s := element("p", 1, 1, "a", "b")
		change(&s)
		return s
	}
	for what, s := range map[string]Staged{
		"no ranges":     {Piece: "p", NumRanges: 1},
		"no piece":      element("", 1, 1, "a"),
		"too few":       wrong(func(s *Staged) { s.NumRanges = 1 }),
		"other piece":   wrong(func(s *Staged) { s.Manifests[0].Piece = "q" }),
		"no rows":       wrong(func(s *Staged) { s.Manifests[0].Rows = 0 }),
		"no bytes":      wrong(func(s *Staged) { s.Manifests[1].Len = 0 }),
		"negative":      wrong(func(s *Staged) { s.Manifests[1].Off = -1 }),
		"not sorted":    wrong(func(s *Staged) { s.Manifests[0].Parts = []PartRange{{Partition: "b"}, {Partition: "a"}} }),
		"seen already":  element("old", 1, 1, "a"),
		"huge promises": wrong(func(s *Staged) { s.NumRanges = 1 << 40 }),
	} {
		r := NewRoll(rollOptions())
		old := element("old", 1, 1, "a")
		mustAdd(t, r, 0, old)
		if err := r.Add(s, 0); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

// TestRollNeverLosesARange compares a roll that is stored and read at every step with the ranges that went in.
func TestRollNeverLosesARange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := rollOptions()
		o.Rows, o.FileBytes = 20, rapid.Int64Range(1, 60).Draw(t, "file bytes")
		r := NewRoll(o)
		var in, out, pieces, dead []string
		prev, seq := id(1), int64(1)
		take := func(c Commit, ok bool) {
			if !ok {
				return
			}
			if c.Seq != seq+1 || c.Prev != prev {
				t.Fatalf("number %d behind %s, want %d behind %s", c.Seq, c.Prev, seq+1, prev)
			}
			seq, prev = c.Seq, c.ID
			dead = append(dead, c.Pieces...)
			for _, f := range c.Files {
				for _, g := range f.Ranges {
					out = append(out, fmt.Sprint(f.Dest, g.Piece, g.Off))
				}
			}
		}
		for step := range int64(rapid.IntRange(1, 30).Draw(t, "steps")) {
			dests := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "a", "b", "c"}), 1, 4, rapid.ID[string]).Draw(t, "dests")
			s := element(fmt.Sprint("piece", step), rapid.Int64Range(1, 9).Draw(t, "rows"), 10, dests...)
			cut := rapid.IntRange(0, len(dests)).Draw(t, "in two elements")
			pieces = append(pieces, s.Piece)
			for _, part := range [][]Manifest{s.Manifests[:cut], s.Manifests[cut:]} {
				if len(part) == 0 {
					continue
				}
				if err := r.Add(Staged{Piece: s.Piece, NumRanges: s.NumRanges, Manifests: part}, step*1000); err != nil {
					t.Fatal(err)
				}
				for _, m := range part {
					in = append(in, fmt.Sprint(m.Dest, m.Piece, m.Off))
				}
				take(r.Cut(r.Due(step*1000), CutOptions{NewID: NewID}))
			}
			again, err := DecodeRoll(r.Encode(), o)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(r, again, cmp.AllowUnexported(Roll{}, waiting{}, piece{}), cmp.FilterPath(isFunc, cmp.Ignore())); d != "" {
				t.Fatal(d)
			}
			r = again
		}
		take(r.Cut(nil, CutOptions{NewID: NewID, End: true}))
		for _, l := range [][]string{in, out, pieces, dead} {
			slices.Sort(l)
		}
		if d := cmp.Diff(in, out) + cmp.Diff(pieces, dead); d != "" {
			t.Fatal(d)
		}
	})
}

func isFunc(p cmp.Path) bool {
	return p.Last().Type() != nil && p.Last().Type().Kind().String() == "func"
}

func TestStateOfAnotherJobIsRefused(t *testing.T) {
	data := NewRoll(rollOptions()).Encode()
	for _, change := range []func(*RollOptions){
		func(o *RollOptions) { o.Sink = "other" }, func(o *RollOptions) { o.Job = "other" }, func(o *RollOptions) { o.Incarnation = id(2) },
	} {
		o := rollOptions()
		change(&o)
		if _, err := DecodeRoll(data, o); err == nil || !strings.Contains(err.Error(), "belongs to") {
			t.Errorf("got %v", err)
		}
	}
	if r, err := DecodeRoll(nil, rollOptions()); err != nil || r.next != 2 {
		t.Errorf("a new state: %v", err)
	}
}

func TestStateStaysSmall(t *testing.T) {
	r := NewRoll(rollOptions())
	for i := range 1000 {
		mustAdd(t, r, 0, element(fmt.Sprintf("pieces/0001/%032x.arrow", i), 1000, 10_000,
			"day=2024-01-01/vendor_id=1", "day=2024-01-01/vendor_id=2", "day=2024-01-02/vendor_id=1", "day=2024-01-02/vendor_id=2"))
	}
	if size := len(r.Encode()) / 4000; size > 48 {
		t.Errorf("%d bytes per range", size)
	}
}
