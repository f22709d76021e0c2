package flowtest_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/flowtest"
	"github.com/millrace-io/millrace/runners"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type ride struct {
	ID int64
	At time.Time
}

var noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

func at(id int64, d time.Duration) ride { return ride{id, noon.Add(d)} }

func script() *flowtest.Script[ride] {
	return flowtest.NewScript(flowtest.Options[ride]{Time: func(r ride) time.Time { return r.At }})
}

func sorted[T any](t testing.TB, c *flow.Collection[T], less func(a, b T) int) []T {
	t.Helper()
	rows, err := c.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, less)
	return rows
}

// Rows come out once, whatever the number of workers, and through a restart.
func TestRowsAndRestart(t *testing.T) {
	for name, s := range map[string]*flowtest.Script[ride]{
		"plain":   script().Partition("a").Partition("b").Rows("a", at(1, 0), at(2, 0)).Rows("b", at(3, 0)).End("a").End("b"),
		"restart": script().Partition("a").Rows("a", at(1, 0)).Restart().Rows("a", at(2, 0), at(3, 0)).Restart().End("a"),
	} {
		t.Run(name, func(t *testing.T) {
			var out *flow.Collection[ride]
			flowtest.Run(t, flowtest.Case{
				Timeout: 5 * time.Second,
				Build:   func(p *flow.Pipeline) { out = flow.Collect[ride]("out", flowtest.Read(p, "in", s).Rows) },
				Check: func(t testing.TB, r runners.Result) {
					if diff := gocmp.Diff([]ride{at(1, 0), at(2, 0), at(3, 0)}, sorted(t, out, func(a, b ride) int { return cmp.Compare(a.ID, b.ID) })); diff != "" {
						t.Errorf("(-want +got)\n%s", diff)
					}
					if r.State != "finished" {
						t.Errorf("state %s", r.State)
					}
				},
			})
		})
	}
}
