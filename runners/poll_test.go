package runners_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
)

// polled is a source of one partition that never has anything, until it ends.
type polled struct {
	opens, polls atomic.Int64
	end          int64
	moves        bool // each poll gives another position
	seen         func(polls int64)
}

// Spec implements flow.Source.
func (p *polled) Spec() flow.SourceSpec {
	return flow.SourceSpec{
		Connector: "polled", Address: "nothing", IdleAfter: -1,
		Schema: arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil),
	}
}

// Partitions implements flow.Source.
func (p *polled) Partitions(context.Context) ([]flow.Partition, error) {
	return []flow.Partition{{ID: "only"}}, nil
}

// Open implements flow.Source.
func (p *polled) Open(context.Context, flow.Assignment) (flow.Reader, error) {
	p.opens.Add(1)
	return polledReader{p}, nil
}

type polledReader struct{ *polled }

// Close implements flow.Reader.
func (polledReader) Close() error { return nil }

// Read implements flow.Reader.
func (p polledReader) Read(context.Context) (flow.Page, error) {
	n := p.polls.Add(1)
	page := flow.Page{State: flow.CaughtUp, Watermark: batch.NoTime, Lag: -1, Next: []byte("0"), Pause: time.Nanosecond}
	if p.moves {
		page.Next = strconv.AppendInt(nil, n, 10)
	}
	p.seen(n)
	if n >= p.end {
		page.State = flow.End
	}
	return page, nil
}

// BR-076: a start behind 20,000 polls finds what one behind 2,000 does, memory stays as it is, and one reader goes on.
func TestPollsLeaveNothingBehind(t *testing.T) {
	const few, many = 2_000, 20_000
	for name, moves := range map[string]bool{"the position stands": false, "the position moves": true} {
		t.Run(name, func(t *testing.T) {
			dir, crashed, stores := t.TempDir(), errors.New("crash"), &flow.Stores{}
			sizes, heaps := map[int64]int64{}, map[int64]int64{}
			src := &polled{end: many + 10, moves: moves, seen: func(n int64) {
				if n == few+1 || n == many+1 { // the first poll of a run
					sizes[n], heaps[n] = sizeOf(t, dir), heap()
				}
			}}
			for run, crash := range []int64{few, many - few, 0} {
				_, err := runners.Run(t.Context(), func(p *flow.Pipeline) {
					flow.Collect[struct{ ID int64 }]("rows", flow.Read(p, "in", src).Rows)
				}, runners.Options{Pipeline: "test", Name: "test", Job: dir, Workers: 2, Stores: stores, OnCommit: func(int64) error {
					if crash > 0 && src.polls.Load() >= few+int64(run)*crash {
						return crashed
					}
					return nil
				}})
				if opens := src.opens.Load(); opens != int64(run)+1 {
					t.Errorf("%d readers were opened in %d runs", opens, run+1)
				}
				if crash > 0 && !errors.Is(err, crashed) || crash == 0 && err != nil {
					t.Fatalf("run %d: %v", run, err)
				}
			}
			if grown := sizes[many+1] - sizes[few+1]; len(sizes) != 2 || grown > 1<<20 { // a residual left behind by each poll makes 3 MiB
				t.Errorf("the job's directory has %d bytes more after %d polls than after %d: %v", grown, many, few, sizes)
			}
			if grown := heaps[many+1] - heaps[few+1]; grown > 1<<20 {
				t.Errorf("the heap has grown by %d bytes from poll %d to %d", grown, few, many)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// sizeOf adds up the files below a folder.
func sizeOf(t *testing.T, dir string) (n int64) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	return n
}
