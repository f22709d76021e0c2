// Package clean checks and mends rows by named rules: casts, required columns, bounds, comparisons, renaming, trimming.
//
// Rules run in the order in which they stand; each sees the columns as the rules before it left them. A row that breaks a
// rule goes to Rejected with the name of the first rule it breaks and the value that broke it, in its original form.
//
// Null is not a value: only Required looks at it, all other rules let it pass. NaN is a value outside of all bounds.
package clean

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/graph"
)

// Rule is one rule, or one rule for each of several columns.
type Rule struct {
	text string
	bind func(s *arrow.Schema) (*arrow.Schema, []stage, error)
}

// String names the rule, as it stands in plans.
func (r Rule) String() string { return r.text }

// stage is a rule bound to a schema: it looks at all rows of a batch and may replace columns.
type stage func(r *rows) error

// Rows applies rules to rows. Rows are those that break none, in the order of the input; Rejected are the others.
// Unknown columns and wrong types are graph errors, all reported at once.
func Rows(step string, in flow.Rows, rules ...Rule) flow.Output {
	if !in.Valid() {
		return flow.Output{}
	}
	s, err := newStep(in.Schema(), rules)
	if err != nil {
		graph.Report(step, in, err)
		return flow.Output{}
	}
	return flow.Transform(step, in, s)
}

func newStep(in *arrow.Schema, rules []Rule) (flow.Step, error) {
	schema := in
	var stages []stage
	var texts []string
	var errs []error
	for _, r := range rules {
		if r.bind == nil {
			errs = append(errs, errors.New("a rule is empty; use the functions of package clean to make one"))
			continue
		}
		next, s, err := r.bind(schema)
		if err != nil {
			errs = append(errs, explain(r, err))
			continue
		}
		schema, stages, texts = next, append(stages, s...), append(texts, r.text)
	}
	if len(errs) > 0 {
		return flow.Step{}, errors.Join(errs...)
	}
	run := func(in *batch.Batch, out *flow.StepOut) error { return apply(in, out, job{schema, stages}) }
	return flow.Step{
		Kind:     "clean",
		Schema:   schema,
		Open:     func() (flow.StepFunc, error) { return run, nil },
		Identity: strings.Join(texts, "; "),
		OneToOne: true,
	}, nil
}

// explain puts the rule in front of each of its faults.
func explain(r Rule, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("rule %q: %w", r.text, err)
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, fmt.Errorf("rule %q: %w", r.text, e))
	}
	return errors.Join(errs...)
}

// job is what a step does.
type job struct {
	schema *arrow.Schema
	stages []stage
}

func apply(in *batch.Batch, out *flow.StepOut, j job) error {
	r := &rows{n: in.Rows(), cols: slices.Clone(in.Record().Columns()[:in.Columns()])}
	for _, s := range j.stages {
		if err := s(r); err != nil {
			return err
		}
	}
	b, err := in.With(j.schema, r.cols)
	if err != nil {
		return err
	}
	if len(r.refused) == 0 {
		out.Emit(b)
		return nil
	}
	slices.SortFunc(r.refused, func(a, b flow.Refusal) int { return cmp.Compare(a.Row, b.Row) })
	for _, x := range r.refused {
		out.Refuse(x)
	}
	good := make([]int32, 0, r.n-len(r.refused))
	for row, bad := range r.bad {
		if !bad {
			good = append(good, int32(row))
		}
	}
	if len(good) == 0 {
		return nil
	}
	if b, err = b.Take(good); err != nil {
		return err
	}
	out.Emit(b)
	return nil
}

// rows are the rows of one batch on their way through the rules.
type rows struct {
	n       int
	cols    []arrow.Array
	bad     []bool // rows that have broken a rule; nil if there are none
	refused []flow.Refusal
}

// broken says whether a row has broken a rule before.
func (r *rows) broken(row int) bool { return r.bad != nil && r.bad[row] }

// refuse notes that a row breaks a rule; only the first time counts.
func (r *rows) refuse(row int, rule, reason string) {
	if r.bad == nil {
		r.bad = make([]bool, r.n)
	}
	r.bad[row] = true
	r.refused = append(r.refused, flow.Refusal{Row: int32(row), Rule: rule, Reason: reason})
}

// is says what a column holds.
func is(name string, a arrow.Array, row int) string { return name + " is " + value(a, row) }

// maxValue bounds how much of a value is shown, in bytes.
const maxValue = 80

func value(a arrow.Array, row int) string {
	if a.IsNull(row) {
		return "null"
	}
	s := a.ValueStr(row)
	switch a.DataType().ID() {
	case arrow.STRING, arrow.LARGE_STRING:
		s = fmt.Sprintf("%.*q", maxValue, s)
	}
	if len(s) > 2*maxValue {
		s = strings.ToValidUTF8(s[:maxValue], "") + "..."
	}
	return s
}
