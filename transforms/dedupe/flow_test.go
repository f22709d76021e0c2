package dedupe_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/dedupe"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Of equal rows one passes, whatever the batches, workers, watermarks and crashes; none is lost.
func TestFlowAgainstLoop(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	noon := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	var rows []payment
	want := map[payment]bool{}
	for range 200 {
		id := rng.Int64N(80)
		r := payment{noon.Add(time.Duration(id) * time.Minute), id, float64(id % 3)}
		rows, want[r] = append(rows, r), true
	}
	for name, ahead := range map[string]time.Duration{"in time": 0, "with late rows": 2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			var once, late *flow.Collection[payment]
			grouptest.Flow[payment]{
				At:    func(r payment) time.Time { return r.At },
				Ahead: ahead,
				Build: func(in flow.Rows) {
					out := dedupe.Rows("once", in, dedupe.Options{Horizon: 10 * time.Minute})
					once, late = flow.Collect[payment]("rows", out.Rows), flow.Collect[payment]("late", out.Late)
				},
				Check: func(t testing.TB) {
					passed, err := once.Rows(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					left, err := late.Rows(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if ahead == 0 && len(left) > 0 {
						t.Errorf("%d late rows, though no watermark was wrong", len(left))
					}
					got := map[payment]bool{}
					for _, r := range passed {
						r.At = r.At.UTC()
						if got[r] {
							t.Errorf("%+v passed twice", r)
						}
						got[r] = true
					}
					for _, r := range left {
						r.At = r.At.UTC()
						got[r] = true
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("rows (-want +got):\n%s", diff)
					}
				},
			}.Run(t, rows)
		})
	}
}
