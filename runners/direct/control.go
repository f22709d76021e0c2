package direct

import (
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"

	"github.com/millrace-io/millrace/runners/direct/internal/sched"
)

// Control stops and watches one run. The zero value is ready; it may be used before the run begins and after it ended.
type Control struct {
	mu   sync.Mutex
	e    *sched.Engine
	stop bool
}

// Stop ends the run in good order: sources are not read any further, what was read is processed, and state and pending
// timers stay for the next run.
func (c *Control) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop = true
	if c.e != nil {
		c.e.Stop()
	}
}

func (c *Control) attach(e *sched.Engine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.e = e
	if c.stop {
		e.Stop()
	}
}

// Quiet reports whether the run has nothing to do until a source has something new or the clock moves on: nothing is
// queued, in flight, not yet durable or due. Sources that wait for their resume delay, and bundles of theirs that emit
// nothing and move no watermark, do not count, so a source may ask from within its own bundle. False before the run has
// begun.
func (c *Control) Quiet() bool {
	c.mu.Lock()
	e := c.e
	c.mu.Unlock()
	return e != nil && e.Quiet()
}

// Progress returns where the steps stand, producers before consumers; nil before the run has begun.
func (c *Control) Progress() []Step {
	c.mu.Lock()
	e := c.e
	c.mu.Unlock()
	if e == nil {
		return nil
	}
	return newSteps(e.Progress())
}

// Step is where a step that has a queue stands. Steps fused behind it go with it.
type Step struct {
	Name            string
	Kind            string // impulse, parallel, source, keyed, group
	Queued          int64  // elements; open restrictions for a source
	Unmet           int64  // open restrictions of an earlier run that this one has not worked on yet
	QueuedBytes     int64
	Taken           int64 // elements taken since the start of the run, repeated bundles included
	Bundles         int64
	InputWatermark  time.Time
	OutputWatermark time.Time
}

func newSteps(in []sched.StageProgress) []Step {
	out := make([]Step, 0, len(in))
	for _, s := range in {
		out = append(out, Step{
			Name: s.Step, Kind: s.Kind.String(), Queued: s.Queued, Unmet: s.Unmet, QueuedBytes: s.QueuedBytes, Taken: s.Taken, Bundles: s.Bundles,
			InputWatermark: mtime.Time(s.Input).ToTime(), OutputWatermark: mtime.Time(s.Output).ToTime(),
		})
	}
	return out
}

// State says how a run ended.
type State string

const (
	// Stopped runs go on where they are when they are run again.
	Stopped State = "stopped"
	// Finished runs have read all their sources to the end and processed everything.
	Finished State = "finished"
)

// Counter names a Beam counter of a step.
type Counter struct {
	Step, Namespace, Name string
}

// Result is what a run came to.
type Result struct {
	State State
	// Counters are the totals over all runs of the job, each bundle counted once.
	Counters map[Counter]int64
	Steps    []Step
}

func newResult(in sched.Result) Result {
	r := Result{State: Stopped, Counters: make(map[Counter]int64, len(in.Counters)), Steps: newSteps(in.Stages)}
	if in.State == sched.Finished {
		r.State = Finished
	}
	for c, v := range in.Counters {
		r.Counters[Counter{c.Step, c.Namespace, c.Name}] = v
	}
	return r
}
