package flow

import (
	"context"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/millrace-io/millrace/batch"
)

// Groups is the fixed number of key groups of every stateful step. It is part of a job's identity.
const Groups = 32

// groupBytes is how much one bundle gathers before it sends what it has to the groups, in bytes.
const groupBytes = 32 << 20

// Result is what a stateful step gives.
type Result struct {
	// Rows are the step's results.
	Rows Rows
	// Late are rows or partial results that came after their time, typed. Rows and Late together never lose or
	// double anything; which of the two a row ends in may depend on timing.
	Late Rows
}

// operator is the implementation of a stateful step.
type operator struct {
	Operator
	n *node
}

// Apply adds a stateful step: rows are hashed into key groups, and each group's state changes together with what it emits.
func Apply(step string, in Rows, op Operator) Result {
	if !in.Valid() {
		return Result{}
	}
	p := in.p
	n := p.add(step, op.Kind, in)
	if n == nil {
		return Result{}
	}
	if op.Schema == nil || op.Open == nil {
		p.Errorf(step, "%s: the operator has no schema or no state", op.Kind)
		return Result{}
	}
	for _, k := range op.Keys {
		if len(in.schema.FieldIndices(k)) == 0 {
			p.Errorf(step, "key %q is no column of step %q; it has %s", k, in.Step(), columnNames(in.schema))
			return Result{}
		}
	}
	n.identity, n.detail, n.guarantee, n.schema = op.Kind+" "+op.Identity, op.Identity, op.Guarantee, op.Schema
	n.impl = &operator{Operator: op, n: n}
	s := p.scope(n)
	kv := beam.ParDo(s.Scope("group"), &groupFn{P: p.name, Step: step}, in.col)
	out, late := beam.ParDo2(s.Scope("apply"), newKeyedFn(p.name, step), kv)
	res := Result{Rows: Rows{p: p, from: n, col: out, schema: op.Schema, time: in.time}}
	if op.LateSchema != nil {
		res.Late = Rows{p: p, from: n, col: late, schema: op.LateSchema, time: in.time, role: roleLate}
	}
	return res
}

// groupFn gathers the batches of a bundle, shrinks them and sends few, fat batches to the key groups.
type groupFn struct {
	P    string `json:"p"`
	Step string `json:"step"`

	in   []*batch.Batch
	size int64
}

// StartBundle forgets what a failed bundle left.
func (f *groupFn) StartBundle(context.Context, func(beam.EventTime, string, *batch.Batch)) error {
	f.in, f.size = nil, 0
	return nil
}

// ProcessElement gathers.
func (f *groupFn) ProcessElement(ctx context.Context, in *batch.Batch, emit func(beam.EventTime, string, *batch.Batch)) error {
	f.in = append(f.in, in)
	if f.size += in.Bytes(); f.size < groupBytes {
		return nil
	}
	return f.FinishBundle(ctx, emit)
}

// FinishBundle combines, splits by key and emits.
func (f *groupFn) FinishBundle(ctx context.Context, emit func(beam.EventTime, string, *batch.Batch)) error {
	if len(f.in) == 0 {
		return nil
	}
	g, op, err := stepOf[*operator](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	in := f.in
	f.in, f.size = nil, 0
	for _, b := range in {
		g.nodes[f.Step].count(ctx, "in", b.Weight())
	}
	if op.Combine != nil {
		taken := weigh(in)
		err := protect(func() (err error) { in, err = op.Combine(in); return err })
		if err == nil {
			err = books(taken, weigh(in))
		}
		if err != nil {
			return &StepError{Step: f.Step, Position: span(in...), Op: "combine", Err: err}
		}
	}
	if len(in) == 0 {
		return nil
	}
	all, err := batch.Concat(in)
	if err != nil {
		return &StepError{Step: f.Step, Position: span(in...), Op: "gather", Err: err}
	}
	keys, err := keyColumns(all, op.Keys)
	if err != nil {
		return &StepError{Step: f.Step, Op: "group", Err: err}
	}
	hashes, err := batch.Hash(all, keys)
	if err != nil {
		return &StepError{Step: f.Step, Op: "hash keys", Err: err}
	}
	parts, err := batch.SplitByHash(all, hashes, Groups)
	if err != nil {
		return &StepError{Step: f.Step, Op: "split by key", Err: err}
	}
	for i, part := range parts {
		if part != nil && part.Rows() > 0 {
			emit(beamTime(part.MinTime()), groupLabel(i), part)
		}
	}
	return nil
}

func groupLabel(i int) string { return fmt.Sprintf("%02d", i) }

func keyColumns(b *batch.Batch, names []string) ([]int, error) {
	if names == nil {
		all := make([]int, b.Columns())
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	out := make([]int, 0, len(names))
	for _, name := range names {
		i := b.Record().Schema().FieldIndices(name)
		if len(i) == 0 {
			return nil, fmt.Errorf("the batch has no key column %q", name)
		}
		out = append(out, i[0])
	}
	return out, nil
}
