package window_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/dedupe"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"github.com/millrace-io/millrace/transforms/window"
)

// pane is what a window and key have.
type pane struct {
	Window time.Time
	Key    int64
}

// figures are the values of a pane.
type figures struct{ N, IDs int64 }

// result is a row of the step, and of its Late; LateRows is null in results, which have no such column.
type result struct {
	Window time.Time
	Key    int64
	N, Ids int64
}

// counted is one job: a step over a live feed and, sometimes, a history before it.
type counted struct {
	live, past *grouptest.Feed[grouptest.Tick]
	once       bool // a dedupe step before it
	ways       grouptest.Ways
	o          window.Options
	rows       *flow.Collection[result]
	late       *flow.Collection[result]
	lateTicks  *flow.Collection[grouptest.Tick]
}

func (c *counted) build(p *flow.Pipeline) {
	in := c.live.Read(p, "live").Rows
	if c.past != nil {
		in = flow.Flatten("all", c.past.Read(p, "past").Rows, in)
	}
	if c.once {
		in = dedupe.Rows("once", in, dedupe.Options{Keys: []string{"id"}}).Rows
	}
	w := window.Fixed("w", grouptest.Shaky("shaky", grouptest.Relay("first", in, c.ways.Unsure), c.ways.Shaky), time.Minute, c.o)
	c.rows = flow.Collect[result]("rows", grouptest.Relay("relay", w.Rows, c.ways.Unsure))
	if c.o.LateRows {
		c.lateTicks = flow.Collect[grouptest.Tick]("late", w.Late)
	} else {
		c.late = flow.Collect[result]("late", w.Late)
	}
}

// gathered gives every pane's figures, results and late rows together; no pane may have two results.
func (c *counted) gathered(t *rapid.T) map[pane]figures {
	got := map[pane]figures{}
	add := func(r result) {
		k := pane{r.Window.UTC(), r.Key}
		f := got[k]
		got[k] = figures{f.N + r.N, f.IDs + r.Ids}
	}
	for _, r := range all(t, c.rows) {
		if _, twice := got[pane{r.Window.UTC(), r.Key}]; twice {
			t.Errorf("window %v has two results for key %d", r.Window, r.Key)
		}
		add(r)
	}
	if c.o.LateRows {
		for _, r := range all(t, c.lateTicks) {
			add(result{r.At.Truncate(time.Minute), r.Key, 1, r.ID})
		}
		return got
	}
	for _, r := range all(t, c.late) {
		add(r)
	}
	return got
}

// fataler is what checks need of a test.
type fataler interface {
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

func all[T any](t fataler, c *flow.Collection[T]) []T {
	rows, err := c.Rows(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Through the real engine each row is counted once, in a result or as late, no window has two results, and nothing stays
// behind: whatever the watermarks, workers, crashes and stops.
func TestEngineAgainstLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := counted{live: grouptest.DrawTicks(t, 0), o: window.Options{
			Keys:     []string{"key"},
			Lateness: time.Duration(rapid.IntRange(0, 3).Draw(t, "lateness")) * time.Minute,
			LateRows: rapid.Bool().Draw(t, "late rows"),
			Values:   window.Values{"n": window.Count(), "ids": window.Sum("id")},
		}}
		c.once = rapid.Bool().Draw(t, "behind another keyed step")
		ticks := c.live.Rows()
		if rapid.Bool().Draw(t, "history") {
			c.past = grouptest.DrawTicks(t, 1<<20)
			c.past.Bounded, c.past.Idle = true, false
			ticks = append(ticks, c.past.Rows()...)
		}
		c.ways = grouptest.DrawWays(t)
		res, err := c.ways.Run(c.build)
		if err != nil {
			t.Fatal(err)
		}
		want := map[pane]figures{}
		for _, r := range ticks {
			k := pane{r.At.Truncate(time.Minute), r.Key}
			f := want[k]
			want[k] = figures{f.N + 1, f.IDs + r.ID}
		}
		if diff := cmp.Diff(want, c.gathered(t)); diff != "" {
			t.Errorf("windows (-want +got)\n%s", diff)
		}
		balanced(t, res, "w", int64(len(ticks)))
	})
}

// balanced checks the step's own books at the job's end.
func balanced(t fataler, res runners.Result, step string, rows int64) {
	n := res.Steps[step]
	if n["held"] != 0 || n["in"] != rows || n["out"]+n["late"] != rows {
		t.Errorf("of %d rows the step has taken %d and given %d, late %d, held %d", rows, n["in"], n["out"], n["late"], n["held"])
	}
}

// A run until now has read every partition to its end when it stops, whatever ended the runs before it; windows stay open.
func TestEngineUntilNow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := counted{live: grouptest.DrawTicks(t, 0), o: window.Options{Keys: []string{"key"}, Values: window.Values{"n": window.Count(), "ids": window.Sum("id")}}}
		c.live.Idle = true
		c.live.Appear()
		ways := grouptest.DrawWays(t)
		ways.Now = true
		res, err := ways.Run(c.build)
		if err != nil {
			t.Fatal(err)
		}
		n, rows := res.Steps["w"], int64(len(c.live.Rows()))
		if res.State != "stopped" || n["in"] != rows || n["out"]+n["late"]+n["held"] != rows {
			t.Errorf("%s: of %d rows the step has taken %d and given %d, late %d, held %d", res.State, rows, n["in"], n["out"], n["late"], n["held"])
		}
	})
}

// instant is a row at any time.
type instant struct{ Micros, ID int64 }

// Rows at the ends of time come through, too: what is behind the job's END is counted before the sinks say that they are
// complete.
func TestEngineAtTheEndsOfTime(t *testing.T) {
	f := &grouptest.Feed[instant]{At: func(r instant) time.Time { return time.UnixMicro(r.Micros) }}
	end := flow.END * 1000
	var want []int64
	for i, us := range []int64{math.MaxInt64, math.MaxInt64 - 1e9, end + 999, end, end - 1, 0, math.MinInt64 + 1e9, math.MinInt64 + 1} {
		r := instant{us, int64(i)}
		f.Parts = append(f.Parts, []grouptest.Page[instant]{{Rows: []instant{r}, Watermark: f.At(r)}})
		want = append(want, r.ID, r.ID)
	}
	for _, workers := range []int{1, 4} {
		var out [3]*flow.Collection[struct{ ID int64 }]
		res, err := grouptest.Ways{Workers: workers}.Run(func(p *flow.Pipeline) {
			in := f.Read(p, "in").Rows
			w := window.Fixed("w", in, time.Minute, window.Options{Keys: []string{"id"}, Lateness: time.Minute, Values: window.Values{"n": window.Count()}})
			for i, rows := range []flow.Rows{in, w.Rows, w.Late} {
				out[i] = flow.Collect[struct{ ID int64 }]([]string{"plain", "rows", "late"}[i], rows)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, c := range out {
			for _, r := range all(t, c) {
				got = append(got, r.ID)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d workers: rows, plain and counted (-want +got)\n%s", workers, diff)
		}
		balanced(t, res, "w", int64(len(f.Parts)))
	}
}
