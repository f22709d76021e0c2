// Package flowtest runs pipelines in tests: literal rows in, rows out, with event time, processing time and restarts written
// down as a script.
//
// A test builds its pipeline with scripted sources and flow.Collect, and hands it to Run. Run builds the graph twice and
// compares, and runs it with 1 and with 4 workers; both must pass the same checks.
package flowtest

import (
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/millrace-io/millrace/batch"
)

// Script says what a source does, step by step. A step begins when everything that the one before has caused is done, so
// that what a test expects does not depend on timing. The methods add steps and return the script.
type Script[T any] struct {
	o     Options[T]
	steps []step[T]
}

// Options say how the rows of T become a source.
type Options[T any] struct {
	// Time gives the event time of a row. Default: rows have none.
	Time func(T) time.Time
	// IdleAfter is flow.SourceSpec's; negative: idle partitions hold the watermark. Default 30 s.
	IdleAfter time.Duration
	// Bounded makes it a source that ends by itself, which holds the watermark back until then.
	Bounded bool
}

type verb int

const (
	rows verb = iota
	watermark
	idle
	clock
	partition
	restart
	end
)

type step[T any] struct {
	verb verb
	part string
	rows []T
	at   time.Time
	by   time.Duration
}

// state is what a script's run has come to. It outlives restarts.
type state struct {
	mu    sync.Mutex
	next  int             // the first step that has not begun
	parts []string        // that exist
	crash bool            // a restart is due
	taken map[string]bool // partitions whose last page may still be on its way into the engine
	done  bool            // all steps were taken; guarded by the harness
}

// NewScript begins a script. Partitions named before the first other step exist from the start.
func NewScript[T any](o Options[T]) *Script[T] { return &Script[T]{o: o} }

func (s *Script[T]) add(st step[T]) *Script[T] {
	s.steps = append(s.steps, st)
	return s
}

// Rows reads rows from a partition.
func (s *Script[T]) Rows(part string, rs ...T) *Script[T] {
	return s.add(step[T]{verb: rows, part: part, rows: rs})
}

// Watermark says that all later rows of the partition have event times from t on.
func (s *Script[T]) Watermark(part string, t time.Time) *Script[T] {
	return s.add(step[T]{verb: watermark, part: part, at: t})
}

// Idle proves that the partition is read to its end, until its next rows.
func (s *Script[T]) Idle(part string) *Script[T] { return s.add(step[T]{verb: idle, part: part}) }

// Clock moves the processing time on.
func (s *Script[T]) Clock(by time.Duration) *Script[T] { return s.add(step[T]{verb: clock, by: by}) }

// Partition adds a partition.
func (s *Script[T]) Partition(part string) *Script[T] {
	return s.add(step[T]{verb: partition, part: part})
}

// Restart ends the process as a crash does, and starts the job again from what was committed.
func (s *Script[T]) Restart() *Script[T] { return s.add(step[T]{verb: restart}) }

// End ends the partition.
func (s *Script[T]) End(part string) *Script[T] { return s.add(step[T]{verb: end, part: part}) }

// schema maps T.
func (s *Script[T]) schema() (*batch.Mapping[T], *arrow.Schema, error) {
	m, err := batch.NewMapping[T]()
	if err != nil {
		return nil, nil, err
	}
	return m, m.Schema(), nil
}
