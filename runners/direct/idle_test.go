package direct

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"
)

// late is a source that has nothing for as many calls as its restriction has positions, and one record then.
type late struct{ sourceFn }

var lateCalls atomic.Int64

func (f *late) ProcessElement(rt *sdf.LockRTracker, part int64, emit func(beam.EventTime, string, *rec)) sdf.ProcessContinuation {
	s := rt.GetRestriction().(span)
	if lateCalls.Add(1) <= s.End {
		return sdf.ResumeProcessingIn(time.Millisecond)
	}
	emit(0, "k", &rec{Part: part})
	rt.TryClaim(s.End - 1)
	return sdf.StopProcessing()
}

// A source that has nothing writes nothing to the store.
func TestIdleSource(t *testing.T) {
	beam.RegisterDoFn(&late{})
	lateCalls.Store(0)
	p, s := beam.NewPipelineWithRoot()
	parts := beam.ParDo(s, &partitionsFn{N: 1}, beam.Impulse(s))
	gather(s, t.Name(), beam.ParDo(s, &late{sourceFn{sourceSpec{Each: 50}}}, parts))
	commits := int64(0)
	mustRun(t, p, Options{Workers: 2, OnCommit: func(n int64) error { commits = n; return nil }})
	if got := len(taken(t.Name())["k"]); got != 1 || lateCalls.Load() != 51 {
		t.Errorf("%d records after %d calls", got, lateCalls.Load())
	}
	if commits > 10 {
		t.Errorf("%d commits of a source that had nothing in 50 calls", commits)
	}
}
