package direct

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/millrace-io/millrace/runners/direct/internal/sched"
)

// Clock is the processing time of a run: resume delays and processing-time timers go by it.
type Clock = sched.Clock

// Options are the options of Run. The zero value runs in memory.
type Options struct {
	// Job is the job whose directory holds the state. nil: state is kept in memory and lost at the end.
	Job *Job
	// Workers is the number of bundles that run at the same time. Default: the number of CPUs Go may use.
	Workers int
	// Memory bounds the bytes queued between steps: while half of it is queued, or an eighth is on its way into the
	// store, sources wait, and beyond a quarter of it queued elements are kept in the store alone. Bytes; default 256 MiB.
	Memory int64
	// BundleBytes ends a bundle's input: it takes no more queued elements once it has this many bytes. Default 4 MiB.
	BundleBytes int
	// BundleElements ends a bundle's input likewise. Default 1000.
	BundleElements int
	// Retries is how often a failed bundle is tried again before the run fails. Negative: never. Default 3.
	Retries int
	// FireProcessingTimersOnStop fires pending processing-time timers after Control.Stop, step after step.
	FireProcessingTimersOnStop bool
	// Fingerprint is added to the graph's own: a job directory written under another one is refused.
	Fingerprint string
	// Control stops and watches the run.
	Control *Control
	// Clock is the processing time. Default: the system's.
	Clock Clock
	// Log gets warnings about repeated bundles. Default: nothing is logged.
	Log *slog.Logger
	// OnCommit is called before each commit with its running number in this run, one call at a time. An error ends
	// the run with the effect of a crash at that point: nothing of the bundle is committed.
	OnCommit func(n int64) error
}

func (o Options) withDefaults() (Options, error) {
	var errs []error
	bad := func(name string, v int64) {
		if v < 0 {
			errs = append(errs, fmt.Errorf("option %s is %d, it must not be negative", name, v))
		}
	}
	bad("Workers", int64(o.Workers))
	bad("Memory", o.Memory)
	bad("BundleBytes", int64(o.BundleBytes))
	bad("BundleElements", int64(o.BundleElements))
	if err := errors.Join(errs...); err != nil {
		return o, err
	}
	o.Workers = or(o.Workers, runtime.GOMAXPROCS(0))
	o.Memory = or(o.Memory, 256<<20)
	o.BundleBytes = or(o.BundleBytes, 4<<20)
	o.BundleElements = or(o.BundleElements, 1000)
	o.Retries = max(or(o.Retries, 3), 0)
	if o.Control == nil {
		o.Control = &Control{}
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	return o, nil
}

// beforeCommit makes sure that the job is still this process's, so that a process that was taken for dead commits nothing.
func (o Options) beforeCommit() func(n int64) error {
	if o.Job == nil {
		return o.OnCommit
	}
	return func(n int64) error {
		if err := o.Job.d.Check(); err != nil {
			return err
		}
		if o.OnCommit != nil {
			return o.OnCommit(n)
		}
		return nil
	}
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
