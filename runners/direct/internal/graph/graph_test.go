package graph

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window/trigger"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/timers"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/rtrackers/offsetrange"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/transforms/stats"
	"github.com/google/go-cmp/cmp"
)

type rangeFn struct{}

func (*rangeFn) CreateInitialRestriction([]byte) offsetrange.Restriction {
	return offsetrange.Restriction{End: 10}
}

func (*rangeFn) SplitRestriction(_ []byte, r offsetrange.Restriction) []offsetrange.Restriction {
	return []offsetrange.Restriction{r}
}

func (*rangeFn) RestrictionSize(_ []byte, r offsetrange.Restriction) float64 { return r.Size() }

func (*rangeFn) CreateTracker(r offsetrange.Restriction) *offsetrange.Tracker {
	return offsetrange.NewTracker(r)
}

func (*rangeFn) ProcessElement(rt *offsetrange.Tracker, _ []byte, emit func(string, int)) {}

type sumFn struct {
	Sum state.Value[int]
	Log state.Bag[string]
	At  timers.EventTime
	Age timers.ProcessingTime
}

func (*sumFn) ProcessElement(sp state.Provider, tp timers.Provider, k string, v int, emit func(string, int)) {
}

func (*sumFn) OnTimer(sp state.Provider, tp timers.Provider, k string, t timers.Context, emit func(string, int)) {
}

func newSumFn() *sumFn {
	return &sumFn{
		Sum: state.MakeValueState[int]("sum"), Log: state.MakeBagState[string]("log"),
		At: timers.InEventTime("at"), Age: timers.InProcessingTime("age"),
	}
}

type mapState struct{ M state.Map[string, int] }

func (*mapState) ProcessElement(sp state.Provider, k string, v int) {}

type finalizing struct{}

func (*finalizing) ProcessElement(bf beam.BundleFinalization, _ []byte) {}

func double(k string, v int) (string, int)       { return k, 2 * v }
func total(k string, vs func(*int) bool)         {}
func withSide(b []byte, side func(*[]byte) bool) {}

func source(s beam.Scope, name string) beam.PCollection {
	s = s.Scope(name)
	return beam.ParDo(s, &rangeFn{}, beam.Impulse(s))
}

func each(s beam.Scope, c beam.PCollection) beam.PCollection {
	tr := beam.Trigger(trigger.Repeat(trigger.AfterCount(1)))
	return beam.GroupByKey(s, beam.WindowInto(s, window.NewGlobalWindows(), c, tr, beam.PanesDiscard()))
}

func build(t *testing.T, f func(s beam.Scope)) (*Graph, error) {
	t.Helper()
	p := beam.NewPipeline()
	f(p.Root())
	return Build(p)
}

func TestMain(m *testing.M) {
	for _, fn := range []any{&rangeFn{}, newSumFn(), &mapState{}, &finalizing{}} {
		beam.RegisterDoFn(fn)
	}
	for _, fn := range []any{double, total, withSide} {
		beam.RegisterFunction(fn)
	}
	m.Run()
}

func TestFuseThroughFlatten(t *testing.T) {
	g, err := build(t, func(s beam.Scope) {
		all := beam.Flatten(s, source(s, "history"), source(s, "live"))
		doubled := beam.ParDo(s.Scope("double"), double, all)
		sums := beam.ParDo(s.Scope("sum"), newSumFn(), doubled)
		beam.ParDo0(s.Scope("publish"), total, each(s.Scope("each"), sums))
	})
	if err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, s := range g.Stages {
		got = append(got, append([]string{s.Kind.String()}, s.Steps...))
	}
	want := [][]string{
		{"impulse", "live/Impulse", "live/graph.rangeFn.pair", "live/graph.rangeFn.split"},
		{"source", "live/graph.rangeFn", "Flatten", "double/graph.double"},
		{"impulse", "history/Impulse", "history/graph.rangeFn.pair", "history/graph.rangeFn.split"},
		{"source", "history/graph.rangeFn", "Flatten", "double/graph.double"},
		{"keyed", "sum/graph.sumFn", "each/WindowInto"},
		{"group", "each/CoGBK", "publish/graph.total"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("stages differ (-want +got):\n%s\n%s", d, g)
	}
}

func TestFingerprint(t *testing.T) {
	pipeline := func(names ...string) func(beam.Scope) {
		return func(s beam.Scope) {
			for _, n := range names {
				beam.ParDo(s.Scope("sum "+n), newSumFn(), source(s, n))
			}
		}
	}
	a, errA := build(t, pipeline("history", "live"))
	b, errB := build(t, pipeline("history", "live"))
	c, errC := build(t, pipeline("history", "other"))
	if err := errors.Join(errA, errB, errC); err != nil {
		t.Fatal(err)
	}
	if a.Fingerprint() != b.Fingerprint() {
		t.Errorf("equal pipelines differ: %s", cmp.Diff(a.String(), b.String()))
	}
	if a.Fingerprint() == c.Fingerprint() {
		t.Errorf("different pipelines have one fingerprint:\n%s", a)
	}
}

func TestRefusals(t *testing.T) {
	cases := []struct {
		name string
		f    func(beam.Scope)
		want []string
	}{
		{"side input", func(s beam.Scope) {
			beam.ParDo0(s.Scope("joined"), withSide, beam.Impulse(s), beam.SideInput{Input: beam.Impulse(s)})
		}, []string{`step "joined/graph.withSide" uses side inputs`}},
		{"fixed windows and default trigger", func(s beam.Scope) {
			w := beam.WindowInto(s.Scope("hourly"), window.NewFixedWindows(time.Hour), source(s, "in"))
			beam.GroupByKey(s.Scope("grouped"), w)
		}, []string{`step "hourly/WindowInto" uses fixed windows`, `step "grouped/CoGBK" uses GroupByKey outside the global window`}},
		{
			"combine", func(s beam.Scope) { stats.SumPerKey(s.Scope("total"), source(s, "in")) },
			[]string{"uses GroupByKey with a trigger other than Repeat(AfterCount(1))"},
		},
		{"map state", func(s beam.Scope) {
			beam.ParDo0(s, &mapState{M: state.MakeMapState[string, int]("seen")}, source(s, "in"))
		}, []string{`uses map state ("seen")`}},
		{
			"finalization", func(s beam.Scope) { beam.ParDo0(s, &finalizing{}, beam.Impulse(s)) },
			[]string{"uses bundle finalization"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := build(t, c.f)
			var r *Refusal
			if !errors.As(err, &r) {
				t.Fatalf("got %v, want a refusal", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not contain %q", err, w)
				}
			}
		})
	}
}

func TestReshuffleIsOneStage(t *testing.T) {
	g, err := build(t, func(s beam.Scope) {
		beam.ParDo(s.Scope("after"), double, beam.Reshuffle(s.Scope("spread"), source(s, "in")))
	})
	if err != nil {
		t.Fatal(err)
	}
	last := g.Stages[len(g.Stages)-1]
	if d := cmp.Diff([]string{"spread/Reshuffle", "after/graph.double"}, last.Steps); d != "" {
		t.Errorf("%s\n%s", d, g)
	}
	if last.Kind != Parallel {
		t.Errorf("kind is %s", last.Kind)
	}
}
