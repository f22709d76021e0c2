package direct

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window/trigger"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/timers"
	"go.uber.org/goleak"
)

// The pipelines of these tests have the shapes that flow builds: a source with a restriction of its own coder, a manual
// watermark and self-checkpoints; elements of a pointer type with its own coder; a keyed step with value state, bag
// state and both kinds of timers; a step with several outputs; a grouped last step.

func TestMain(m *testing.M) {
	beam.RegisterCoder(reflect.TypeFor[*rec](), encodeRec, decodeRec)
	beam.RegisterCoder(reflect.TypeFor[span](), encodeSpan, decodeSpan)
	for _, fn := range []any{
		&partitionsFn{}, &sourceFn{}, &doubleFn{}, &shiftFn{}, &routeFn{}, newRunningSum(""), newKeep(""), &gatherFn{},
	} {
		beam.RegisterDoFn(fn)
	}
	goleak.VerifyTestMain(m)
}

// rec is an element: value Val at position Seq of partition Part. Sum is filled by the running sum.
type rec struct {
	Part, Seq, Val, Sum int64
}

func encodeRec(r *rec) []byte {
	var b []byte
	for _, v := range []int64{r.Part, r.Seq, r.Val, r.Sum} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

func decodeRec(b []byte) (*rec, error) {
	var v [4]int64
	for i := range v {
		x, n := binary.Varint(b)
		if n <= 0 {
			return nil, errors.New("short record")
		}
		v[i], b = x, b[n:]
	}
	return &rec{v[0], v[1], v[2], v[3]}, nil
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

type doubleFn struct{}

func (*doubleFn) ProcessElement(ts beam.EventTime, k string, r *rec, emit func(beam.EventTime, string, *rec)) {
	c := *r
	c.Val *= 2
	emit(ts, k, &c)
}

// shiftFn makes the partitions of two sources distinct.
type shiftFn struct{ By int64 }

func (f *shiftFn) ProcessElement(ts beam.EventTime, k string, r *rec, emit func(beam.EventTime, string, *rec)) {
	c := *r
	c.Part += f.By
	emit(ts, k, &c)
}

// collected is what sinks of a test have seen, by the test's name: the last list per key.
var collected = struct {
	sync.Mutex
	m map[string]map[string][]rec
}{m: map[string]map[string][]rec{}}

func collect(test, key string, rs []rec) {
	collected.Lock()
	defer collected.Unlock()
	if collected.m[test] == nil {
		collected.m[test] = map[string][]rec{}
	}
	collected.m[test][key] = rs
}

func taken(test string) map[string][]rec {
	collected.Lock()
	defer collected.Unlock()
	m := collected.m[test]
	delete(collected.m, test)
	return m
}

// gatherFn collects the values of a key, in the order of arrival.
type gatherFn struct{ Test string }

func (f *gatherFn) ProcessElement(k string, vs func(**rec) bool) {
	collected.Lock()
	defer collected.Unlock()
	if collected.m[f.Test] == nil {
		collected.m[f.Test] = map[string][]rec{}
	}
	var r *rec
	for vs(&r) {
		collected.m[f.Test][k] = append(collected.m[f.Test][k], *r)
	}
}

func gather(s beam.Scope, test string, c beam.PCollection) {
	tr := beam.Trigger(trigger.Repeat(trigger.AfterCount(1)))
	g := beam.GroupByKey(s, beam.WindowInto(s, window.NewGlobalWindows(), c, tr, beam.PanesDiscard()))
	beam.ParDo0(s, &gatherFn{Test: test}, g)
}

// routeFn has three outputs: by the rest of the value, from its buffer at the end of the bundle.
type routeFn struct {
	buf []rec
	key []string
}

func (f *routeFn) StartBundle(_, _, _ func(beam.EventTime, string, *rec)) { f.buf, f.key = nil, nil }

func (f *routeFn) ProcessElement(k string, r *rec, _, _, _ func(beam.EventTime, string, *rec)) {
	f.buf, f.key = append(f.buf, *r), append(f.key, k)
}

func (f *routeFn) FinishBundle(a, b, c func(beam.EventTime, string, *rec)) {
	for i := range f.buf {
		r := f.buf[i]
		[]func(beam.EventTime, string, *rec){a, b, c}[r.Val%3](mtime.FromTime(r.time()), f.key[i], &r)
	}
	f.buf, f.key = nil, nil
}

// runningSum adds up the values of a key in a value state, logs them in a bag, and at the end of input emits their number
// under the key "log".
type runningSum struct {
	Test string
	Sum  state.Value[int64]
	Log  state.Bag[int64]
	End  timers.EventTime
	Age  timers.ProcessingTime
}

func newRunningSum(test string) *runningSum {
	return &runningSum{
		Test: test, Sum: state.MakeValueState[int64]("sum"), Log: state.MakeBagState[int64]("log"),
		End: timers.InEventTime("end"), Age: timers.InProcessingTime("age"),
	}
}

// endOfTest is a time behind all records and before the end of time.
var endOfTest = time.UnixMilli(1 << 40)

func (f *runningSum) ProcessElement(sp state.Provider, tp timers.Provider, k string, r *rec, emit func(beam.EventTime, string, *rec)) error {
	sum, _, err := f.Sum.Read(sp)
	if err != nil {
		return err
	}
	sum += r.Val
	if err := errors.Join(f.Sum.Write(sp, sum), f.Log.Add(sp, r.Val)); err != nil {
		return err
	}
	out := *r
	out.Sum = sum
	emit(mtime.FromTime(r.time()), k, &out)
	f.End.Set(tp, endOfTest, timers.WithTag("t"), timers.WithOutputTimestamp(endOfTest.Add(-time.Millisecond)))
	f.Age.Set(tp, time.Now().Add(time.Hour), timers.WithNoOutputTimestamp())
	return nil
}

func (f *runningSum) OnTimer(sp state.Provider, tp timers.Provider, k string, t timers.Context, emit func(beam.EventTime, string, *rec)) error {
	if t.Family == "age" {
		return nil
	}
	log, _, err := f.Log.Read(sp)
	if err != nil {
		return err
	}
	sum, _, err := f.Sum.Read(sp)
	if err != nil {
		return err
	}
	emit(mtime.FromTime(endOfTest), "log "+k, &rec{Part: -1, Val: int64(len(log)), Sum: sum})
	f.Age.Clear(tp)
	return errors.Join(f.Log.Clear(sp), f.Sum.Clear(sp))
}

// keep stores all records of a key in a bag and collects them when the input ends, so that it sees committed data once.
type keep struct {
	Test string
	All  state.Bag[*rec]
	End  timers.EventTime
}

func newKeep(test string) *keep {
	return &keep{Test: test, All: state.MakeBagState[*rec]("all"), End: timers.InEventTime("end")}
}

func (f *keep) ProcessElement(sp state.Provider, tp timers.Provider, _ string, r *rec) error {
	f.End.Set(tp, mtime.MaxTimestamp.ToTime(), timers.WithNoOutputTimestamp())
	return f.All.Add(sp, r)
}

func (f *keep) OnTimer(sp state.Provider, _ timers.Provider, k string, _ timers.Context) error {
	all, _, err := f.All.Read(sp)
	if err != nil {
		return err
	}
	rs := make([]rec, 0, len(all))
	for _, r := range all {
		rs = append(rs, *r)
	}
	collect(f.Test, k, rs)
	return nil
}

// checkSums compares what keep collected behind runningSum with a loop.
func checkSums(t fataler, test string, factor int64, specs ...sourceSpec) {
	got := taken(test)
	checkOrder(t, got)
	checkSumsOf(t, got, factor, specs)
}

// checkOrder fails if records of one partition and key came in another order than they were read.
func checkOrder(t fataler, got map[string][]rec) {
	for k, rs := range got {
		last := map[int64]int64{}
		for _, r := range rs {
			if prev, ok := last[r.Part]; ok && prev >= r.Seq {
				t.Fatalf("key %s: record %+v came after %d", k, r, prev)
			}
			last[r.Part] = r.Seq
		}
	}
}

// checkSumsOf does not look at the order within a key.
func checkSumsOf(t fataler, got map[string][]rec, factor int64, specs []sourceSpec) {
	want := map[string]map[[2]int64]int64{} // key -> partition, seq -> value
	for i, spec := range specs {
		for p := range spec.Partitions {
			for s := range spec.Each {
				k := spec.key(p, s)
				if want[k] == nil {
					want[k] = map[[2]int64]int64{}
				}
				want[k][[2]int64{p + int64(i)*100, s}] += factor * spec.val(p, s)
			}
		}
	}
	for k, vals := range want {
		var sum int64
		n := len(vals)
		for _, r := range got[k] {
			v, ok := vals[[2]int64{r.Part, r.Seq}]
			if !ok || v != r.Val {
				t.Fatalf("key %s: record %+v is wrong or doubled", k, r)
			}
			delete(vals, [2]int64{r.Part, r.Seq})
			if sum += r.Val; sum != r.Sum {
				t.Fatalf("key %s: sum at %+v is not %d", k, r, sum)
			}
		}
		if len(vals) > 0 {
			t.Fatalf("key %s: %d records are missing", k, len(vals))
		}
		if log := got["log "+k]; len(log) != 1 || log[0].Val != int64(n) || log[0].Sum != sum {
			t.Fatalf("key %s: log is %+v, want %d records, sum %d", k, log, n, sum)
		}
		delete(got, k)
		delete(got, "log "+k)
	}
	if len(got) > 0 {
		t.Fatalf("keys that were not expected: %v", got)
	}
}

type fataler interface {
	Fatalf(format string, args ...any)
	Helper()
}

func sorted(m map[string][]rec) []rec {
	var out []rec
	for _, rs := range m {
		out = append(out, rs...)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Part != out[j].Part {
			return out[i].Part < out[j].Part
		}
		return out[i].Seq < out[j].Seq
	})
	return out
}

func (s sourceSpec) all(factor int64) []rec {
	var out []rec
	for p := range s.Partitions {
		for i := range s.Each {
			out = append(out, rec{Part: p, Seq: i, Val: factor * s.val(p, i)})
		}
	}
	return out
}

// mustRun runs with a deadline that only a hanging engine meets.
func mustRun(t testing.TB, p *beam.Pipeline, o Options) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := Run(ctx, p, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
