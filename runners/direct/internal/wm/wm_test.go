package wm

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func stage(t *testing.T, tr *Tracker, id string, producers ...string) *Stage {
	t.Helper()
	s, err := tr.AddStage(id, producers...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func remove(t *testing.T, times *Times, ts int64) {
	t.Helper()
	if err := times.Remove(ts); err != nil {
		t.Fatal(err)
	}
}

func ids(stages []*Stage) []string {
	var out []string
	for _, s := range stages {
		out = append(out, s.ID())
	}
	return out
}

func TestWatermarksFollowElementsAndHolds(t *testing.T) {
	tr := New()
	read := stage(t, tr, "read")
	keyed := stage(t, tr, "keyed", "read")
	write := stage(t, tr, "write", "keyed")
	want := func(what string, changed []*Stage, wantChanged []string, values map[string]Value) {
		t.Helper()
		if d := cmp.Diff(wantChanged, ids(changed)); d != "" {
			t.Errorf("%s: changed (-want +got):\n%s", what, d)
		}
		if d := cmp.Diff(values, tr.Values()); d != "" {
			t.Errorf("%s: values (-want +got):\n%s", what, d)
		}
	}
	want("before the first Advance", nil, nil, map[string]Value{"read": {Min, Min}, "keyed": {Min, Min}, "write": {Min, Min}})

	read.Holds.Add(10)
	want("a residual at 10", tr.Advance(), []string{"read", "keyed", "write"},
		map[string]Value{"read": {Max, 10}, "keyed": {10, 10}, "write": {10, 10}})

	read.Holds.Add(20)
	remove(t, &read.Holds, 10)
	keyed.Pending.Add(12)
	want("the residual moved on and left an element", tr.Advance(), []string{"read", "keyed", "write"},
		map[string]Value{"read": {Max, 20}, "keyed": {12, 12}, "write": {12, 12}})

	remove(t, &keyed.Pending, 12)
	keyed.Holds.Add(12)
	want("the element became a timer", tr.Advance(), []string{"keyed"},
		map[string]Value{"read": {Max, 20}, "keyed": {20, 12}, "write": {12, 12}})

	remove(t, &read.Holds, 20)
	want("the source ended", tr.Advance(), []string{"read", "keyed"},
		map[string]Value{"read": {Max, Max}, "keyed": {Max, 12}, "write": {12, 12}})

	remove(t, &keyed.Holds, 12)
	write.Pending.Add(5)
	want("the timer fired a late element", tr.Advance(), []string{"keyed"},
		map[string]Value{"read": {Max, Max}, "keyed": {Max, Max}, "write": {12, 12}})

	remove(t, &write.Pending, 5)
	want("the end", tr.Advance(), []string{"write"},
		map[string]Value{"read": {Max, Max}, "keyed": {Max, Max}, "write": {Max, Max}})
	want("nothing new", tr.Advance(), nil, tr.Values())
}

func TestRestoreKeepsWhatWasPublished(t *testing.T) {
	tr := New()
	a := stage(t, tr, "a")
	b := stage(t, tr, "b", "a")
	a.Holds.Add(5) // a late residual: older than what was published
	if err := tr.Restore(map[string]Value{"a": {Max, 40}, "b": {30, 20}}); err != nil {
		t.Fatal(err)
	}
	b.Pending.Add(33)
	tr.Advance()
	if d := cmp.Diff(map[string]Value{"a": {Max, 40}, "b": {33, 33}}, tr.Values()); d != "" {
		t.Error(d)
	}
}

func TestMistakesAreReported(t *testing.T) {
	tr := New()
	s := stage(t, tr, "a")
	_, twice := tr.AddStage("a")
	_, unknown := tr.AddStage("b", "c")
	s.Pending.Add(1)
	remove(t, &s.Pending, 1)
	for want, err := range map[string]error{
		`stage "a" is added twice`:                           twice,
		`stage "b": producer "c" is unknown`:                 unknown,
		`time 1 is removed more often than it was added`:     s.Pending.Remove(1),
		`the saved state has a stage "x"`:                    tr.Restore(map[string]Value{"x": {}}),
		`stage "a": time 7 is removed more often than it wa`: s.Holds.Remove(7),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if tr.Stage("b") != nil || tr.Stage("a") != s {
		t.Error("a refused stage is in the tracker")
	}
}

func TestTimesAgainstASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := newTimes(&Stage{})
		var model []int64
		removes := rapid.IntRange(0, 9).Draw(t, "removes of ten")
		seed := rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 3000 {
			switch n := rng.IntN(11); {
			case n < removes && len(model) > 0:
				i := rng.IntN(len(model))
				if err := times.Remove(model[i]); err != nil {
					t.Fatal(err)
				}
				model = slices.Delete(model, i, i+1)
			case n < 10:
				ts := rng.Int64N(500)
				times.Add(ts)
				model = append(model, ts)
			case times.Len() != len(model) || times.Min() != slices.Min(append(model, Max)):
				t.Fatalf("Min %d, Len %d with %v", times.Min(), times.Len(), model)
			}
		}
	})
}

// An old element that stays must not make the tracker keep what passes it.
func TestTimesForgetWhatWasRemoved(t *testing.T) {
	times := newTimes(&Stage{})
	times.Add(-1)
	rng := rand.New(rand.NewPCG(1, 1))
	var window []int64
	for ts := range int64(1_000_000) {
		times.Add(ts)
		window = append(window, ts)
		if len(window) == 100 {
			i := rng.IntN(len(window))
			remove(t, &times, window[i])
			window = slices.Delete(window, i, i+1)
		}
	}
	if n := len(times.order); n > 2*len(window)+100 || n != len(times.counts) {
		t.Errorf("%d times are kept and %d counted for %d that are there", n, len(times.counts), len(window))
	}
	if times.Min() != -1 {
		t.Errorf("Min = %d", times.Min())
	}
}

func BenchmarkAddRemoveAdvance(b *testing.B) {
	tr := New()
	var stages []*Stage
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		s, _ := tr.AddStage(id, ids(stages)...)
		stages = append(stages, s)
	}
	for i := range b.N {
		stages[i%5].Pending.Add(int64(i))
		if i >= 1000 {
			_ = stages[i%5].Pending.Remove(int64(i - 1000))
		}
		tr.Advance()
	}
}
