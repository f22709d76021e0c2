package flowtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/runners/direct"
)

// Case is one test of a pipeline.
type Case struct {
	// Build builds the pipeline. It is called several times and must give the same graph each time. Required.
	Build func(p *flow.Pipeline)
	// Check looks at what came out, after each run. Collections that Build assigned are those of that run. Required.
	Check func(t testing.TB, r runners.Result)
	// Workers are the numbers of workers to run with. Default 1 and 4.
	Workers []int
	// CrashAt ends the process, as a crash does, before these commits, counted from the last start; the job is then
	// started again.
	CrashAt []int64
	// Options of the run; names, directory, workers and clock are set by Run.
	Options runners.Options
	// Start is the processing time at which a run begins. Default: 2030-01-01T00:00:00Z, behind the rows of most scripts, since the
	// listing of partitions holds the watermark at it.
	Start time.Time
	// Timeout bounds one run. Default 30 s.
	Timeout time.Duration
}

// Run runs the case. Its state lies in a job directory, so that a restart finds what a crash leaves.
func Run(t *testing.T, c Case) {
	t.Helper()
	if err := sameTwice(c.Build); err != nil {
		t.Fatal(err)
	}
	if c.Workers == nil {
		c.Workers = []int{1, 4}
	}
	if c.Start.IsZero() {
		c.Start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	for _, w := range c.Workers {
		t.Run(fmt.Sprintf("workers=%d", w), func(t *testing.T) {
			res, err := c.run(t, w)
			if err != nil {
				t.Fatal(err)
			}
			c.Check(t, res)
		})
	}
}

// sameTwice builds the graph twice and compares.
func sameTwice(build func(*flow.Pipeline)) error {
	var plans [2][]flow.PlanStep
	var prints [2]string
	for i := range plans {
		g, err := flow.Build("test", build)
		if err != nil {
			return err
		}
		plans[i], prints[i] = g.Plan(), g.Fingerprint()
	}
	if diff := cmp.Diff(plans[0], plans[1]); diff != "" || prints[0] != prints[1] {
		return fmt.Errorf("the second build gives another graph:\n%s", diff)
	}
	return nil
}

var errCrash = errors.New("crash by script")

func (c Case) run(t testing.TB, workers int) (runners.Result, error) {
	h := &harness{clock: NewClock(c.Start), states: map[string]*state{}}
	o := c.Options
	o.Pipeline, o.Name, o.Job = "test", "test", t.TempDir()
	o.Workers, o.Clock, o.Stores = workers, h.clock, &flow.Stores{}
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), harnessKey{}, h), c.Timeout)
	defer cancel()
	crashes := slices.Clone(c.CrashAt)
	for {
		h.crashed.Store(false)
		h.engine, h.control = &direct.Control{}, &flow.Control{}
		o.Engine, o.Control = h.engine, h.control
		o.OnCommit = func(n int64) error {
			if h.crashed.Load() || len(crashes) > 0 && n >= crashes[0] {
				return errCrash
			}
			return nil
		}
		res, err := runners.Run(ctx, c.Build, o)
		if !errors.Is(err, errCrash) {
			return res, errors.Join(err, ctx.Err())
		}
		if !h.crashed.Load() {
			crashes = crashes[1:]
		}
		h.revive()
	}
}

type harnessKey struct{}

// harness connects the scripts of a run with its engine.
type harness struct {
	clock   *Clock
	engine  *direct.Control
	control *flow.Control
	crashed atomic.Bool

	mu     sync.Mutex
	states map[string]*state
}

// harnessOf finds the harness of the running case; a script outside of Run has none.
func harnessOf(ctx context.Context) *harness {
	h, ok := ctx.Value(harnessKey{}).(*harness)
	if !ok {
		panic("flowtest: a script runs under flowtest.Run only")
	}
	return h
}

func (h *harness) state(step string) *state {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.states[step] == nil {
		h.states[step] = &state{taken: map[string]bool{}}
	}
	return h.states[step]
}

// done ends the job when all scripts have come to their ends.
func (h *harness) done(s *state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.done = true
	for _, other := range h.states {
		if !other.done {
			return
		}
	}
	h.control.CloseAll()
}

func (h *harness) quiet() bool { return h.engine.Quiet() }

func (h *harness) crash() { h.crashed.Store(true) }

func (h *harness) revive() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.states {
		s.mu.Lock()
		s.crash = false
		clear(s.taken)
		s.mu.Unlock()
	}
}
