package flow

import (
	"context"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/timers"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/millrace-io/millrace/batch"
)

type (
	emitBytes  = func(beam.EventTime, []byte)
	emitBatch  = func(beam.EventTime, *batch.Batch)
	emitKeyed  = func(beam.EventTime, string, *batch.Batch)
	emitString = func(beam.EventTime, string, []byte)
	iterBytes  = func(*[]byte) bool
)

// The only registration: the small fixed set of DoFns that every pipeline is made of, and the element's coder.
func init() {
	beam.RegisterCoder(reflect.TypeOf((*batch.Batch)(nil)), batch.Encode, batch.Decode)
	register.DoFn5x2[context.Context, *sdf.ManualWatermarkEstimator, *sdf.LockRTracker, []byte, emitBytes, sdf.ProcessContinuation, error](&listFn{})
	register.DoFn6x2[context.Context, *sdf.ManualWatermarkEstimator, *sdf.LockRTracker, []byte, emitBatch, emitBatch, sdf.ProcessContinuation, error](&readFn{})
	register.DoFn4x1[context.Context, *batch.Batch, emitBatch, emitBatch, error](&stepFn{})
	register.DoFn3x1[context.Context, *batch.Batch, emitKeyed, error](&groupFn{})
	register.DoFn7x1[context.Context, state.Provider, timers.Provider, string, *batch.Batch, emitBatch, emitBatch, error](&keyedFn{})
	register.DoFn4x1[context.Context, *batch.Batch, emitString, emitBatch, error](&stageFn{})
	register.DoFn3x1[context.Context, []byte, emitString, error](&seedFn{})
	register.DoFn6x1[context.Context, state.Provider, timers.Provider, string, []byte, emitString, error](&rollFn{})
	register.DoFn5x1[context.Context, string, iterBytes, emitString, emitString, error](&claimFn{})
	register.DoFn4x1[context.Context, string, iterBytes, emitString, error](&fileFn{})
	register.DoFn5x1[context.Context, state.Provider, string, []byte, emitString, error](&countFn{})
	register.DoFn3x1[context.Context, string, iterBytes, error](&finishFn{})
	register.Emitter2[beam.EventTime, []byte]()
	register.Emitter2[beam.EventTime, *batch.Batch]()
	register.Emitter3[beam.EventTime, string, *batch.Batch]()
	register.Emitter3[beam.EventTime, string, []byte]()
	register.Iter1[[]byte]()
}
