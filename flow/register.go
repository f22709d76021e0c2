package flow

import (
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/millrace-io/millrace/batch"
)

type (
	emitBytes  = func(beam.EventTime, []byte)
	emitBatch  = func(beam.EventTime, *batch.Batch)
	emitString = func(beam.EventTime, string, []byte)
	iterBytes  = func(*[]byte) bool
)

// The only registration: the small fixed set of DoFns that every pipeline is made of, and the element's coder. They are called
// by reflection, which costs about a microsecond per batch; Beam's generic registration of them costs a minute of every
// build.
func init() {
	beam.RegisterCoder(reflect.TypeFor[*batch.Batch](), batch.Encode, batch.Decode)
	for _, fn := range []any{
		&listFn{}, &readFn{}, &stepFn{}, &groupFn{}, newKeyedFn("", ""),
		&stageFn{}, &seedFn{}, newRollFn(stepPayload{}), &claimFn{}, &fileFn{}, newCountFn(stepPayload{}), &finishFn{},
	} {
		beam.RegisterDoFn(fn)
	}
}
