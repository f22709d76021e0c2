package flow

import (
	"context"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/millrace-io/millrace/batch"
)

// Output is what a stateless step gives.
type Output struct {
	// Rows are the step's rows, in the order of its input.
	Rows Rows
	// Rejected are the rows that the step refused, as dead letters.
	Rejected Rows
}

// Transform adds a stateless step. It is fused with its neighbours: rows pass by pointer.
func Transform(step string, in Rows, s Step) Output {
	if !in.Valid() {
		return Output{}
	}
	p := in.p
	n := p.add(step, s.Kind, in)
	if n == nil {
		return Output{}
	}
	if s.Schema == nil || s.Open == nil && s.OpenClosing == nil {
		p.Errorf(step, "%s: the step has no schema or no function", s.Kind)
		return Output{}
	}
	n.detail, n.schema, n.impl = s.Identity, s.Schema, &s
	n.guarantee = "stateless: each row once per committed bundle"
	out, dead := beam.ParDo2(p.scope(n), &stepFn{P: p.name, Step: step}, in.col)
	return Output{
		Rows:     Rows{p: p, from: n, col: out, schema: s.Schema, time: in.time},
		Rejected: Rows{p: p, from: n, col: dead, schema: DeadSchema, time: true, role: roleRejected},
	}
}

// stepFn runs a stateless step.
type stepFn struct {
	P    string `json:"p"`
	Step string `json:"step"`

	fn    StepFunc
	close func() error
}

// ProcessElement hands one batch to the step's function.
func (f *stepFn) ProcessElement(ctx context.Context, in *batch.Batch, rows, dead func(beam.EventTime, *batch.Batch)) error {
	g, s, err := stepOf[*Step](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	if err := f.open(s); err != nil {
		return &StepError{Step: f.Step, Op: "open", Err: err}
	}
	var out StepOut
	if err := protect(func() error { return f.fn(in, &out) }); err != nil {
		return &StepError{Step: f.Step, Position: span(in), Op: s.Kind, Err: err}
	}
	err = books(in.Weight(), out.weight(in))
	if err == nil && s.OneToOne {
		err = oneToOne(in, &out)
	}
	if err != nil {
		return &StepError{Step: f.Step, Position: span(in), Op: s.Kind, Err: err}
	}
	n := g.nodes[f.Step]
	n.count(ctx, "in", in.Weight())
	for _, b := range out.rows {
		if b.Rows() > 0 {
			rows(beamTime(b.MinTime()), b)
			n.count(ctx, "out", b.Weight())
		}
	}
	n.count(ctx, "dropped", out.dropped)
	return refuse(ctx, n, refusals{in: in, rows: out.refused, emit: dead})
}

func (f *stepFn) open(s *Step) (err error) {
	switch {
	case f.fn != nil:
	case s.OpenClosing != nil:
		f.fn, f.close, err = s.OpenClosing()
	default:
		f.fn, err = s.Open()
	}
	return err
}

// Teardown closes what the step opened.
func (f *stepFn) Teardown(context.Context) error {
	if f.close == nil {
		return nil
	}
	err := f.close()
	f.fn, f.close = nil, nil
	return err
}

// refusals are the rows of one batch that a step or sink did not take.
type refusals struct {
	in   *batch.Batch
	rows []Refusal
	emit func(beam.EventTime, *batch.Batch)
}

// refuse turns refused rows into dead letters and emits them.
func refuse(ctx context.Context, n *node, r refusals) error {
	letters := make([]Letter, 0, len(r.rows))
	for _, x := range r.rows {
		l, err := rowLetter(r.in, int(x.Row))
		if err != nil {
			return err
		}
		l.Step, l.Cause, l.Rule, l.Reason = n.name, CauseRejected, x.Rule, x.Reason
		letters = append(letters, l)
	}
	b, err := DeadRows(letters)
	if err != nil || b == nil {
		return err
	}
	r.emit(beamTime(b.MinTime()), b)
	n.count(ctx, "rejected", b.Weight())
	return nil
}

// protect turns a panic of user code into an error.
func protect(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

// Flatten merges collections of equal schemas; the order within each is kept.
func Flatten(step string, ins ...Rows) Rows {
	for _, in := range ins {
		if !in.Valid() {
			return Rows{}
		}
	}
	if len(ins) == 0 {
		return Rows{}
	}
	first := ins[0]
	n := first.p.add(step, "flatten", ins...)
	if n == nil {
		return Rows{}
	}
	out := Rows{p: first.p, from: n, schema: first.schema, time: true, role: first.role}
	cols := make([]beam.PCollection, len(ins))
	for i, in := range ins {
		if diff := schemaDiff(first.schema, in.schema); diff != "" {
			first.p.Errorf(step, "inputs %q and %q differ: %s", first.Step(), in.Step(), diff)
			return Rows{}
		}
		cols[i] = in.col
		out.time = out.time && in.time
		if in.role != out.role {
			out.role = roleRows
		}
	}
	n.schema, n.guarantee = first.schema, "stateless: order is kept within each input"
	out.col = cols[0]
	if len(cols) > 1 {
		out.col = beam.Flatten(first.p.scope(n), cols...)
	}
	return out
}
