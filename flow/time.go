package flow

import (
	"context"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
)

// END is the event time at which a job ends, in milliseconds: behind every row, below Beam's end of time, so that timers
// set for it fire on every runner. When a job's sources are done its watermark goes to END; windows close, sinks publish
// what they hold and say that they are complete.
const END = int64(mtime.EndOfGlobalWindowTime) - 24*60*60*1000

const (
	minTime = mtime.MinTimestamp
	maxTime = beam.EventTime(END - 1) // of an element or a hold: what is there is handled before END
)

// goTime turns milliseconds into the form that Beam's timers and estimators take.
func goTime(ms int64) time.Time { return time.UnixMilli(ms) }

type watermarkKey struct{}

// WithWatermark tells the steps of a bundle the input watermark of their stage, in milliseconds. A runner that knows it lets a
// stateful step close everything that is due at once, where one timer would follow the other. It is a hint: a step is
// right without it.
func WithWatermark(ctx context.Context, ms int64) context.Context {
	return context.WithValue(ctx, watermarkKey{}, ms)
}

// watermarkOf gives the hint, or the smallest time.
func watermarkOf(ctx context.Context) int64 {
	if ms, ok := ctx.Value(watermarkKey{}).(int64); ok {
		return ms
	}
	return int64(minTime)
}
