package direct

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/timers"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

// windows adds up the values of a key per window of Size records' time. Its timer's tag is the end of the window, and
// its hold the last time within. What comes for a window that has been closed fails the run.
type windows struct {
	Size   int64 // ms
	Open   state.Bag[*rec]
	Closed state.Value[int64]
	At     timers.EventTime
}

func newWindows(size time.Duration) *windows {
	return &windows{
		Size: size.Milliseconds(), Open: state.MakeBagState[*rec]("open"), Closed: state.MakeValueState[int64]("closed"),
		At: timers.InEventTime("at"),
	}
}

func (f *windows) ProcessElement(ts beam.EventTime, sp state.Provider, tp timers.Provider, _ string, r *rec,
	_ func(beam.EventTime, string, *rec),
) error {
	end := (int64(ts)/f.Size + 1) * f.Size
	closed, _, err := f.Closed.Read(sp)
	if err != nil {
		return err
	}
	if end <= closed {
		return fmt.Errorf("record at %d came after the window's end %d had been closed", ts, closed)
	}
	f.At.Set(tp, time.UnixMilli(end), timers.WithTag(strconv.FormatInt(end, 10)), timers.WithOutputTimestamp(time.UnixMilli(end-1)))
	return f.Open.Add(sp, &rec{Seq: end, Val: r.Val, Sum: 1})
}

func (f *windows) OnTimer(ts beam.EventTime, sp state.Provider, tp timers.Provider, _ string, t timers.Context, emit func(beam.EventTime, string, *rec)) error {
	end, err := strconv.ParseInt(t.Tag, 10, 64)
	if err != nil {
		return err
	}
	if int64(ts) != end-1 {
		return fmt.Errorf("timer of window end %d fires at %d", end, ts)
	}
	open, _, err := f.Open.Read(sp)
	if err != nil {
		return err
	}
	out := &rec{Seq: end}
	if err := errors.Join(f.Open.Clear(sp), f.Closed.Write(sp, end)); err != nil {
		return err
	}
	for _, r := range open {
		if r.Seq == end {
			out.Val, out.Sum = out.Val+r.Val, out.Sum+1
		} else if err := f.Open.Add(sp, r); err != nil {
			return err
		}
	}
	emit(mtime.FromMilliseconds(end-1), "all", out)
	return nil
}

func TestEventTimeHolds(t *testing.T) {
	for _, workers := range []int{1, 4} {
		spec := sourceSpec{Partitions: 3, Each: 90, PerCall: 4, Keys: 5}
		p, s := beam.NewPipelineWithRoot()
		small := beam.ParDo(s.Scope("ten"), newWindows(10*time.Second), read(s, spec))
		large := beam.ParDo(s.Scope("thirty"), newWindows(30*time.Second), small)
		gather(s, t.Name(), large)
		mustRun(t, p, Options{Workers: workers, Retries: -1})
		checkWindows(t, taken(t.Name())["all"], spec)
	}
}

// checkWindows compares windows of thirty seconds with a loop.
func checkWindows(t fataler, rs []rec, spec sourceSpec) {
	want, got := map[int64]int64{}, map[int64]int64{}
	for _, r := range spec.all(1) {
		want[(r.time().UnixMilli()/30000+1)*30000] += r.Val
	}
	for _, r := range rs {
		if got[r.Seq] != 0 {
			t.Fatalf("window that ends at %d came twice", r.Seq)
		}
		got[r.Seq] = r.Val
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("windows differ (-want +got):\n%s", d)
	}
}

// TestHoldsThroughRestarts is TestEventTimeHolds through crashes.
func TestHoldsThroughRestarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := sourceGen(4).Draw(t, "source")
		spec.PerCall = max(spec.PerCall, 1)
		db := survivor{store.NewMemory()}
		opts := crashing(t, 20)
		runUntilFinished(t, func(s beam.Scope) {
			small := beam.ParDo(s.Scope("ten"), newWindows(10*time.Second), read(s, spec))
			beam.ParDo0(s, newKeep(t.Name()), beam.ParDo(s.Scope("thirty"), newWindows(30*time.Second), small))
		}, func() (store.Store, error) { return db, nil }, func(run int) Options {
			o := opts(run)
			o.Retries = -1 // late records are errors
			return o
		})
		checkWindows(t, taken(t.Name())["all"], spec)
	})
}

// buffer holds records back until they are a minute old by the clock.
type buffer struct {
	Test string
	Held state.Bag[*rec]
	Set  state.Value[bool]
	Age  timers.ProcessingTime
}

func newBuffer(test string) *buffer {
	return &buffer{
		Test: test, Held: state.MakeBagState[*rec]("held"), Set: state.MakeValueState[bool]("set"),
		Age: timers.InProcessingTime("age"),
	}
}

func (f *buffer) ProcessElement(sp state.Provider, tp timers.Provider, _ string, r *rec, _ func(beam.EventTime, string, *rec)) error {
	set, _, err := f.Set.Read(sp)
	if err != nil {
		return err
	}
	if !set {
		f.Age.Set(tp, time.Now().Add(time.Minute), timers.WithTag("x"), timers.WithNoOutputTimestamp())
	}
	return errors.Join(f.Set.Write(sp, true), f.Held.Add(sp, r))
}

func (f *buffer) OnTimer(sp state.Provider, _ timers.Provider, k string, _ timers.Context, emit func(beam.EventTime, string, *rec)) error {
	held, _, err := f.Held.Read(sp)
	if err != nil {
		return err
	}
	for _, r := range held {
		emit(mtime.FromTime(r.time()), k, r)
	}
	collected.Lock()
	collected.rolls[f.Test] = append(collected.rolls[f.Test], len(held))
	collected.Unlock()
	return errors.Join(f.Held.Clear(sp), f.Set.Clear(sp))
}

func rolls(test string) []int {
	collected.Lock()
	defer collected.Unlock()
	defer delete(collected.rolls, test)
	return collected.rolls[test]
}

func TestProcessingTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := sourceSpec{Partitions: 1, Each: 200, PerCall: 1, Keys: 1, Delay: 1000}
		p, s := beam.NewPipelineWithRoot()
		gather(s, "timers", beam.ParDo(s, newBuffer("timers"), read(s, spec)))
		start := time.Now()
		if _, err := Run(t.Context(), p, Options{Workers: 2}); err != nil {
			t.Fatal(err)
		}
		// One record a second; a minute after the first of a roll the roll is let go. The last roll does not wait: the
		// input has ended.
		if d := cmp.Diff([]int{60, 60, 60, 20}, rolls("timers")); d != "" {
			t.Errorf("rolls differ (-want +got):\n%s", d)
		}
		if got := time.Since(start); got != 199*time.Second {
			t.Errorf("took %v of processing time", got)
		}
		if d := cmp.Diff(spec.all(1), sorted(taken("timers"))); d != "" {
			t.Errorf("records differ (-want +got):\n%s", d)
		}
	})
}

func TestFireProcessingTimersOnStop(t *testing.T) {
	for _, fire := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			spec := sourceSpec{Partitions: 1, Each: 1000, PerCall: 1, Keys: 1, Delay: 1000}
			p, s := beam.NewPipelineWithRoot()
			one := beam.ParDo(s.Scope("one"), newBuffer("one"), read(s, spec))
			gather(s, "stop", beam.ParDo(s.Scope("two"), newBuffer("two"), one))
			var c Control
			time.AfterFunc(9500*time.Millisecond, c.Stop)
			r := mustRun(t, p, Options{Workers: 2, Control: &c, FireProcessingTimersOnStop: fire})
			if r.State != Stopped {
				t.Errorf("state is %s", r.State)
			}
			want := 0
			if fire {
				want = 10
			}
			rolls("one")
			rolls("two")
			if got := len(taken("stop")["k0"]); got != want {
				t.Errorf("fire %v: %d records passed both buffers, want %d", fire, got, want)
			}
		})
	}
}

// clearing sets two timers for a key; the one that fires first clears the other.
type clearing struct{ At timers.EventTime }

func newClearing() *clearing { return &clearing{At: timers.InEventTime("at")} }

func (f *clearing) ProcessElement(tp timers.Provider, _ string, _ *rec, _ func(beam.EventTime, string, *rec)) {
	f.At.Set(tp, time.UnixMilli(10), timers.WithTag("a"))
	f.At.Set(tp, time.UnixMilli(20), timers.WithTag("b"))
}

func (f *clearing) OnTimer(ts beam.EventTime, tp timers.Provider, _ string, t timers.Context, emit func(beam.EventTime, string, *rec)) {
	f.At.ClearTag(tp, "b")
	emit(ts, "fired "+t.Tag, &rec{})
}

// The SDK would call OnTimer for the cleared timer if both came in one bundle.
func TestClearedTimerDoesNotFire(t *testing.T) {
	p, s := beam.NewPipelineWithRoot()
	gather(s, t.Name(), beam.ParDo(s, newClearing(), read(s, sourceSpec{Partitions: 1, Each: 1, Keys: 1})))
	mustRun(t, p, Options{})
	if d := cmp.Diff(map[string][]rec{"fired a": {{}}}, taken(t.Name())); d != "" {
		t.Errorf("timers that fired (-want +got):\n%s", d)
	}
}
