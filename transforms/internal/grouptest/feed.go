package grouptest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"pgregory.net/rapid"
)

// Page is what one read of a Feed's partition gives.
type Page[T any] struct {
	Rows []T
	// Watermark is a lower bound of later event times; zero: nothing is known.
	Watermark time.Time
}

// Feed is a source whose partitions are read as fast as the engine asks, so that what runs beside what is left to chance.
type Feed[T any] struct {
	// At gives the event time of a row.
	At func(T) time.Time
	// Parts are the pages of each partition.
	Parts [][]Page[T]
	// Bounded holds the watermark back until all is read, as a table's history does.
	Bounded bool
	// Idle partitions never end: the run ends when all are read. The last partitions appear while the first are read.
	Idle bool

	opened sync.Map
}

// Read adds the feed to a pipeline.
func (f *Feed[T]) Read(p *flow.Pipeline, step string) flow.Input {
	m, err := batch.NewMapping[T]()
	if err != nil {
		p.Errorf(step, "%w", err)
		return flow.Input{}
	}
	return flow.Read(p, step, &feedSource[T]{f, m, step})
}

// Appear makes all partitions of an idle feed exist from the start.
func (f *Feed[T]) Appear() {
	for i := range f.Parts {
		f.opened.Store(i, true)
	}
}

// Ends implements flow.Ender.
func (s *feedSource[T]) Ends(_ context.Context, p flow.Partition) ([]byte, error) {
	part, err := strconv.Atoi(p.ID)
	if err != nil {
		return nil, err
	}
	return []byte(strconv.Itoa(len(s.Parts[part]))), nil
}

// Reached implements flow.Ender.
func (s *feedSource[T]) Reached(position, end []byte) bool {
	at, _ := strconv.Atoi(string(position)) // 0 at the start
	to, _ := strconv.Atoi(string(end))
	return at >= to
}

type feedSource[T any] struct {
	*Feed[T]
	m    *batch.Mapping[T]
	step string
}

// Spec implements flow.Source.
func (s *feedSource[T]) Spec() flow.SourceSpec {
	spec := flow.SourceSpec{Connector: "feed", Address: s.step, Schema: s.m.Schema(), EventTime: true, Bounded: s.Bounded, IdleAfter: -1}
	if s.Idle {
		spec.Discover = time.Millisecond
	}
	return spec
}

// Partitions implements flow.Source. Of an idle feed a partition appears once the one before it is read.
func (s *feedSource[T]) Partitions(context.Context) ([]flow.Partition, error) {
	var out []flow.Partition
	for i := range s.Parts {
		out = append(out, flow.Partition{ID: strconv.Itoa(i)})
		if _, read := s.opened.Load(i); s.Idle && !read {
			break
		}
	}
	return out, nil
}

// all says whether all partitions have appeared.
func (s *feedSource[T]) all() bool {
	for i := range s.Parts {
		if _, read := s.opened.Load(i); !read {
			return false
		}
	}
	return true
}

// Open implements flow.Source.
func (s *feedSource[T]) Open(_ context.Context, a flow.Assignment) (flow.Reader, error) {
	part, err := strconv.Atoi(a.ID)
	if err != nil {
		return nil, err
	}
	s.opened.Store(part, true)
	r := &feedReader[T]{s: s, part: part}
	if len(a.Position) > 0 {
		r.next, err = strconv.Atoi(string(a.Position))
	}
	return r, err
}

type feedReader[T any] struct {
	s          *feedSource[T]
	part, next int
}

// Close implements flow.Reader.
func (*feedReader[T]) Close() error { return nil }

// Read gives a page a call: one that waits ends the call, so that each page is a bundle.
func (r *feedReader[T]) Read(context.Context) (flow.Page, error) {
	pages := r.s.Parts[r.part]
	if r.next == len(pages) {
		page := flow.Page{State: flow.End, Watermark: batch.NoTime, Lag: -1, Next: []byte(strconv.Itoa(r.next)), Pause: time.Millisecond}
		switch {
		case r.s.Idle && r.s.all():
			page.State = flow.CaughtUp
		case r.s.Idle:
			page.State = flow.Waiting
		}
		return page, nil
	}
	in := pages[r.next]
	b, err := batch.NewBuilder(r.s.m.Schema(), batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		return flow.Page{}, err
	}
	for i := range in.Rows {
		if err := r.s.m.Append(b, &in.Rows[i]); err != nil {
			return flow.Page{}, err
		}
		b.Time(r.s.At(in.Rows[i]).UnixMicro())
		b.Position(strconv.Itoa(r.part), int64(r.next)<<20|int64(i), 0)
		if err := b.EndRow(); err != nil {
			return flow.Page{}, err
		}
	}
	r.next++
	page := flow.Page{
		State: flow.Waiting, Watermark: batch.NoTime, Lag: -1, Next: []byte(strconv.Itoa(r.next)),
		Records: int64(len(in.Rows)), Pause: time.Nanosecond,
	}
	if !in.Watermark.IsZero() {
		page.Watermark = in.Watermark.UnixMicro()
	}
	if len(in.Rows) > 0 {
		page.Rows, err = b.Build()
	}
	return page, err
}

// Ways says how a job is run: with how many workers, at which of its commits, counted from the last start, it crashes or is
// asked to stop, and how often bundles fail, for Shaky and Relay.
type Ways struct {
	Workers       int
	Now           bool // until now: the job stops by itself
	Crash, Stop   []int64
	Shaky, Unsure int64

	asked bool // to stop
}

// DrawWays draws a way to run a job.
func DrawWays(t *rapid.T) Ways {
	commits := rapid.SliceOfN(rapid.Int64Range(1, 60), 0, rapid.IntRange(0, 2).Draw(t, "restarts of a kind"))
	return Ways{
		Workers: rapid.SampledFrom([]int{1, 4}).Draw(t, "workers"),
		Crash:   commits.Draw(t, "crash before commits"),
		Stop:    commits.Draw(t, "stop at commits"),
		Shaky:   rapid.SampledFrom([]int64{0, 2, 5, 20}).Draw(t, "bundles of that number fail"),
		Unsure:  rapid.SampledFrom([]int64{0, 2, 5, 20}).Draw(t, "ends of bundles of that number fail"),
	}
}

var errCrash = errors.New("crash by test")

// idle is how long the partitions of idle feeds are read to their ends before the job ends.
const idle = 3 * time.Millisecond

// limit bounds one job, all its runs together.
const limit = 30 * time.Second

// Run runs a job until it is finished, starting it again after every crash and stop.
func (w Ways) Run(build func(*flow.Pipeline)) (res runners.Result, err error) {
	dir, err := os.MkdirTemp("", "millrace-job-*")
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	stores := &flow.Stores{}
	memory := len(w.Crash)+len(w.Stop) == 0
	for {
		control := &flow.Control{}
		res, err := runners.Run(ctx, build, runners.Options{
			UntilIdle: w.idle(), UntilNow: w.Now, Pipeline: "test", Name: "test", Job: dir, InMemory: memory, Workers: w.Workers, Stores: stores, Control: control,
			OnCommit: func(n int64) error { return w.before(n, control) },
		})
		switch {
		case ctx.Err() != nil:
			return res, fmt.Errorf("the job does not end: %w", errors.Join(ctx.Err(), err))
		case errors.Is(err, errCrash):
			w.Crash = w.Crash[1:]
		case err != nil || res.State == "finished" || w.Now && !w.asked:
			return res, err
		}
		w.asked = false
	}
}

func (w *Ways) idle() time.Duration {
	if w.Now {
		return 0
	}
	return idle
}

func (w *Ways) before(n int64, c *flow.Control) error {
	if len(w.Crash) > 0 && n >= w.Crash[0] {
		return errCrash
	}
	if len(w.Stop) > 0 && n >= w.Stop[0] && !c.Stopping() {
		w.Stop, w.asked = w.Stop[1:], true
		c.Stop()
	}
	return nil
}
