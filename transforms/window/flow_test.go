package window_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"github.com/millrace-io/millrace/transforms/window"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
