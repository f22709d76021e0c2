package runners

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/runners/direct"
)

// Exit codes of a pipeline's command.
const (
	ExitOK       = 0   // finished, stopped as asked, or nothing new
	ExitFailed   = 1   // the run failed; when the cause is gone, the next run goes on
	ExitUsage    = 2   // wrong arguments, or mistakes in the graph; nothing was started
	ExitHeld     = 3   // another process holds the job
	ExitRefused  = 4   // job, ledger, destination, source or graph do not belong together; the message says what to do
	ExitFenced   = 5   // a later start of the job, or a reset, has taken it over: this one is not to be started again
	ExitSigTwice = 130 // a second signal ended the process at once; the next run goes on as after a crash
)

// Main makes build the whole of a pipeline's command: run (the default), plan, status, drain, cancel, reset, resolve. The fields of
// O are its flags: their names in kebab-case, or the tag flag:"name"; the tags help:"..." and default:"..." say more. It
// does not return.
func Main[O any](build func(*flow.Pipeline, O)) {
	os.Exit(Command(os.Args[1:], build, Streams{Out: os.Stdout, Err: os.Stderr}))
}

// Streams are where a command writes: results to Out, progress and errors to Err.
type Streams struct{ Out, Err io.Writer }

// Command is Main without the exit: it returns the exit code. SIGINT and SIGTERM stop the run in order; a second one ends
// the process at once.
func Command[O any](args []string, build func(*flow.Pipeline, O), s Streams) int {
	ctx, cancel := signalContext()
	defer cancel()
	var o O
	c := &command{s: s, build: func(p *flow.Pipeline) { build(p, o) }}
	root := c.root()
	if err := bindFlags(root.PersistentFlags(), &o); err != nil {
		fmt.Fprintln(s.Err, "error:", err)
		return ExitUsage
	}
	root.SetArgs(args)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(s.Err, "error:", err)
	}
	return exitCode(err)
}

// signalContext gives a context that the first signal cancels; the second one ends the process. The returned function must
// be called once.
func signalContext() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	sig := make(chan os.Signal, 2)
	signal.Notify(sig, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-sig:
			}
			if n > 0 {
				os.Exit(ExitSigTwice)
			}
			cancel()
		}
	}()
	return ctx, func() { signal.Stop(sig); close(done); cancel() }
}

// usageError marks errors of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	if _, ok := errors.AsType[*direct.HeldError](err); ok {
		return ExitHeld
	}
	if _, ok := errors.AsType[*flow.GraphError](err); ok {
		return ExitUsage
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return ExitUsage
	}
	if fenced(err) {
		return ExitFenced
	}
	if refused(err) {
		return ExitRefused
	}
	return ExitFailed
}

// fenced says whether another process has taken the job over.
func fenced(err error) bool {
	if c, ok := errors.AsType[*commit.ConflictError](err); ok {
		return c.History == commit.Zombie || c.History == commit.Fenced
	}
	if a, ok := errors.AsType[*commit.AttachError](err); ok {
		return a.Reason == commit.StateFenced
	}
	return errors.Is(err, direct.ErrFenced)
}

// refused says whether things do not belong together, so that a repetition is refused too.
func refused(err error) bool {
	_, attach := errors.AsType[*commit.AttachError](err)
	_, conflict := errors.AsType[*commit.ConflictError](err)
	if attach || conflict {
		return true
	}
	for _, target := range []error{ErrChanged, direct.ErrForeign, flow.ErrIdentity, flow.ErrSchema, flow.ErrGap, syscall.EXDEV} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// command is one invocation.
type command struct {
	s       Streams
	build   func(*flow.Pipeline)
	o       Options
	runner  string
	memory  string
	until   string
	summary string
	log     string
}
