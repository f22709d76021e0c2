package window_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"github.com/millrace-io/millrace/transforms/window"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Mistakes come with the line of the user's call, all at once.
func TestMistakesInAGraph(t *testing.T) {
	_, err := flow.Build("mistakes", func(p *flow.Pipeline) {
		timed := grouptest.Read(p, "timed", func(r trip) time.Time { return r.Pickup }, trip{})
		timeless := grouptest.Read[trip](p, "timeless", nil, trip{})
		window.Fixed("no time", timeless.Rows, time.Hour, window.Options{Keys: []string{"zone"}, Values: window.Values{"n": window.Count()}})
		window.Fixed("two", timed.Rows, time.Hour, window.Options{Keys: []string{"zonk"}, Values: window.Values{"n": window.Sum("zone")}})
	})
	var got []string
	for _, line := range strings.Split(fmt.Sprint(err), "\n") {
		file, rest, _ := strings.Cut(line, ": ")
		if !strings.Contains(file, "flow_test.go:") {
			t.Errorf("mistake at %s", file)
		}
		got = append(got, rest)
	}
	if diff := cmp.Diff([]string{
		`step "no time": a window needs rows with an event time; those of step "timeless" have none`,
		`step "two": Keys: there is no column "zonk"; there are: pickup, zone, fare`,
		`step "two": Values: "n": sum of column "zone" of type utf8: the column must hold numbers`,
	}, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

// sums are the figures of one hour and zone.
type sums struct {
	Trips int64
	Fare  float64
}

type group struct {
	Hour int64
	Zone string
}

func randomTrips(n int) []trip {
	rng := rand.New(rand.NewPCG(7, 7))
	out := make([]trip, n)
	for i := range out {
		out[i] = trip{
			at("08:00").Add(time.Duration(rng.IntN(6*3600)) * time.Second), string(rune('A' + rng.IntN(5))), float64(rng.IntN(400)) / 4,
		}
	}
	return out
}

func add(to map[group]sums, h hour) {
	k := group{h.Hour.Unix(), h.Zone}
	s := to[k]
	to[k] = sums{s.Trips + h.Trips, s.Fare + *h.Fare}
}

// Results and late rows together are what a loop gives, whatever the batches, workers, watermarks and crashes.
func TestFlowAgainstLoop(t *testing.T) {
	rows := randomTrips(200)
	want := map[group]sums{}
	for _, r := range rows {
		add(want, hour{r.Pickup.Truncate(time.Hour), r.Zone, 1, &r.Fare})
	}
	for name, ahead := range map[string]time.Duration{"in time": 0, "with late rows": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			var results, late *flow.Collection[hour]
			grouptest.Flow[trip]{
				At:    func(r trip) time.Time { return r.Pickup },
				Ahead: ahead,
				Build: func(in flow.Rows) {
					w := window.Fixed("hourly", in, time.Hour, window.Options{
						Keys: []string{"zone"}, Start: "hour", Lateness: time.Minute,
						Values: window.Values{"trips": window.Count(), "fare": window.Sum("fare")},
					})
					results, late = flow.Collect[hour]("results", w.Rows), flow.Collect[hour]("late", w.Late)
				},
				Check: func(t testing.TB) {
					got := map[group]sums{}
					for i, c := range []*flow.Collection[hour]{results, late} {
						rows, err := c.Rows(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if i == 1 && ahead == 0 && len(rows) > 0 {
							t.Errorf("%d late rows, though no watermark was wrong", len(rows))
						}
						for _, r := range rows {
							add(got, r)
						}
						if i == 0 && len(rows) != len(got) {
							t.Errorf("%d results for %d hours and zones", len(rows), len(got))
						}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("hours (-want +got):\n%s", diff)
					}
				},
			}.Run(t, rows)
		})
	}
}
