package runners

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/runners/direct"
)

// Exit codes of a pipeline's command.
const (
	ExitOK       = 0 // finished, stopped as asked, or nothing new
	ExitFailed   = 1 // the run failed; running it again goes on
	ExitUsage    = 2 // wrong arguments, or mistakes in the graph; nothing was started
	ExitHeld     = 3 // another process holds the job
	ExitRefused  = 4 // state, ledger, source or graph do not belong together; the message says what to do
	ExitSigTwice = 130
)

// Main makes build the whole of a pipeline's command: run (the default), plan, status, drain, cancel, reset. The fields of
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

func signalContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	sig := make(chan os.Signal, 2)
	signal.Notify(sig, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range 2 {
			select {
			case <-sig:
				if ctx.Err() != nil {
					os.Exit(ExitSigTwice)
				}
				cancel()
			}
		}
	}()
	return ctx, func() { signal.Stop(sig); cancel() }
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
	_, attach := errors.AsType[*commit.AttachError](err)
	_, conflict := errors.AsType[*commit.ConflictError](err)
	if attach || conflict {
		return ExitRefused
	}
	for _, refused := range []error{ErrChanged, flow.ErrIdentity, flow.ErrSchema, flow.ErrGap} {
		if errors.Is(err, refused) {
			return ExitRefused
		}
	}
	return ExitFailed
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

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use: programName(), Short: "a Millrace pipeline", SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.flags(root)
	add := func(use, short string, run func(context.Context) error) *cobra.Command {
		sub := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context())
		}}
		root.AddCommand(sub)
		return sub
	}
	add("run", "run the pipeline (the default)", c.run)
	add("plan", "print the graph, schemas and guarantees; reads no rows", c.plan)
	add("status", "say whether the job is running, stopped or finished, who holds it, and what is published", c.status)
	add("cancel", "stop the running job; what was read is published, the next run goes on", func(ctx context.Context) error {
		return c.ask(ctx, VerbCancel)
	})
	var closeAll, keep, replace bool
	drain := add("drain", "stop the running job as cancel does, or with --close end it", func(ctx context.Context) error {
		if closeAll {
			return c.ask(ctx, VerbClose)
		}
		return c.ask(ctx, VerbDrain)
	})
	drain.Flags().BoolVar(&closeAll, "close", false, "close windows and complete the sinks, as if the sources had ended")
	reset := add("reset", "forget the job's state and begin anew in its place", func(ctx context.Context) error {
		return c.reset(ctx, keep, replace)
	})
	reset.Flags().BoolVar(&keep, "keep", false, "leave what the job has published")
	reset.Flags().BoolVar(&replace, "replace", false, "delete what the job has published")
	return root
}

func (c *command) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&c.runner, "runner", "direct", "where to run: direct (in this process)")
	f.StringVar(&c.o.Name, "name", "", "the job's name (default: pipeline and a hash of its addresses)")
	f.StringVar(&c.o.Job, "job", "", "directory of the job's state (default: millrace/<name> in the user's state directory)")
	f.IntVar(&c.o.Workers, "workers", 0, "bundles processed at a time (default: number of CPUs)")
	f.StringVar(&c.memory, "memory", "256MiB", "budget for queues and caches")
	f.DurationVar(&c.o.UntilIdle, "until-idle", 0, "end the job when all sources have been read to their ends for this long")
	f.StringVar(&c.until, "until", "", "now: stop at the ends that the sources have when the run starts")
	f.BoolVar(&c.o.Takeover, "takeover", false, "kill the process on this host that holds the job, and take the job")
	f.BoolVar(&c.o.Append, "append", false, "allow a first commit into a place that holds other files")
	f.StringVar(&c.summary, "summary", "", "write the result as JSON to this file")
	f.StringVar(&c.log, "log", "auto", "auto (one live line in a terminal, text elsewhere), text or json")
	_ = root.MarkPersistentFlagFilename("summary", "json") // completion only
}
