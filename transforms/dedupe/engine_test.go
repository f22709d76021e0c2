package dedupe_test

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/dedupe"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

// repeated gives rows again: in another page and partition, at the same time.
func repeated(t *rapid.T, f *grouptest.Feed[grouptest.Tick]) []grouptest.Tick {
	for i, r := range f.Rows() {
		if i%3 == 0 {
			pages := f.Parts[rapid.IntRange(0, len(f.Parts)-1).Draw(t, "partition")]
			if len(pages) > 0 {
				p := &pages[rapid.IntRange(0, len(pages)-1).Draw(t, "page")]
				p.Rows = append(p.Rows, r)
			}
		}
	}
	return f.Rows()
}

// Through the real engine, of equal rows one passes at most, each row passes, is dropped or is late, and without late rows
// one of each passes: whatever the watermarks, workers, crashes and stops.
func TestEngineAgainstLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		feed := grouptest.DrawTicks(t, 0)
		rows := repeated(t, feed)
		horizon := time.Duration(rapid.SampledFrom([]int{0, 1, 5, 100, 1000}).Draw(t, "horizon in minutes")) * time.Minute
		var once, late *flow.Collection[grouptest.Tick]
		ways := grouptest.DrawWays(t)
		res, err := ways.Run(func(p *flow.Pipeline) {
			in := grouptest.Relay("first", grouptest.Shaky("shaky", feed.Read(p, "in").Rows, ways.Shaky), ways.Unsure)
			d := dedupe.Rows("once", in, dedupe.Options{Horizon: horizon})
			once, late = flow.Collect[grouptest.Tick]("rows", grouptest.Relay("relay", d.Rows, ways.Unsure)), flow.Collect[grouptest.Tick]("late", d.Late)
		})
		if err != nil {
			t.Fatal(err)
		}
		passed, left := all(t, once), all(t, late)
		want := distinct(rows)
		if got := distinct(passed); len(got) != len(passed) {
			t.Errorf("%d rows passed, only %d are different", len(passed), len(got))
		}
		if diff := gocmp.Diff(want, distinct(slices.Concat(passed, left))); diff != "" {
			t.Errorf("rows (-want +got)\n%s", diff)
		}
		if horizon == 0 && len(left) > 0 {
			t.Errorf("%d late rows, though all are remembered for ever", len(left))
		}
		n := res.Steps["once"]
		if n["in"] != int64(len(rows)) || n["out"] != int64(len(passed)) || n["late"] != int64(len(left)) ||
			n["in"] != n["out"]+n["late"]+n["dropped"] || n["held"] != 0 {
			t.Errorf("the books do not balance: %v for %d rows, %d passed, %d late", n, len(rows), len(passed), len(left))
		}
	})
}

// distinct gives the different rows, sorted.
func distinct(rows []grouptest.Tick) []grouptest.Tick {
	out := slices.Clone(rows)
	for i := range out {
		out[i].At = out[i].At.UTC()
	}
	slices.SortFunc(out, func(a, b grouptest.Tick) int { return cmp.Compare(a.ID, b.ID) })
	return slices.Compact(out)
}

func all[T any](t *rapid.T, c *flow.Collection[T]) []T {
	rows, err := c.Rows(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
