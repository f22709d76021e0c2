package grouptest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/flowtest"
	"github.com/millrace-io/millrace/runners"
)

// Flow is a pipeline to be run over the same rows in many ways.
type Flow[T any] struct {
	// At gives the event time of a row.
	At func(T) time.Time
	// Build adds the steps under test and collects what they give.
	Build func(in flow.Rows)
	// Check looks at what was collected.
	Check func(t testing.TB)
	// Ahead moves watermarks up to so far past rows that are still to come, so that some are late.
	Ahead time.Duration
}

// seeds is how many ways each pipeline is run, besides the numbers of workers.
const seeds = 3

// Run deals the rows to partitions and cuts them into batches at random, with watermarks, restarts and crashes in between.
func (f Flow[T]) Run(t *testing.T, rows []T) {
	t.Helper()
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var crashes []int64
			for range rng.IntN(3) {
				crashes = append(crashes, 1+rng.Int64N(20))
			}
			flowtest.Run(t, flowtest.Case{
				Build: func(p *flow.Pipeline) {
					f.Build(flowtest.Read(p, "in", f.script(rand.New(rand.NewPCG(seed, 2)), rows)).Rows)
				},
				Check:   func(t testing.TB, _ runners.Result) { f.Check(t) },
				CrashAt: crashes,
			})
		})
	}
}

func (f Flow[T]) script(rng *rand.Rand, rows []T) *flowtest.Script[T] {
	s := flowtest.NewScript(flowtest.Options[T]{Time: f.At, IdleAfter: -1})
	parts := make([][]T, 1+rng.IntN(3))
	name := func(i int) string { return string(rune('a' + i)) }
	for i := range parts {
		s.Partition(name(i))
	}
	for _, r := range rows {
		i := rng.IntN(len(parts))
		parts[i] = append(parts[i], r)
	}
	for left := len(rows); left > 0; {
		i := rng.IntN(len(parts))
		n := min(len(parts[i]), 1+rng.IntN(len(rows)/4))
		if n == 0 {
			continue
		}
		s.Rows(name(i), parts[i][:n]...)
		parts[i] = parts[i][n:]
		left -= n
		switch {
		case rng.IntN(4) == 0:
			s.Restart()
		case len(parts[i]) > 0 && rng.IntN(2) == 0:
			first := f.At(slices.MinFunc(parts[i], func(a, b T) int { return f.At(a).Compare(f.At(b)) }))
			s.Watermark(name(i), first.Add(time.Duration(rng.Int64N(int64(f.Ahead)+1))))
		}
	}
	for i := range parts {
		s.End(name(i))
	}
	return s
}
