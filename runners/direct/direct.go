// Package direct is the embedded engine: it runs a Beam pipeline inside the calling process, in memory or with its state
// in a job directory, from which the job goes on after a crash.
//
// Delivery: the effects of a bundle (input consumed, output, state, timers, counters) become visible in one atomic
// commit, so every element counts once. What a bundle does outside may happen again when the bundle is repeated.
//
// Order: at most one bundle per key group of a keyed step and per restriction of a source runs at a time; what one
// bundle chain emits arrives at a key group in that order.
//
// Supported are the global window, splittable DoFns with self-checkpoints, value and bag state, timers of both domains,
// Flatten, Reshuffle, and GroupByKey with the trigger Repeat(AfterCount(1)). Everything else is refused before the run
// begins.
package direct

import (
	"context"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/sched"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

// Run processes p until it is finished or stopped. Cancelling ctx ends it at once: bundles in flight have no effect, and
// a job with a directory goes on from its last commit when it is run again.
func Run(ctx context.Context, p *beam.Pipeline, o Options) (Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	g, err := graph.Build(p)
	if err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if o.Job == nil {
		return run(ctx, g, o, store.NewMemory())
	}
	db, err := store.OpenPebble(o.Job.d.StatePath(), store.Options{Log: o.Log})
	if err != nil {
		return Result{}, err
	}
	return run(ctx, g, o, db)
}

// run closes db.
func run(ctx context.Context, g *graph.Graph, o Options, db store.Store) (r Result, err error) {
	defer func() {
		if cerr := db.Close(); cerr != nil && err == nil {
			err = fmt.Errorf("close store: %w", cerr)
		}
	}()
	e, err := sched.New(sched.Config{
		Graph: g, Store: db, Fingerprint: g.Fingerprint() + o.Fingerprint, Clock: o.Clock, Log: o.Log,
		Workers: o.Workers, Memory: o.Memory, BundleBytes: o.BundleBytes, BundleElements: o.BundleElements,
		Retries: o.Retries, FireOnStop: o.FireProcessingTimersOnStop, BeforeCommit: o.beforeCommit(),
	})
	if err != nil {
		return Result{}, err
	}
	o.Control.attach(e)
	res, err := e.Run(ctx)
	if err != nil {
		return Result{}, err
	}
	return newResult(res), nil
}

// Check returns why p cannot run, every reason joined, without running it.
func Check(p *beam.Pipeline) error {
	_, err := graph.Build(p)
	return err
}

// Describe returns the stages that p is run as, in text. Equal graphs have equal descriptions.
func Describe(p *beam.Pipeline) (string, error) {
	g, err := graph.Build(p)
	if err != nil {
		return "", err
	}
	return g.String(), nil
}
