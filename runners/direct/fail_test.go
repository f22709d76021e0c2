package direct

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct/internal/sched"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

type badRecord struct{ Seq int64 }

func (e *badRecord) Error() string { return "bad record" }

var attempts atomic.Int64

// failing fails for record 7, by an error or by a panic.
type failing struct{ Panic bool }

func (f *failing) ProcessElement(_ string, r *rec) error {
	if r.Seq != 7 {
		return nil
	}
	attempts.Add(1)
	if f.Panic {
		panic("record seven")
	}
	return &badRecord{r.Seq}
}

func TestUserErrors(t *testing.T) {
	for _, panics := range []bool{false, true} {
		attempts.Store(0)
		p, s := beam.NewPipelineWithRoot()
		beam.ParDo0(s.Scope("pick"), &failing{Panic: panics}, read(s.Scope("in"), sourceSpec{Partitions: 1, Each: 20, Keys: 1}))
		_, err := Run(t.Context(), p, Options{Retries: 2})
		if err == nil {
			t.Fatal("no error")
		}
		if got := attempts.Load(); got != 3 {
			t.Errorf("%d attempts, want 3", got)
		}
		if !strings.Contains(err.Error(), "pick/direct.failing") {
			t.Errorf("error does not name the step: %v", err)
		}
		var bad *badRecord
		if !panics && (!errors.As(err, &bad) || bad.Seq != 7) {
			t.Errorf("the DoFn's error is not in the chain of %v", err)
		}
		if strings.Contains(err.Error(), "Plan[") {
			t.Errorf("error shows the SDK's plan: %v", err)
		}
		if panics && !strings.Contains(err.Error(), "record seven") {
			t.Errorf("error does not name the panic: %v", err)
		}
	}
}

// refusing fails for good.
type refusing struct{}

func (*refusing) ProcessElement(_ string, r *rec) error {
	attempts.Add(1)
	return fmt.Errorf("record %d: %w", r.Seq, flow.ErrIdentity)
}

// What a repetition cannot mend is not repeated.
func TestPermanentErrors(t *testing.T) {
	attempts.Store(0)
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s.Scope("pick"), &refusing{}, read(s.Scope("in"), sourceSpec{Partitions: 1, Each: 1, Keys: 1}))
	_, err := Run(t.Context(), p, Options{Retries: 2})
	if !errors.Is(err, flow.ErrIdentity) || attempts.Load() != 1 {
		t.Errorf("%d attempts, %v", attempts.Load(), err)
	}
}

// gate is what blocking waits for.
var gate chan struct{}

// blocking lets the first record of a bundle wait at the gate.
type blocking struct{}

func (f *blocking) ProcessElement(ctx context.Context, _ string, vs func(**rec) bool) error {
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func blocked(spec sourceSpec) *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	gatherWith(s, &blocking{}, read(s, spec))
	return p
}

func TestSourcesWaitForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		var c Control
		done := make(chan error, 1)
		spec := sourceSpec{Partitions: 2, Each: 10000, PerCall: 10, Keys: 3}
		go func() {
			_, err := Run(context.Background(), blocked(spec), Options{Workers: 8, Memory: 4000, Control: &c})
			done <- err
		}()
		synctest.Wait()
		var queued, read int64
		for _, s := range c.Progress() {
			if s.Kind == "group" {
				queued = s.QueuedBytes
			}
			if s.Kind == "source" {
				read = s.Taken
			}
		}
		// Half of the memory, and what the bundles brought that were running when it was reached.
		if queued < 2000 || queued > 2000+9*10*40 {
			t.Errorf("%d bytes are queued after %d bundles of the sources", queued, read)
		}
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		_, err := Run(ctx, blocked(sourceSpec{Partitions: 2, Each: 50, PerCall: 5, Keys: 3}), Options{Workers: 2})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestStopAndResume(t *testing.T) {
	spec := sourceSpec{Partitions: 3, Each: 100, PerCall: 5, Keys: 4}
	db := survivor{store.NewMemory()}
	failures.Clear()
	build := func(s beam.Scope) {
		beam.ParDo0(s, newKeep(t.Name()), beam.ParDo(s, newRunningSum(t.Name()), read(s, spec)))
	}
	runs := 0
	runUntilFinished(t, build, func() (store.Store, error) { return db, nil }, func(run int) Options {
		runs = run + 1
		var c Control
		o := Options{Control: &c, Retries: 100, Workers: 2}
		o.OnCommit = func(n int64) error {
			if n == 10 {
				c.Stop()
			}
			return nil
		}
		return o
	})
	if runs < 3 {
		t.Errorf("finished after %d runs, so none was stopped", runs)
	}
	checkSums(t, t.Name(), 1, spec)
}

func TestOtherGraphIsRefused(t *testing.T) {
	db := survivor{store.NewMemory()}
	open := func() (store.Store, error) { return db, nil }
	for i, step := range []string{"a", "b"} {
		p, s := beam.NewPipelineWithRoot()
		gather(s.Scope(step), t.Name(), read(s, sourceSpec{Partitions: 1, Each: 1, Keys: 1}))
		_, err := runOnce(p, open, Options{})
		if i == 1 && !errors.Is(err, sched.ErrIncompatible) {
			t.Errorf("error is %v", err)
		}
	}
	if got := len(taken(t.Name())["k0"]); got != 1 {
		t.Errorf("%d records collected", got)
	}
}
