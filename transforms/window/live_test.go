package window_test

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"github.com/millrace-io/millrace/transforms/window"
)

// tap is a source of partitions that a test fills while it is read. A partition that is read to its end is caught up.
type tap struct {
	idleAfter time.Duration
	polls     atomic.Int64

	mu    sync.Mutex
	parts [][]grouptest.Tick
	ended bool
}

// add adds rows to a partition.
func (s *tap) add(part int, rows ...grouptest.Tick) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[part] = append(s.parts[part], rows...)
}

// end ends all partitions behind their last rows.
func (s *tap) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// Spec implements flow.Source.
func (s *tap) Spec() flow.SourceSpec {
	return flow.SourceSpec{Connector: "tap", Address: "test", Schema: ticks.Schema(), EventTime: true, IdleAfter: s.idleAfter}
}

// Partitions implements flow.Source.
func (s *tap) Partitions(context.Context) ([]flow.Partition, error) {
	out := make([]flow.Partition, len(s.parts))
	for i := range out {
		out[i].ID = strconv.Itoa(i)
	}
	return out, nil
}

// Open implements flow.Source.
func (s *tap) Open(_ context.Context, a flow.Assignment) (flow.Reader, error) {
	part, err := strconv.Atoi(a.ID)
	r := &tapReader{tap: s, part: part}
	if err == nil && len(a.Position) > 0 {
		r.next, err = strconv.Atoi(string(a.Position))
	}
	return r, err
}

var ticks = func() *batch.Mapping[grouptest.Tick] {
	m, err := batch.NewMapping[grouptest.Tick]()
	if err != nil {
		panic(err)
	}
	return m
}()

type tapReader struct {
	*tap
	part, next int
}

// Close implements flow.Reader.
func (*tapReader) Close() error { return nil }

// Read implements flow.Reader.
func (r *tapReader) Read(context.Context) (flow.Page, error) {
	r.polls.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := r.parts[r.part][r.next:]
	page := flow.Page{State: flow.CaughtUp, Watermark: batch.NoTime, Lag: -1, Records: int64(len(rows))}
	b, err := batch.NewBuilder(ticks.Schema(), batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		return page, err
	}
	for i := range rows {
		if err := ticks.Append(b, &rows[i]); err != nil {
			return page, err
		}
		b.Time(rows[i].At.UnixMicro())
		b.Position(strconv.Itoa(r.part), int64(r.next+i), 0)
		if err := b.EndRow(); err != nil {
			return page, err
		}
	}
	r.next += len(rows)
	page.Next = []byte(strconv.Itoa(r.next))
	if r.ended {
		page.State = flow.End
	}
	if len(rows) > 0 {
		page.Rows, err = b.Build()
	}
	return page, err
}

// live is what a job over taps has collected.
type live struct {
	windows, late *flow.Collection[result]
	rows          *flow.Collection[grouptest.Tick]
}

func (l *live) build(size time.Duration, sources ...*tap) func(*flow.Pipeline) {
	return func(p *flow.Pipeline) {
		var in []flow.Rows
		for i, s := range sources {
			in = append(in, flow.Read(p, "in-"+strconv.Itoa(i), s).Rows)
		}
		rows := flow.Flatten("all", in...)
		w := window.Fixed("w", rows, size, window.Options{
			Keys: []string{"key"}, Values: window.Values{"n": window.Count(), "ids": window.Sum("id")},
		})
		l.windows, l.late = flow.Collect[result]("windows", w.Rows), flow.Collect[result]("late", w.Late)
		l.rows = flow.Collect[grouptest.Tick]("rows", rows)
	}
}

func collected[T any](t *testing.T, c *flow.Collection[T]) []T {
	t.Helper()
	rows, err := c.Rows(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// rowsFrom gives n rows a second apart.
func rowsFrom(at time.Time, from, n int64) (out []grouptest.Tick) {
	for i := range n {
		out = append(out, grouptest.Tick{At: at.Add(time.Duration(i) * time.Second), Key: 1, ID: from + i})
	}
	return out
}

// BR-073: a source that is empty at its start, by proof, holds nothing up. The other source's windows close; its own rows come on
// time when they come; and it is asked no more often than the pause between two polls allows.
func TestEmptySourceHoldsNothingUp(t *testing.T) {
	for _, workers := range []int{1, 4} {
		empty, full := &tap{idleAfter: time.Millisecond, parts: make([][]grouptest.Tick, 1)}, &tap{idleAfter: time.Millisecond, parts: make([][]grouptest.Tick, 1)}
		full.add(0, rowsFrom(grouptest.Epoch, 0, 10)...)
		later := time.Now().UTC().Truncate(time.Minute).Add(time.Hour)
		var l live
		began, polls := time.Now(), int64(0)
		var waited time.Duration
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := runners.Run(ctx, l.build(time.Minute, empty, full), runners.Options{
			InMemory: true, Workers: workers, Every: 5 * time.Millisecond, OnProgress: func(runners.Progress) {
				if polls == 0 && len(collected(t, l.windows)) > 0 {
					polls, waited = empty.polls.Load(), time.Since(began)
					empty.add(0, rowsFrom(later, 100, 10)...)
					empty.end()
					full.end()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := collected(t, l.windows)
		slices.SortFunc(got, func(a, b result) int { return a.Window.Compare(b.Window) })
		if diff := gocmp.Diff([]result{{grouptest.Epoch, 1, 10, 45}, {later, 1, 10, 1045}}, got); diff != "" || len(collected(t, l.late)) > 0 {
			t.Errorf("workers %d: late %v, windows (-want +got)\n%s", workers, collected(t, l.late), diff)
		}
		if most := int64(waited/(50*time.Millisecond)) + 5; polls > most {
			t.Errorf("workers %d: the empty source was polled %d times in %v, at most %d are wanted", workers, polls, waited, most)
		}
	}
}

// BR-077: a job that is asked to close gives each open window once, with all rows that were read, though one partition is idle;
// a job that is asked to stop gives none, and its next run goes on with what was open. The rows are published by both.
func TestCloseAndStop(t *testing.T) {
	for name, stopFirst := range map[string]bool{"close": false, "stop, then close": true} {
		for _, workers := range []int{1, 4} {
			t.Run(name+"/"+strconv.Itoa(workers), func(t *testing.T) {
				src := &tap{idleAfter: -1, parts: make([][]grouptest.Tick, 3)}
				src.add(0, rowsFrom(grouptest.Epoch, 0, 5)...)
				src.add(1, rowsFrom(grouptest.Epoch.Add(time.Minute), 5, 5)...)
				j := job{t: t, dir: filepath.Join(t.TempDir(), "job"), workers: workers, stores: &flow.Stores{}}
				want := []result{{grouptest.Epoch, 1, 10, 45}}
				if stopFirst {
					j.until(src, 10, (*flow.Control).Stop, "stopped")
					if n := len(collected(t, j.windows)); n != 0 {
						t.Errorf("%d windows were given by a stop", n)
					}
					j.wantRows(10)
					src.add(0, rowsFrom(grouptest.Epoch.Add(2*time.Minute), 10, 2)...)
					want = []result{{grouptest.Epoch, 1, 12, 66}}
				}
				j.until(src, map[bool]int64{false: 10, true: 2}[stopFirst], (*flow.Control).CloseAll, "finished")
				j.until(src, 0, (*flow.Control).Stop, "finished") // there is nothing left to do
				if diff := gocmp.Diff(want, collected(t, j.windows)); diff != "" || len(collected(t, j.late)) > 0 {
					t.Errorf("late %v, windows (-want +got)\n%s", collected(t, j.late), diff)
				}
				j.wantRows(want[0].N)
			})
		}
	}
}

// job is a durable job over a tap.
type job struct {
	live
	t       *testing.T
	dir     string
	workers int
	stores  *flow.Stores
}

// until runs the job, asks it to end when it has read n records, and checks in what state it ends.
func (j *job) until(src *tap, n int64, end func(*flow.Control), state string) {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(j.t.Context(), 30*time.Second)
	defer cancel()
	control, once := &flow.Control{}, sync.Once{}
	res, err := runners.Run(ctx, j.build(time.Hour, src), runners.Options{
		Pipeline: "test", Name: "test", Job: j.dir, Workers: j.workers, Stores: j.stores, Control: control, Every: 5 * time.Millisecond,
		OnProgress: func(p runners.Progress) {
			if p.Records >= n {
				once.Do(func() { end(control) })
			}
		},
	})
	if err != nil || res.State != state || ctx.Err() != nil {
		j.t.Fatalf("state %q, want %q; %v", res.State, state, err)
	}
}

func (j *job) wantRows(n int64) {
	j.t.Helper()
	rows := collected(j.t, j.rows)
	slices.SortFunc(rows, func(a, b grouptest.Tick) int { return cmp.Compare(a.ID, b.ID) })
	for i, r := range rows {
		if r.ID != int64(i) {
			j.t.Fatalf("row %d has id %d", i, r.ID)
		}
	}
	if int64(len(rows)) != n {
		j.t.Errorf("%d rows are published of %d", len(rows), n)
	}
}
