package runners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/runners/direct"
)

// Verbs that one process asks of another that runs the job.
const (
	VerbDrain  = "drain"
	VerbClose  = "close"
	VerbCancel = "cancel"
)

func (c *command) plan(context.Context) error {
	at, err := c.find()
	if err != nil {
		return err
	}
	if err := direct.Check(at.graph.Beam()); err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "job %s\n", at.name)
	return at.graph.WritePlan(c.s.Out)
}

// find checks the flags and finds the job.
func (c *command) find() (*place, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return find(c.build, c.o.withDefaults())
}

func (c *command) status(ctx context.Context) error {
	at, err := c.find()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "job        %s\ndirectory  %s\nstate      %s\n", at.name, at.dir, at.status)
	sinks, err := at.graph.SinkStatus(ctx, at.name)
	if err != nil {
		return err
	}
	for _, s := range sinks {
		c.sinkStatus(s)
	}
	return nil
}

func (c *command) sinkStatus(s flow.SinkStatus) {
	end := ""
	if s.Ended {
		end = ", complete"
	}
	fmt.Fprintf(c.s.Out, "sink       %s: %s rows in %s files, commits done through %d%s\n           %s\n",
		s.Step, group(s.Totals.Visible.Rows), group(s.Totals.Files), s.Through, end, s.URL)
	if lost := s.Totals.Lost.Rows; lost > 0 {
		fmt.Fprintf(c.s.Out, "           %s rows were given up by `resolve --void` or a reset\n", group(lost))
	}
	for _, open := range s.Open {
		if !open.Done {
			fmt.Fprintf(c.s.Out, "           commit %d is claimed and not done: %s rows in %d files\n", open.Seq, group(open.Rows), open.Files)
		}
	}
}

// ask asks the process that runs the job to stop, and waits until it has.
func (c *command) ask(ctx context.Context, verb string) error {
	at, err := c.find()
	if err != nil {
		return err
	}
	st := at.status
	if !st.Held {
		fmt.Fprintf(c.s.Out, "job %s is not running (%s)\n", at.name, st)
		return nil
	}
	if err := direct.RequestJob(at.dir, verb); err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for st.Held {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if st, err = direct.InspectJob(at.dir); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.s.Out, "job %s: %s\n", at.name, st)
	return nil
}

func (c *command) reset(ctx context.Context, keep, replace bool) error {
	if keep == replace {
		return usageError{errors.New("reset needs one of --keep (leave what was published) and --replace (delete what was published)")}
	}
	at, err := c.find()
	if err != nil {
		return err
	}
	if err := direct.ResetJob(at.dir, at.name); err != nil {
		return err
	}
	job, err := c.hold(at)
	if err != nil {
		return err
	}
	err = at.graph.Reset(ctx, at.name, commit.ResetOptions{Incarnation: job.Incarnation(), Replace: replace})
	if err := errors.Join(err, job.Close()); err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "job %s begins anew at its next run\n", at.name)
	return nil
}

// hold takes the job, so that no process runs it meanwhile.
func (c *command) hold(at *place) (*direct.Job, error) {
	return direct.OpenJob(at.dir, direct.JobOptions{Name: at.name, Pipeline: c.o.withDefaults().Pipeline})
}

// resolutions are the flags of resolve, one of which is given.
type resolutions struct{ publish, void, release bool }

func (r resolutions) one() (commit.Resolution, error) {
	switch r {
	case resolutions{publish: true}:
		return commit.PublishClaim, nil
	case resolutions{void: true}:
		return commit.VoidClaim, nil
	case resolutions{release: true}:
		return commit.ReleaseClaim, nil
	}
	return 0, usageError{errors.New("resolve needs one of --publish (from what is staged), --void (give its rows up) and --release " +
		"(take it from a history of the job that has ended)")}
}

// resolve ends a claim by hand. Where the job's directory is lost there is nothing to hold.
func (c *command) resolve(ctx context.Context, r flow.Resolution) error {
	at, err := c.find()
	if err != nil {
		return err
	}
	var job *direct.Job
	if at.status.Exists {
		if job, err = c.hold(at); err != nil {
			return err
		}
	}
	r.Job = at.name
	err = at.graph.Resolve(ctx, r)
	if job != nil {
		err = errors.Join(err, job.Close())
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "commit %d of sink %s is resolved\n", r.Seq, r.Step)
	return nil
}
