package direct

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

// errCrash ends a run in tests as a crash would.
var errCrash = errors.New("crash")

// survivor is a memory store that outlives the runs that use it.
type survivor struct{ store.Store }

func (survivor) Close() error { return nil }

// opener opens the state of a job again after each run.
type opener func() (store.Store, error)

// runUntilFinished runs the pipeline that build makes until it finishes. Each run crashes before the commit that crashes
// gives it.
func runUntilFinished(t fataler, build func(beam.Scope), open opener, o func(run int) Options) Result {
	for run := 0; ; run++ {
		p, s := beam.NewPipelineWithRoot()
		build(s)
		r, err := runOnce(p, open, o(run))
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatalf("run %d: %v", run, err)
		}
		if err == nil && r.State == Finished {
			return r
		}
		if run > 1000 {
			t.Fatalf("no progress in %d runs", run)
		}
	}
}

func runOnce(p *beam.Pipeline, open opener, o Options) (Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	g, err := graph.Build(p)
	if err != nil {
		return Result{}, err
	}
	db, err := open()
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return run(ctx, g, o, db)
}

func sourceGen(keys int64) *rapid.Generator[sourceSpec] {
	return rapid.Custom(func(t *rapid.T) sourceSpec {
		return sourceSpec{
			Partitions: rapid.Int64Range(1, 4).Draw(t, "partitions"),
			Each:       rapid.Int64Range(0, 60).Draw(t, "each"),
			PerCall:    rapid.Int64Range(0, 20).Draw(t, "perCall"),
			Keys:       keys,
			Pad:        rapid.SampledFrom([]int64{0, 0, 40000, 100000}).Draw(t, "pad"),
		}
	})
}

// crashing draws the options of each run: bundle sizes, workers and the commit before which it crashes. From the
// run with that number on nothing crashes.
func crashing(t *rapid.T, crashes int) func(run int) Options {
	return func(run int) Options {
		o := Options{
			Retries:        100,
			Workers:        rapid.IntRange(1, 4).Draw(t, "workers"),
			BundleElements: rapid.IntRange(1, 30).Draw(t, "elements"),
			BundleBytes:    rapid.SampledFrom([]int{1, 100, 1 << 20}).Draw(t, "bytes"),
			Memory:         rapid.SampledFrom([]int64{1, 1000, 1 << 20}).Draw(t, "memory"),
		}
		if run < crashes {
			at := rapid.Int64Range(1, 60).Draw(t, "crash")
			o.OnCommit = func(n int64) error {
				if n == at {
					return errCrash
				}
				return nil
			}
		}
		return o
	}
}

func TestRestartsMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db := survivor{store.NewMemory()}
		restarts(t, func() (store.Store, error) { return db, nil }, 20)
	})
}

// TestRestartsPebble checks a quarter of the cases: opening a store on disk takes its time.
func TestRestartsPebble(t *testing.T) {
	checks := flag.Lookup("rapid.checks").Value
	all := checks.String()
	n, err := strconv.Atoi(all)
	if err := errors.Join(err, checks.Set(strconv.Itoa(n/4))); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := checks.Set(all); err != nil {
			t.Error(err)
		}
	}()
	root, cases := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		cases++
		dir := filepath.Join(root, strconv.Itoa(cases))
		restarts(t, func() (store.Store, error) {
			return store.OpenPebble(dir, store.Options{Log: slog.New(slog.DiscardHandler)})
		}, 4)
	})
}

// restarts compares a pipeline of one or two sources, a map, a keyed sum and a keyed sink with a loop.
func restarts(t *rapid.T, open opener, crashes int) {
	name := t.Name()
	failures.Clear()
	keys := rapid.Int64Range(1, 8).Draw(t, "keys")
	specs := rapid.SliceOfN(sourceGen(keys), 1, 2).Draw(t, "sources")
	reshuffle := rapid.Bool().Draw(t, "reshuffle") // gives up the order
	r := runUntilFinished(t, func(s beam.Scope) {
		var cols []beam.PCollection
		for i, spec := range specs {
			c := read(s.Scope([]string{"history", "live"}[i]), spec)
			cols = append(cols, beam.ParDo(s, &shiftFn{By: int64(i) * 100}, c))
		}
		all := beam.Flatten(s, cols...)
		if reshuffle {
			all = beam.Reshuffle(s, all)
		}
		beam.ParDo0(s, newKeep(name), beam.ParDo(s, newRunningSum(name), beam.ParDo(s, &doubleFn{}, all)))
	}, open, crashing(t, crashes))
	got := taken(name)
	if !reshuffle {
		checkOrder(t, got)
	}
	checkSumsOf(t, got, 2, specs)
	var read, want int64
	for c, v := range r.Counters {
		if c.Name == "read" {
			read += v
		}
	}
	for _, s := range specs {
		want += s.Partitions * s.Each
	}
	if read != want {
		t.Fatalf("counter is %d, want %d", read, want)
	}
}
