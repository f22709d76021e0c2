// Package dedupe drops rows that came before.
package dedupe

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/graph"
)

// Options of Rows. The zero value of every field works.
type Options struct {
	// Keys are the columns that tell rows apart. Default: all columns.
	Keys []string
	// Horizon is how far apart in event time two rows may lie and still be duplicates. A row is remembered until the
	// watermark has passed its event time by Horizon and up to 1/32 more; that bounds the memory. Rows
	// without event time need the default. Whole milliseconds; default 0: all rows are remembered for ever.
	Horizon time.Duration
	// MaxOpen caps the rows that one of the flow.Groups key groups remembers. At the limit the job stops with an error;
	// nothing is forgotten early. Rows; default 0: no limit.
	MaxOpen int
}

// Rows lets the first of equal rows pass and drops and counts the others. First is the first in commit order, which among
// partitions is not fixed. Rows are equal if their keys are: null equals null, NaN equals NaN, -0 equals 0; equality is
// decided by a hash of 128 bits.
//
// With a Horizon, two rows of equal keys are duplicates only if their event times lie at most Horizon apart. A row that is
// older than what is remembered - more than Horizon behind the watermark - cannot be checked: it goes to Late, unchanged.
// So of equal rows with one event time never two pass, and none is lost. Of equal rows with different event
// times the second is dropped if it comes while the first is remembered; always so if it is not behind the watermark.
//
// Order: kept within a key. Nothing is held back, neither rows nor the watermark. Memory: 40 to 60 bytes per remembered
// row, whatever its width. A change stream stops the job: only inserts can be dropped.
func Rows(step string, in flow.Rows, o Options) flow.Result {
	if !in.Valid() {
		return flow.Result{}
	}
	op, err := operator(in.Schema(), in.HasTime(), o)
	if err != nil {
		graph.Report(step, in, err)
		return flow.Result{}
	}
	return flow.Apply(step, in, op)
}

// plan is what Options mean for one input schema.
type plan struct {
	cols    []int
	horizon int64 // milliseconds; 0 for ever
	width   int64 // of a step of expiry, milliseconds
	most    int   // rows remembered; 0 without limit
}

func operator(in *arrow.Schema, timed bool, o Options) (flow.Operator, error) {
	p := &plan{horizon: o.Horizon.Milliseconds(), most: o.MaxOpen}
	p.width = max(1, p.horizon/32)
	var errs []error
	if o.Horizon < 0 || o.Horizon%time.Millisecond != 0 {
		errs = append(errs, fmt.Errorf("Horizon %v is negative or no whole number of milliseconds", o.Horizon))
	}
	if o.Horizon != 0 && !timed {
		errs = append(errs, errors.New("Horizon needs rows with an event time; leave it at 0 to remember all rows, or let the source set an event time"))
	}
	if o.MaxOpen < 0 {
		errs = append(errs, fmt.Errorf("MaxOpen %d is negative", o.MaxOpen))
	}
	names := o.Keys
	if len(names) == 0 {
		for _, f := range in.Fields() {
			names = append(names, f.Name)
		}
	}
	for _, k := range names {
		i, err := graph.Find(in, k)
		if err != nil {
			errs = append(errs, fmt.Errorf("Keys: %w", err))
			continue
		}
		if err := batch.Supported(in.Field(i).Type); err != nil {
			errs = append(errs, fmt.Errorf("Keys: column %q cannot be compared: %w", k, err))
		}
		p.cols = append(p.cols, i)
	}
	if err := errors.Join(errs...); err != nil {
		return flow.Operator{}, err
	}
	keys := "whole row"
	if len(o.Keys) > 0 {
		keys = strings.Join(o.Keys, ", ")
	}
	memory := "all rows are remembered"
	if p.horizon > 0 {
		memory = fmt.Sprintf("remembered for %v of event time; older rows go to Late", o.Horizon)
	}
	return flow.Operator{
		Kind:       "dedupe",
		Keys:       o.Keys,
		Open:       func() flow.Group { return newGroup(p) },
		Schema:     in,
		LateSchema: in,
		Identity:   fmt.Sprintf("keys=%s horizon=%v", keys, o.Horizon),
		Guarantee:  "the first of equal rows; " + memory,
	}, nil
}
