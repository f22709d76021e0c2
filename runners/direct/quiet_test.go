package direct

import (
	"fmt"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"
)

// scripted is a source that emits its next record, or moves its watermark, only when the run is quiet. It fails if what it
// did before has not come through to the end of the pipeline then.
type scripted struct {
	sourceFn
	Test string
}

var scriptControl Control

func (f *scripted) ProcessElement(we *sdf.ManualWatermarkEstimator, rt *sdf.LockRTracker, part int64,
	emit func(beam.EventTime, string, *rec),
) (sdf.ProcessContinuation, error) {
	again := sdf.ResumeProcessingIn(time.Millisecond)
	if !scriptControl.Quiet() {
		return again, nil
	}
	next := rt.GetRestriction().(span).Next
	collected.Lock()
	got := len(collected.m[f.Test]["all"])
	collected.Unlock()
	// Each pair of steps is a record and a watermark that closes its window.
	if want := int(next / 2); got != want {
		return nil, fmt.Errorf("%d windows came through before step %d, want %d", got, next, want)
	}
	if !rt.TryClaim(next) {
		return sdf.StopProcessing(), nil
	}
	at := time.UnixMilli(next * 5000)
	if next%2 == 0 {
		emit(mtime.FromTime(at), "k", &rec{Part: part, Seq: next * 5, Val: 1})
	} else {
		we.UpdateWatermark(at.Add(5 * time.Second))
	}
	return again, nil
}

func TestQuiet(t *testing.T) {
	spec := sourceSpec{Partitions: 1, Each: 40}
	p, s := beam.NewPipelineWithRoot()
	parts := beam.ParDo(s, &partitionsFn{N: 1}, beam.Impulse(s))
	in := beam.ParDo(s, &scripted{sourceFn: sourceFn{Spec: spec}, Test: t.Name()}, parts)
	gather(s, t.Name(), beam.ParDo(s, newWindows(10*time.Second), in))
	scriptControl = Control{}
	mustRun(t, p, Options{Workers: 3, Retries: -1, Control: &scriptControl})
	if got := len(taken(t.Name())["all"]); got != 20 {
		t.Errorf("%d windows, want 20", got)
	}
}
