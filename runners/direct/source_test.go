package direct

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"
)

// rec is an element: value Val at position Seq of partition Part. Sum is filled by the running sum. Its encoding is Pad
// bytes longer than it needs to be.
type rec struct {
	Part, Seq, Val, Sum, Pad int64
}

func encodeRec(r *rec) []byte {
	var b []byte
	for _, v := range []int64{r.Part, r.Seq, r.Val, r.Sum, r.Pad} {
		b = binary.AppendVarint(b, v)
	}
	return append(b, make([]byte, r.Pad)...)
}

func decodeRec(b []byte) (*rec, error) {
	var v [5]int64
	for i := range v {
		x, n := binary.Varint(b)
		if n <= 0 {
			return nil, errors.New("short record")
		}
		v[i], b = x, b[n:]
	}
	if int64(len(b)) != v[4] {
		return nil, fmt.Errorf("padding of %d bytes, want %d", len(b), v[4])
	}
	return &rec{v[0], v[1], v[2], v[3], v[4]}, nil
}

func (r *rec) time() time.Time { return time.UnixMilli(r.Seq * 1000) }

// span is a restriction: positions Next to End.
type span struct{ Next, End int64 }

func encodeSpan(s span) []byte {
	return binary.AppendVarint(binary.AppendVarint(nil, s.Next), s.End)
}

func decodeSpan(b []byte) (span, error) {
	next, n := binary.Varint(b)
	end, m := binary.Varint(b[n:])
	if n <= 0 || m <= 0 {
		return span{}, errors.New("short restriction")
	}
	return span{next, end}, nil
}

// tracker splits only where it stands.
type tracker struct {
	mu  sync.Mutex
	now span
}

func (t *tracker) TryClaim(pos any) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if pos.(int64) >= t.now.End {
		t.now.Next = t.now.End
		return false
	}
	t.now.Next = pos.(int64) + 1
	return true
}

func (t *tracker) GetError() error { return nil }

func (t *tracker) TrySplit(float64) (any, any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := t.now
	t.now.End = t.now.Next
	return t.now, rest, nil
}

func (t *tracker) GetProgress() (float64, float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return float64(t.now.Next), float64(t.now.End - t.now.Next)
}

func (t *tracker) IsDone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now.Next >= t.now.End
}

func (t *tracker) GetRestriction() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

func (t *tracker) IsBounded() bool { return false }

// sourceSpec says what a source reads.
type sourceSpec struct {
	Partitions int64
	Each       int64 // records per partition
	PerCall    int64 // records per bundle; 0: all
	Delay      int64 // resume delay, ms
	Keys       int64
	Pad        int64 // added to every tenth record
}

func (s sourceSpec) val(part, seq int64) int64  { return 1 + (part*31+seq*17)%97 }
func (s sourceSpec) key(part, seq int64) string { return fmt.Sprintf("k%d", (part+seq*7)%s.Keys) }

type partitionsFn struct{ N int64 }

func (f *partitionsFn) ProcessElement(_ []byte, emit func(int64)) {
	for i := range f.N {
		emit(i)
	}
}

type sourceFn struct{ Spec sourceSpec }

func (f *sourceFn) CreateInitialRestriction(int64) span { return span{0, f.Spec.Each} }

func (f *sourceFn) SplitRestriction(_ int64, s span) []span { return []span{s} }

func (f *sourceFn) RestrictionSize(_ int64, s span) float64 { return float64(s.End - s.Next) }

func (f *sourceFn) CreateTracker(s span) *sdf.LockRTracker {
	return sdf.NewLockRTracker(&tracker{now: s})
}

func (f *sourceFn) InitialWatermarkEstimatorState(beam.EventTime, span, int64) int64 {
	return int64(mtime.MinTimestamp)
}

func (f *sourceFn) CreateWatermarkEstimator(ms int64) *sdf.ManualWatermarkEstimator {
	return &sdf.ManualWatermarkEstimator{State: mtime.Time(ms).ToTime()}
}

func (f *sourceFn) WatermarkEstimatorState(e *sdf.ManualWatermarkEstimator) int64 {
	return int64(mtime.FromTime(e.State))
}

func (f *sourceFn) ProcessElement(ctx context.Context, we *sdf.ManualWatermarkEstimator, rt *sdf.LockRTracker, part int64,
	emit func(beam.EventTime, string, *rec),
) (sdf.ProcessContinuation, error) {
	next := rt.GetRestriction().(span).Next
	for n := int64(0); f.Spec.PerCall == 0 || n < f.Spec.PerCall; n++ {
		if !rt.TryClaim(next) {
			return sdf.StopProcessing(), nil
		}
		r := &rec{Part: part, Seq: next, Val: f.Spec.val(part, next)}
		if next%10 == 3 {
			r.Pad = f.Spec.Pad
		}
		emit(mtime.FromTime(r.time()), f.Spec.key(part, next), r)
		beam.NewCounter("test", "read").Inc(ctx, 1)
		next++
	}
	we.UpdateWatermark((&rec{Seq: next}).time())
	return sdf.ResumeProcessingIn(time.Duration(f.Spec.Delay) * time.Millisecond), nil
}

func read(s beam.Scope, spec sourceSpec) beam.PCollection {
	parts := beam.ParDo(s, &partitionsFn{N: spec.Partitions}, beam.Impulse(s))
	return beam.ParDo(s, &sourceFn{Spec: spec}, parts)
}
