package direct

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window/trigger"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"go.uber.org/goleak"
)

// The pipelines of these tests have the shapes that flow builds: a source with a restriction of its own coder, a manual
// watermark and self-checkpoints; elements of a pointer type with its own coder; a keyed step with value state, bag
// state and both kinds of timers; a step with several outputs; a grouped last step.

// quiet drops what the SDK logs about every timer callback that fails.
type quiet struct{}

func (quiet) Log(context.Context, log.Severity, int, string) {}

func TestMain(m *testing.M) {
	log.SetLogger(quiet{})
	beam.RegisterCoder(reflect.TypeFor[*rec](), encodeRec, decodeRec)
	beam.RegisterCoder(reflect.TypeFor[span](), encodeSpan, decodeSpan)
	for _, fn := range []any{
		&partitionsFn{}, &sourceFn{}, &doubleFn{}, &shiftFn{}, &routeFn{}, newRunningSum(""), newKeep(""), &gatherFn{},
		newWindows(0), &scripted{}, newClearing(), newBuffer(""), &failing{}, &refusing{}, &blocking{},
	} {
		beam.RegisterDoFn(fn)
	}
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
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
	m     map[string]map[string][]rec
	rolls map[string][]int
}{m: map[string]map[string][]rec{}, rolls: map[string][]int{}}

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

func gather(s beam.Scope, test string, c beam.PCollection) { gatherWith(s, &gatherFn{Test: test}, c) }

func gatherWith(s beam.Scope, fn any, c beam.PCollection) {
	tr := beam.Trigger(trigger.Repeat(trigger.AfterCount(1)))
	g := beam.GroupByKey(s, beam.WindowInto(s, window.NewGlobalWindows(), c, tr, beam.PanesDiscard()))
	beam.ParDo0(s, fn, g)
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
