package runners_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
)

// shards is a source of two partitions that looks for more again and again: one ends for ever, as a closed shard does, the
// other goes on.
type shards struct{ closed, open *polled }

// Spec implements flow.Source.
func (s shards) Spec() flow.SourceSpec {
	spec := s.open.Spec()
	spec.Discover = time.Millisecond
	return spec
}

// Partitions implements flow.Source.
func (s shards) Partitions(context.Context) ([]flow.Partition, error) {
	return []flow.Partition{{ID: "closed"}, {ID: "open"}}, nil
}

// Open implements flow.Source.
func (s shards) Open(ctx context.Context, a flow.Assignment) (flow.Reader, error) {
	if a.ID == "closed" {
		return s.closed.Open(ctx, a)
	}
	return s.open.Open(ctx, a)
}

// A partition that ended in an earlier run does not keep a run from being idle.
func TestUntilIdleBehindAnEndedPartition(t *testing.T) {
	nothing := func(int64) {}
	src := shards{closed: &polled{end: 1, seen: nothing}, open: &polled{end: 1 << 40, moves: true, seen: nothing}}
	dir, stores, crashed := t.TempDir(), &flow.Stores{}, errors.New("crash")
	run := func(o runners.Options) (runners.Result, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		o.Pipeline, o.Name, o.Job, o.Stores = "test", "test", dir, stores
		return runners.Run(ctx, func(p *flow.Pipeline) {
			flow.Collect[struct{ ID int64 }]("rows", flow.Read(p, "in", src).Rows)
		}, o)
	}
	if _, err := run(runners.Options{OnCommit: func(int64) error {
		if src.closed.polls.Load() > 0 && src.open.polls.Load() > 200 {
			return crashed
		}
		return nil
	}}); !errors.Is(err, crashed) {
		t.Fatal(err)
	}
	res, err := run(runners.Options{UntilIdle: time.Millisecond})
	if err != nil || res.State != "finished" {
		t.Errorf("the run until idle is %q, %v", res.State, err)
	}
	if n := src.closed.opens.Load(); n != 1 {
		t.Errorf("the partition that had ended was opened %d times", n)
	}
}
