// Package window aggregates rows per window of event time and per key.
//
//	rows --(one bundle)--> partial aggregates --(key group)--> panes of open windows --(watermark)--> one row per window and key
//	                                                     \
//	                                                      +--> Late: what came after its window was closed
//
// A window is [start, start + size) of event time. Its result is emitted once, when the watermark has passed its end
// plus the lateness; what comes later goes to Late, already aggregated. Rows and Late together contain every row once.
package window

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/graph"
	"github.com/millrace-io/millrace/transforms/internal/keys"
)

// Options of a windowed aggregation. The zero value of every field that is not marked required works.
type Options struct {
	// Keys are the columns that rows are grouped by. Nulls form one group, NaNs form one group, -0 is 0. Default: none,
	// one result per window.
	Keys []string
	// Start names the column that gets the start of the window, a timestamp in microseconds, UTC. Default "window".
	Start string
	// Offset moves the start of all windows, for days that begin at 06:00 or weeks that begin on a Monday. It may be
	// negative. Whole milliseconds. Default 0: windows are counted from 1970-01-01T00:00:00Z.
	Offset time.Duration
	// Lateness is how long behind its end a window waits for rows. What comes after that goes to Late. The watermark
	// behind the step lags by it. Whole milliseconds. Default 0.
	Lateness time.Duration
	// Values are the columns to compute. Required.
	Values Values
	// LateRows emits late rows one by one with their own columns. It costs the aggregation in front of the shuffle:
	// every row is sent to its key group. Default: late rows are emitted aggregated.
	LateRows bool
}

// Values names the computed columns.
type Values map[string]Value

// LateCount is the column of aggregated late rows that holds the number of rows behind each.
const LateCount = "late_rows"

// Fixed aggregates rows over windows of equal size that do not overlap. The columns of the result are Start, the Keys,
// then the Count columns and then the other values, each in the order of their names. The event time of a result is
// the last microsecond of its window, its weight the sum of the weights of its rows.
//
// Late has the columns of the result and LateCount, or the columns of in with LateRows.
//
// Order: none. Memory: one row per key of every window that is not closed. A change stream stops the job: only inserts
// can be counted.
func Fixed(step string, in flow.Rows, size time.Duration, o Options) flow.Result {
	if !in.Valid() {
		return flow.Result{}
	}
	if !in.HasTime() {
		in.Errorf(step, "a window needs rows with an event time; those of step %q have none", in.Step())
		return flow.Result{}
	}
	op, err := operator(in.Schema(), size, o)
	if err != nil {
		graph.Report(step, in, err)
		return flow.Result{}
	}
	return flow.Apply(step, in, op)
}

// operator gives what Fixed applies. The error joins all faults.
func operator(in *arrow.Schema, size time.Duration, o Options) (flow.Operator, error) {
	p, err := newPlan(in, size, o)
	if err != nil {
		return flow.Operator{}, err
	}
	op := flow.Operator{
		Kind:       "window",
		Keys:       append([]string{}, o.Keys...), // none: one group for all rows
		Open:       func() flow.Group { return newGroup(p) },
		Schema:     p.result,
		LateSchema: p.late,
		Identity:   p.identity(o),
		Guarantee:  "one final result per window and key; late rows are kept apart, never lost",
		Combine:    p.combine,
	}
	if o.LateRows {
		op.Combine = nil
		op.Guarantee += "; every row is shuffled (LateRows)"
	}
	return op, nil
}

// plan is what Options mean for one input schema.
type plan struct {
	windows
	keys                   []int // columns of the input
	values                 []bound
	input                  *arrow.Schema
	result, partials, late *arrow.Schema
	lateRows               bool
}

func newPlan(in *arrow.Schema, size time.Duration, o Options) (*plan, error) {
	w, err := newWindows(size, o)
	p := &plan{windows: w, input: in, lateRows: o.LateRows}
	errs := []error{err}
	start := o.Start
	if start == "" {
		start = "window"
	}
	fields := []arrow.Field{{Name: start, Type: arrow.FixedWidthTypes.Timestamp_us}}
	for _, k := range o.Keys {
		i, err := graph.Find(in, k)
		if err == nil {
			err = keys.Check(k, in.Field(i).Type)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("Keys: %w", err))
			continue
		}
		p.keys, fields = append(p.keys, i), append(fields, in.Field(i))
	}
	if len(o.Values) == 0 {
		errs = append(errs, errors.New("Values is empty; name at least one column to compute"))
	}
	for _, name := range slices.SortedFunc(maps.Keys(o.Values), o.Values.compare) {
		b, err := bind(name, o.Values[name], in)
		errs = append(errs, err)
		p.values = append(p.values, b)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, p.schemas(fields)
}

// schemas makes the schemas of results, partial aggregates and late rows.
func (p *plan) schemas(group []arrow.Field) error {
	result, partials := slices.Clone(group), slices.Clone(group)
	for _, b := range p.values {
		result = append(result, b.final)
		partials = append(partials, b.partial...)
	}
	count := arrow.Field{Name: LateCount, Type: arrow.PrimitiveTypes.Int64}
	late := append(slices.Clone(result), count)
	p.result, p.late = arrow.NewSchema(result, nil), arrow.NewSchema(late, nil)
	p.partials = arrow.NewSchema(append(partials, arrow.Field{Name: "#", Type: count.Type}), nil)
	if err := graph.Distinct(late); err != nil {
		return err
	}
	for _, f := range group {
		if strings.Contains(f.Name, "#") {
			return fmt.Errorf("the name %q of a key has a '#', which is kept for partial aggregates; rename the column", f.Name)
		}
	}
	if p.lateRows {
		p.late = p.input
	}
	return nil
}

func (p *plan) identity(o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "size=%v offset=%v lateness=%v", micros(p.size), micros(p.offset), o.Lateness)
	for _, f := range p.partials.Fields() {
		fmt.Fprintf(&b, " %s:%s", f.Name, f.Type)
	}
	for _, v := range p.values {
		fmt.Fprintf(&b, " %s", v)
	}
	if p.lateRows {
		b.WriteString(" late-rows")
	}
	return b.String()
}
