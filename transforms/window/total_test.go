package window_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/flowtest"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/window"
)

type total struct {
	Window time.Time
	N      int64
}

// Without keys all rows of a window meet, from whatever partition and bundle they come.
func TestWithoutKeys(t *testing.T) {
	s := flowtest.NewScript(flowtest.Options[trip]{Time: func(t trip) time.Time { return t.Pickup }}).Partition("a").Partition("b").
		Rows("a", trip{at("08:05"), "SoHo", 1}, trip{at("08:06"), "Chelsea", 2}).
		Rows("b", trip{at("08:07"), "SoHo", 3}).Rows("a", trip{at("09:00"), "SoHo", 4}).End("a").End("b")
	var out *flow.Collection[total]
	flowtest.Run(t, flowtest.Case{
		Build: func(p *flow.Pipeline) {
			w := window.Fixed("all", flowtest.Read(p, "in", s).Rows, time.Hour, window.Options{Values: window.Values{"n": window.Count()}})
			out = flow.Collect[total]("out", w.Rows)
		},
		Check: func(t testing.TB, _ runners.Result) {
			rows, err := out.Rows(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]total{{at("08:00"), 3}, {at("09:00"), 1}}, rows); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		},
	})
}
