package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"
	"github.com/millrace-io/millrace/batch"
)

// Bounds of one call of readFn: whatever comes first ends it.
const (
	callTime  = 250 * time.Millisecond
	callBytes = 8 << 20
	pollPause = 50 * time.Millisecond
	// closingPause is how long a listing may rest before it looks whether the job is closing.
	closingPause = 500 * time.Millisecond
)

// sdfStep is what both splittable DoFns of a source share: the step's name, which is their whole payload, and the life of
// a restriction.
type sdfStep struct {
	P    string `json:"p"`
	Step string `json:"step"`
}

// CreateInitialRestriction starts at the beginning.
func (*sdfStep) CreateInitialRestriction([]byte) []byte { return restriction{}.encode() }

// SplitRestriction does not split.
func (*sdfStep) SplitRestriction(_ []byte, r []byte) [][]byte { return [][]byte{r} }

// RestrictionSize is one: what is left is not known.
func (*sdfStep) RestrictionSize([]byte, []byte) float64 { return 1 }

// CreateTracker tracks a listing or a partition.
func (*sdfStep) CreateTracker(r []byte) *sdf.LockRTracker {
	return sdf.NewLockRTracker(&tracker{rest: r})
}

// InitialWatermarkEstimatorState starts at the element's own time; a partition's is that of the listing before it appeared.
func (*sdfStep) InitialWatermarkEstimatorState(et beam.EventTime, _ []byte, _ []byte) int64 {
	return int64(et)
}

// CreateWatermarkEstimator gives an estimator that stands at ms.
func (*sdfStep) CreateWatermarkEstimator(ms int64) *sdf.ManualWatermarkEstimator {
	return &sdf.ManualWatermarkEstimator{State: goTime(ms)}
}

// WatermarkEstimatorState gives the state to be kept.
func (*sdfStep) WatermarkEstimatorState(e *sdf.ManualWatermarkEstimator) int64 {
	return e.State.UnixMilli()
}

// listFn lists the partitions of a source, once or again and again.
type listFn struct{ sdfStep }

// ProcessElement lists once and hands out the partitions that are new.
func (f *listFn) ProcessElement(ctx context.Context, we *sdf.ManualWatermarkEstimator, rt *sdf.LockRTracker, _ []byte, emit emitBytes) (sdf.ProcessContinuation, error) {
	g, src, err := stepOf[*source](ctx, f.P, f.Step)
	if err != nil {
		return nil, err
	}
	r, err := decodeRestriction(rt.GetRestriction().([]byte))
	if err != nil {
		return nil, err
	}
	if r.Listed != 0 && g.control.Closing() {
		return f.end(rt, r)
	}
	pause := min(src.spec.Discover, closingPause)
	listing := g.now()
	if g.control.wasListed(f.Step) && listing.Sub(time.UnixMicro(r.Listed)) < src.spec.Discover {
		rt.TryClaim(r.encode())
		return sdf.ResumeProcessingIn(pause), nil
	}
	before := len(r.Known)
	if r, err = f.list(ctx, src, r, emit); err != nil {
		return nil, err
	}
	// Those of earlier runs are the runner's to tell, see Unmet: some of them may have ended.
	g.control.register(f.Step, src.spec, r.Known[before:])
	g.control.list(f.Step)
	r.Listed = listing.UnixMicro()
	if src.spec.Discover <= 0 {
		return f.end(rt, r)
	}
	rt.TryClaim(r.encode())
	we.UpdateWatermark(goTime(listing.UnixMilli()))
	return sdf.ResumeProcessingIn(pause), nil
}

// list hands out the partitions that are new. Their time is that of the listing before, so that none of their rows is late.
func (f *listFn) list(ctx context.Context, src *source, r restriction, emit emitBytes) (restriction, error) {
	var parts []Partition
	if err := protect(func() (err error) { parts, err = src.Partitions(ctx); return err }); err != nil {
		return r, &StepError{Step: f.Step, Op: "list partitions", Err: err}
	}
	at := minTime
	if r.Listed != 0 {
		at = beamTime(r.Listed)
	}
	for _, p := range parts {
		if slices.Contains(r.Known, p.ID) {
			continue
		}
		data, err := json.Marshal(p)
		if err != nil {
			return r, err
		}
		emit(at, data)
		r.Known = append(r.Known, p.ID)
	}
	return r, nil
}

func (f *listFn) end(rt *sdf.LockRTracker, r restriction) (sdf.ProcessContinuation, error) {
	r.End = true
	rt.TryClaim(r.encode())
	return sdf.StopProcessing(), nil
}

// readFn reads one partition.
type readFn struct{ sdfStep }

// ProcessElement reads a bounded piece and says how to go on.
func (f *readFn) ProcessElement(ctx context.Context, we *sdf.ManualWatermarkEstimator, rt *sdf.LockRTracker, part []byte, rows, dead func(beam.EventTime, *batch.Batch)) (sdf.ProcessContinuation, error) {
	g, src, err := stepOf[*source](ctx, f.P, f.Step)
	if err != nil {
		return nil, err
	}
	c := call{g: g, src: src, rows: rows, dead: dead}
	if err := json.Unmarshal(part, &c.part); err != nil {
		return nil, fmt.Errorf("partition of step %q is damaged: %w", f.Step, err)
	}
	if c.rest, err = decodeRestriction(rt.GetRestriction().([]byte)); err != nil {
		return nil, err
	}
	c.wm = we.State.UnixMilli()
	pause, err := c.run(ctx)
	if err != nil {
		return nil, &StepError{Step: f.Step, Partition: c.part.ID, Position: describe(src.Source, c.rest.Pos), Op: "read", Err: err}
	}
	if !rt.TryClaim(c.rest.encode()) {
		return nil, fmt.Errorf("step %q, partition %q: the runner took the restriction away", f.Step, c.part.ID)
	}
	we.UpdateWatermark(goTime(c.wm))
	if c.rest.End {
		return sdf.StopProcessing(), nil
	}
	return sdf.ResumeProcessingIn(pause), nil
}
