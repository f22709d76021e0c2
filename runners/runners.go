// Package runners runs pipelines: Run inside any Go program, Main as the whole of a pipeline's own command.
//
// A job has a name, which is its identity in ledgers and staging places, and a directory, in which its state lies. A run
// goes on where the last one ended, whatever ended it.
package runners

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct"
)

// Options say how a pipeline runs. The zero value runs in the user's state directory under a name made of the pipeline's
// sources and sinks, until the sources end or ctx is cancelled.
type Options struct {
	// Pipeline names the pipeline. Default: the name of the program's file.
	Pipeline string
	// Name is the job's identity. Default: the pipeline's name and a short hash of the addresses of its sources and sinks.
	Name string
	// Job is the directory of the job's state. Default: millrace/<name> in $XDG_STATE_HOME, or in ~/.local/state.
	Job string
	// InMemory keeps the state in memory: what is not finished when the process ends begins anew. For tests and short runs.
	InMemory bool
	// Workers is the number of bundles processed at a time. Default: the number of CPUs.
	Workers int
	// Memory is the budget for queues and caches, in bytes; sources wait at the bound. Main also makes it the memory
	// limit of its process; a program that embeds Run decides that itself (debug.SetMemoryLimit). Default 256 MiB.
	Memory int64
	// UntilIdle, if not zero, ends the job when all sources have been read to their ends for that long.
	UntilIdle time.Duration
	// UntilNow stops the run at the ends that the sources have when it starts; the next run goes on.
	UntilNow bool
	// Takeover kills the process that holds the job on this host, and takes the job.
	Takeover bool
	// Append allows sinks a first commit into places that hold other files.
	Append bool
	// Log takes what an operator should see. Default: nothing is logged.
	Log *slog.Logger
	// OnProgress, if set, is called every Every while the job runs.
	OnProgress func(Progress)
	// Every is the time between two calls of OnProgress. Default 1 s.
	Every time.Duration
	// Clock is the processing time. Default: the system's.
	Clock direct.Clock
	// Stores keeps what flow.Collect collects over several runs of a job in this process. Default: each run has its own.
	Stores *flow.Stores
	// Control asks the run to stop or to end, and says how the partitions stand. Default: one of Run's own.
	Control *flow.Control
	// Engine watches and stops the embedded engine. Default: one of Run's own.
	Engine *direct.Control
	// OnCommit is called before each bundle is committed, with its number in this run; an error ends the run as a crash
	// would. For tests.
	OnCommit func(n int64) error
}

// Run builds the pipeline, runs it until its sources end, ctx is cancelled or it fails, and says what it did. Cancelling
// ctx lets the run publish what it has read and stop; the next run goes on. It does not exit the process, reads no flags
// and handles no signals.
//
// Errors: mistakes of the graph (*flow.GraphError, joined) before anything is started; *direct.HeldError when another
// process holds the job; *flow.StepError for a failing step.
func Run(ctx context.Context, build func(*flow.Pipeline), o Options) (Result, error) {
	r, err := start(build, o)
	if err != nil {
		return Result{}, err
	}
	res, err := r.run(ctx)
	return res, errors.Join(err, r.close())
}

func (o Options) withDefaults() Options {
	o.Pipeline = cmp.Or(o.Pipeline, programName())
	o.Memory = cmp.Or(o.Memory, 256<<20)
	o.Every = cmp.Or(o.Every, time.Second)
	if o.Control == nil {
		o.Control = &flow.Control{}
	}
	if o.Engine == nil {
		o.Engine = &direct.Control{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func programName() string {
	exe, err := os.Executable()
	if err != nil {
		return "pipeline"
	}
	return filepath.Base(exe)
}

// JobDir gives the directory of a job's state where none is chosen.
func JobDir(name string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no place for the job's state: %w; choose one with --job", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "millrace", name), nil
}
