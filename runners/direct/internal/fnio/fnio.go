// Package fnio runs bundles on the SDK's execution plans, in process and without gRPC: it hands a plan its input, takes
// its outputs and timers, and serves its state.
package fnio

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/metrics"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/exec"

	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// Bundle is the work of one Execute and what came of it.
type Bundle struct {
	ID    string
	Input []exec.Elements // filled by Elements and Timer
	Out   Output
	State State // nil for stages without state

	Timers    []Timer           // set and cleared by the bundle, one per timer
	Residuals []Residual        // what a splittable DoFn left to do
	Counters  map[Counter]int64 // what the bundle added

	stage *graph.Stage
	err   error
}

// Output takes the bundle's elements.
type Output interface {
	// Emit gets one encoded windowed element. It may keep elem.
	Emit(sink *graph.Sink, elem []byte) error
}

// State gives access to the state of the keys of one bundle.
type State interface {
	Cell(id string, key []byte) (Cell, error)
}

// Cell is one state of one key.
type Cell interface {
	io.Writer // appends
	Open() io.ReadCloser
	Clear() error
}

// Counter names a counter of a step.
type Counter struct {
	Step, Namespace, Name string
}

// Residual is the rest of a restriction: an element for the same stage.
type Residual struct {
	Elem  []byte
	Delay time.Duration
	Hold  int64 // bound of the timestamps still to come, ms
}

// Elements adds encoded elements to the bundle's input.
func (b *Bundle) Elements(data []byte) {
	b.Input = append(b.Input, exec.Elements{Data: data})
}

// Timer adds a firing timer of transform step.
func (b *Bundle) Timer(step string, t Timer) {
	b.Input = append(b.Input, exec.Elements{Timers: t.Record, TimerFamilyID: t.Family, PtransformID: step})
}

// Pool runs the bundles of one stage on reusable plans.
type Pool struct {
	stage *graph.Stage

	mu   sync.Mutex
	idle []*exec.Plan
}

// NewPool returns a pool with one plan, which has not called any user code yet. It fails if a function of the stage is not
// registered with Beam.
func NewPool(s *graph.Stage) (*Pool, error) {
	p := &Pool{stage: s}
	plan, err := p.take()
	if err != nil {
		return nil, err
	}
	p.idle = append(p.idle, plan)
	return p, nil
}

func (p *Pool) take() (*exec.Plan, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		plan := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return plan, nil
	}
	p.mu.Unlock()
	plan, err := exec.UnmarshalPlan(p.stage.Desc, nil)
	if err != nil {
		return nil, fmt.Errorf("step %q: plan: %w", p.stage.Name, err)
	}
	return plan, nil
}

// Run executes b. After an error the plan is thrown away and b holds nothing of use. A cancelled ctx is an error too:
// the SDK reports it as success.
func (p *Pool) Run(ctx context.Context, b *Bundle) error {
	plan, err := p.take()
	if err != nil {
		return err
	}
	b.stage = p.stage
	ctx = metrics.SetBundleID(ctx, b.ID)
	err = plan.Execute(ctx, b.ID, exec.DataContext{Data: b, State: b})
	switch {
	case err != nil:
		err = cause(err)
	case b.err != nil:
		err = b.err
	default:
		err = ctx.Err()
	}
	if err == nil {
		err = b.collect(ctx, plan)
	}
	if err != nil {
		_ = plan.Down(ctx) // reports the failure that is already known
		return err
	}
	p.mu.Lock()
	p.idle = append(p.idle, plan)
	p.mu.Unlock()
	return nil
}

// collect takes residuals and counters out of the plan.
func (b *Bundle) collect(ctx context.Context, plan *exec.Plan) error {
	for _, cp := range plan.Checkpoint() {
		for _, elem := range cp.SR.RS {
			hold, _, err := Header(elem)
			if err != nil {
				return fmt.Errorf("step %q: residual: %w", b.stage.Name, err)
			}
			for _, w := range cp.SR.OW {
				hold = clamp(w.AsTime().UnixMilli())
			}
			b.Residuals = append(b.Residuals, Residual{Elem: elem, Delay: cp.Reapply, Hold: hold})
		}
	}
	return metrics.Extractor{SumInt64: func(l metrics.Labels, v int64) {
		if b.Counters == nil {
			b.Counters = map[Counter]int64{}
		}
		b.Counters[Counter{Step: l.Transform(), Namespace: l.Namespace(), Name: l.Name()}] += v
	}}.ExtractFrom(metrics.GetStore(ctx))
}

// Close tears the idle plans down and returns the first error of a Teardown.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first error
	for _, plan := range p.idle {
		if err := plan.Down(ctx); err != nil && first == nil {
			first = fmt.Errorf("step %q: teardown: %w", p.stage.Name, err)
		}
	}
	p.idle = nil
	return first
}
