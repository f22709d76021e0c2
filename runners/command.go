package runners

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/flow"
)

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use: programName(), Short: "a Millrace pipeline", SilenceUsage: true, SilenceErrors: true,
		Args: usage(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.flags(root)
	add := func(use, short string, run func(context.Context) error) *cobra.Command {
		sub := &cobra.Command{Use: use, Short: short, Args: usage(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error {
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
	root.AddCommand(c.resolveCommand())
	return root
}

// usage makes errors of a check of arguments errors of the command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

func (c *command) resolveCommand() *cobra.Command {
	var how resolutions
	cmd := &cobra.Command{
		Use: "resolve SINK NUMBER", Short: "end a commit that is claimed and cannot be published as it stands; status lists them",
		Args: usage(cobra.ExactArgs(2)), RunE: func(cmd *cobra.Command, args []string) error {
			one, err := how.one()
			if err != nil {
				return err
			}
			seq, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return usageError{fmt.Errorf("resolve: %q is no number of a commit", args[1])}
			}
			return c.resolve(cmd.Context(), flow.Resolution{Step: args[0], Seq: seq, How: one})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&how.publish, "publish", false, "publish it from what is staged")
	f.BoolVar(&how.void, "void", false, "give its rows up; they are counted as lost")
	f.BoolVar(&how.release, "release", false, "take the number from another history of the job, whose process has ended")
	return cmd
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
