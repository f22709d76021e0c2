package runners

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// check turns the flags into options.
func (c *command) check() error {
	var errs []error
	if c.runner != "direct" {
		errs = append(errs, fmt.Errorf("--runner=%s is not supported; supported: direct", c.runner))
	}
	if c.until != "" && c.until != "now" {
		errs = append(errs, fmt.Errorf("--until=%s: only now is supported", c.until))
	}
	if c.until == "now" && c.o.UntilIdle > 0 {
		errs = append(errs, errors.New("--until=now and --until-idle exclude each other"))
	}
	var err error
	if c.o.Memory, err = parseBytes(c.memory); err != nil {
		errs = append(errs, fmt.Errorf("--memory: %w", err))
	}
	if c.o.Workers < 0 {
		errs = append(errs, fmt.Errorf("--workers=%d is negative", c.o.Workers))
	}
	c.o.UntilNow = c.until == "now"
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

var byteUnits = []struct {
	suffix string
	size   float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"kB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"B", 1},
	{"", 1},
}

// parseBytes reads sizes such as 256MiB.
func parseBytes(s string) (int64, error) {
	for _, u := range byteUnits {
		if num, ok := strings.CutSuffix(s, u.suffix); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
			if err != nil || n <= 0 || n*u.size > 1<<62 {
				break
			}
			return int64(n * u.size), nil
		}
	}
	return 0, fmt.Errorf("%q is no size; write it as 256MiB", s)
}

func (c *command) run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	d := newDisplay(c.s, c.log)
	c.o.Log, c.o.OnProgress, c.o.Every = d.log, d.progress, d.every
	res, err := Run(ctx, c.build, c.o)
	d.end()
	if err != nil {
		return err
	}
	if c.summary != "" && !res.NothingNew {
		if err := res.WriteSummary(c.summary); err != nil {
			return fmt.Errorf("write the summary: %w", err)
		}
	}
	_, err = fmt.Fprint(c.s.Out, res.Text())
	return err
}

func (c *command) plan(context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	g, err := flow.Build(c.pipeline(), c.build)
	if err != nil {
		return err
	}
	if err := direct.Check(g.Beam()); err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "job %s\n", c.jobName(g))
	return g.WritePlan(c.s.Out)
}

func (c *command) pipeline() string { return c.o.withDefaults().Pipeline }

func (c *command) jobName(g *flow.Graph) string {
	if c.o.Name != "" {
		return c.o.Name
	}
	return g.DefaultJob()
}

// place builds the graph and finds the job's name and directory.
func (c *command) place() (*flow.Graph, string, string, error) {
	if err := c.check(); err != nil {
		return nil, "", "", err
	}
	g, err := flow.Build(c.pipeline(), c.build)
	if err != nil {
		return nil, "", "", err
	}
	name, dir := c.jobName(g), c.o.Job
	if dir == "" {
		dir, err = JobDir(name)
	}
	return g, name, dir, err
}

func (c *command) status(ctx context.Context) error {
	g, name, dir, err := c.place()
	if err != nil {
		return err
	}
	st, err := direct.InspectJob(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "job        %s\ndirectory  %s\nstate      %s\n", name, dir, st)
	sinks, err := g.SinkStatus(ctx, name)
	if err != nil {
		return err
	}
	for _, s := range sinks {
		end := ""
		if s.Ended {
			end = ", complete"
		}
		fmt.Fprintf(c.s.Out, "sink       %s: %s rows in %s files, commits done through %d, %d open%s\n           %s\n",
			s.Step, group(s.Totals.Visible.Rows), group(s.Totals.Files), s.Through, len(s.Open), end, s.URL)
	}
	return nil
}

// ask asks the process that runs the job to stop, and waits until it has.
func (c *command) ask(ctx context.Context, verb string) error {
	_, name, dir, err := c.place()
	if err != nil {
		return err
	}
	st, err := direct.InspectJob(dir)
	if err != nil {
		return err
	}
	if !st.Held {
		fmt.Fprintf(c.s.Out, "job %s is not running (%s)\n", name, st)
		return nil
	}
	if err := direct.RequestJob(dir, verb); err != nil {
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
		if st, err = direct.InspectJob(dir); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.s.Out, "job %s: %s\n", name, st)
	return nil
}

func (c *command) reset(ctx context.Context, keep, replace bool) error {
	if keep == replace {
		return usageError{errors.New("reset needs one of --keep (leave what was published) and --replace (delete what was published)")}
	}
	g, name, dir, err := c.place()
	if err != nil {
		return err
	}
	if err := direct.ResetJob(dir, name); err != nil {
		return err
	}
	job, err := direct.OpenJob(dir, direct.JobOptions{Name: name, Pipeline: c.pipeline()})
	if err != nil {
		return err
	}
	err = g.Reset(ctx, name, commit.ResetOptions{Incarnation: job.Incarnation(), Replace: replace})
	if err := errors.Join(err, job.Close()); err != nil {
		return err
	}
	fmt.Fprintf(c.s.Out, "job %s begins anew at its next run\n", name)
	return nil
}
