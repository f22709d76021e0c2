package runners

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
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
			if err != nil || !(n*u.size >= 1 && n*u.size <= 1<<62) { // NaN is neither
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
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(c.o.Memory)) // the process is the pipeline's own
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
