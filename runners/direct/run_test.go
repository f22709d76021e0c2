package direct

import (
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/google/go-cmp/cmp"
)

func TestBoundedChain(t *testing.T) {
	spec := sourceSpec{Partitions: 3, Each: 50, Keys: 5}
	p, s := beam.NewPipelineWithRoot()
	a, b, c := beam.ParDo3(s, &routeFn{}, beam.ParDo(s, &doubleFn{}, read(s, spec)))
	gather(s, t.Name(), beam.Flatten(s, a, b, c))
	r := mustRun(t, p, Options{})
	if d := cmp.Diff(spec.all(2), sorted(taken(t.Name()))); d != "" {
		t.Errorf("records differ (-want +got):\n%s", d)
	}
	if r.State != Finished {
		t.Errorf("state is %s", r.State)
	}
	want := map[Counter]int64{{"direct.sourceFn", "test", "read"}: 150}
	if d := cmp.Diff(want, r.Counters); d != "" {
		t.Errorf("counters differ (-want +got):\n%s", d)
	}
}

func TestRunningSum(t *testing.T) {
	for _, workers := range []int{1, 4} {
		spec := sourceSpec{Partitions: 4, Each: 100, PerCall: 7, Keys: 6}
		p, s := beam.NewPipelineWithRoot()
		sums := beam.ParDo(s, newRunningSum(t.Name()), beam.ParDo(s, &doubleFn{}, read(s, spec)))
		beam.ParDo0(s, newKeep(t.Name()), sums)
		r := mustRun(t, p, Options{Workers: workers, Retries: 100})
		checkSums(t, t.Name(), 2, spec)
		if r.State != Finished {
			t.Errorf("state is %s", r.State)
		}
		for _, s := range r.Steps {
			if !s.OutputWatermark.Equal(mtime.MaxTimestamp.ToTime()) || s.Queued != 0 {
				t.Errorf("step is not at its end: %+v", s)
			}
		}
	}
}

func TestGroupKeepsOrder(t *testing.T) {
	spec := sourceSpec{Partitions: 3, Each: 200, PerCall: 9, Keys: 4}
	p, s := beam.NewPipelineWithRoot()
	gather(s, t.Name(), beam.ParDo(s, &doubleFn{}, read(s, spec)))
	mustRun(t, p, Options{Workers: 4, BundleElements: 7})
	got := taken(t.Name())
	checkOrder(t, got)
	if d := cmp.Diff(spec.all(2), sorted(got)); d != "" {
		t.Errorf("records differ (-want +got):\n%s", d)
	}
}
