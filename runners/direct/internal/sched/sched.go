// Package sched runs the stages of a graph: it queues elements, hands bundles to workers, commits what they did and
// makes it visible, keeps watermarks, timers and delays, and stops when there is nothing left to do.
//
// The life of a bundle:
//
//	lane (queue of a key group, or one restriction)
//	  | next: the deepest stage with work; the lane is busy from here on
//	worker: read the input, run the plan, collect outputs, state, timers, residuals, counters
//	  | handOff: one store batch, in order; the worker goes on with other work
//	publisher: waits until the batch is durable
//	  | publish: queues, timers and watermarks change, the lane is free
//
// Only published effects are seen by other bundles, with one exception: the residual of a splittable DoFn may run again
// as soon as its bundle is handed to the store, because commits become durable in order.
//
// Lock order: commitMu, then mu. User code runs under neither.
package sched

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
	"github.com/millrace-io/millrace/runners/direct/internal/wm"
)

// Clock is the processing time of a run.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine once d has passed, unless it was stopped before.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Config is what an Engine needs. All fields but Log, BeforeCommit and FireOnStop are required.
type Config struct {
	Graph       *graph.Graph
	Store       store.Store
	Fingerprint string // state of a run with another fingerprint is refused
	Clock       Clock
	Log         *slog.Logger

	Workers        int
	Memory         int64 // bytes; sources wait while half of it is queued
	BundleBytes    int   // a bundle takes no further input once it has this much
	BundleElements int
	Retries        int

	// FireOnStop fires pending processing-time timers when the run is stopped.
	FireOnStop bool
	// BeforeCommit is called with the running number of the commit, one call at a time. An error ends the run as a
	// crash would: the bundle is not committed.
	BeforeCommit func(n int64) error
}

// State says how a run ended.
type State int

const (
	// Stopped runs go on where they are when they are run again.
	Stopped State = iota
	// Finished runs have read all their sources to the end and processed everything.
	Finished
)

// Result is what a run that ended without an error came to. Counters cover all runs of the job.
type Result struct {
	State    State
	Counters map[fnio.Counter]int64
	Stages   []StageProgress
}

// Engine is one run of a graph.
type Engine struct {
	cfg    Config
	stages []*stage
	timed  []*stage // stages with timers
	reads  []*stage // source stages

	commitMu sync.Mutex
	commits  int64
	counters map[fnio.Counter]int64
	pending  chan handed

	mu        sync.Mutex
	cond      *sync.Cond
	marks     *wm.Tracker
	byMark    map[*wm.Stage]*stage
	seq       uint64 // number of the last bundle
	inflight  int    // bundles that were taken and are not published
	unsettled int    // of them, those that Quiet waits for
	sources   int    // restrictions that are not done
	delayed   delayHeap
	backlog   int64 // bytes queued, restrictions not counted
	coming    int64 // bytes handed to the store that will be queued
	resident  int64 // the part of it that is in memory
	wake      int64 // processing time of the next delay or timer, ms
	alarm     bool  // the clock says that it has come
	stopTimer func() bool
	turn      int // source stage that is asked next
	stopping  bool
	flushed   int // stages whose processing-time timers were fired at the end
	done      bool
	err       error
	cancel    context.CancelFunc
}

// New returns an engine that has restored what the store holds of an earlier run.
func New(cfg Config) (*Engine, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		cfg: cfg, counters: map[fnio.Counter]int64{}, wake: never,
		pending: make(chan handed, 2*cfg.Workers+14),
		cancel:  func() {},
		marks:   wm.New(), byMark: map[*wm.Stage]*stage{},
	}
	e.cond = sync.NewCond(&e.mu)
	if err := e.addStages(); err != nil {
		return nil, err
	}
	if err := e.restore(); err != nil {
		return nil, err
	}
	return e, nil
}

// Run processes until the job is finished or stopped, fails, or ctx is cancelled, which leaves the job as a crash
// would.
func (e *Engine) Run(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.mu.Lock()
	e.cancel = cancel
	e.mu.Unlock()
	unhook := context.AfterFunc(ctx, func() { e.fail(ctx.Err()) })

	published := make(chan struct{})
	go func() {
		defer close(published)
		e.publisher()
	}()
	var workers sync.WaitGroup
	for range e.cfg.Workers {
		workers.Go(func() { e.worker(ctx) })
	}
	workers.Wait()
	close(e.pending)
	<-published
	unhook()
	return e.end(ctx)
}

// end tears the plans down and writes the last counters and watermarks.
func (e *Engine) end(ctx context.Context) (Result, error) {
	e.disarm()
	err := e.err
	for _, s := range e.stages {
		if cerr := s.pool.Close(context.WithoutCancel(ctx)); err == nil {
			err = cerr
		}
	}
	if err != nil {
		return Result{}, err
	}
	var b store.Batch
	e.writeMarks(&b)
	if err := e.cfg.Store.Commit(&b).Wait(); err != nil {
		return Result{}, fmt.Errorf("last commit: %w", err)
	}
	r := Result{State: Stopped, Counters: e.counters, Stages: e.Progress()}
	if e.sources == 0 {
		r.State = Finished
	}
	return r, nil
}

// Stop lets everything but the sources go on until there is nothing left to do, and ends the run then.
func (e *Engine) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopping = true
	e.cond.Broadcast()
}

// fail ends the run with the first error.
func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil && !e.done {
		e.err = err
		e.cancel()
	}
	e.cond.Broadcast()
}

func (e *Engine) failed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err != nil
}

func (e *Engine) worker(ctx context.Context) {
	for w := e.next(); w != nil; w = e.next() {
		err := e.execute(ctx, w)
		if err == nil {
			e.handOff(w)
			continue
		}
		if ctx.Err() != nil {
			e.fail(ctx.Err())
			return
		}
		e.retry(w, err)
	}
}

// retry returns the input of a failed bundle to the head of its queue.
func (e *Engine) retry(w *work, err error) {
	l := w.lane
	e.mu.Lock()
	l.attempts++
	attempts := l.attempts
	again := attempts <= e.cfg.Retries && !flow.Permanent(err)
	if again {
		if l.state != nil {
			l.state.Reset()
		}
		if l.timers != nil {
			l.timers.Return(w.fired)
		}
		e.settled(w)
		l.busy, l.ready = false, true
		l.st.ready.pushFront(l)
		e.cond.Broadcast()
	}
	e.mu.Unlock()
	if again {
		e.cfg.Log.Warn("bundle failed and is tried again", "step", l.st.Name, "attempt", attempts, "error", err)
		return
	}
	tries := ""
	if attempts > 1 {
		tries = fmt.Sprintf(" in %d attempts", attempts)
	}
	e.fail(fmt.Errorf("step %s%s failed%s: %w", strings.Join(l.st.Steps, " -> "), l.where(), tries, err))
}
