// Package enrich adds columns to rows by key.
package enrich

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/cast"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/graph"
	"github.com/millrace-io/millrace/transforms/internal/keys"
)

// Missing says what becomes of rows whose key is not in the table, or is null.
type Missing int8

// What can become of them.
const (
	// Null lets the row pass; its new columns are null.
	Null Missing = iota
	// Refuse sends the row to Rejected, by the rule "<key columns> in the table".
	Refuse
)

// Options of Table. The zero value of every field that is not marked required works.
type Options struct {
	// On names the key columns: "column of the rows=column of the table", several with commas between, or only the
	// name where both are the same. Required.
	On string
	// Columns are the table's columns to add, in that order. Default: all but the key columns.
	Columns []string
	// Prefix is put in front of the names of the added columns. Default: none.
	Prefix string
	// Missing says what becomes of rows whose key is not in the table, or is null. Default Null.
	Missing Missing
}

// Table adds to each row the columns of the row with the same key in a table. The order of the rows is kept.
//
// The table is loaded when the graph is built, in every process of a job, and kept in memory; all copies must be the
// same. A key that stands twice in the table is a graph error; a row of the table whose key is null never matches.
// Keys are equal by value: -0 is 0 and NaN is NaN; integers of different width are compared as numbers.
func Table(step string, in flow.Rows, table Data, o Options) flow.Output {
	if !in.Valid() {
		return flow.Output{}
	}
	s, err := newStep(in.Schema(), table, o)
	if err != nil {
		graph.Report(step, in, err)
		return flow.Output{}
	}
	return flow.Transform(step, in, s)
}

// join is what a step needs to know.
type join struct {
	on      []string
	keys    []int // columns of the rows
	index   *keys.Table
	place   []int32 // row of the table for each key of the index
	added   []arrow.Array
	schema  *arrow.Schema
	missing Missing
}

func newStep(in *arrow.Schema, table Data, o Options) (flow.Step, error) {
	if table.load == nil {
		return flow.Step{}, errors.New("the table is empty; use CSV, Structs or Func to make one")
	}
	b, err := table.load()
	if err != nil {
		return flow.Step{}, fmt.Errorf("load the table: %w", err)
	}
	left, right, err := parseOn(o.On)
	if err != nil {
		return flow.Step{}, err
	}
	j := &join{on: left, missing: o.Missing}
	theirs, err := j.match(in, b.Schema(), right)
	err = errors.Join(err, j.add(in, b, o, right))
	if err != nil {
		return flow.Step{}, err
	}
	if err := j.build(b, theirs); err != nil {
		return flow.Step{}, err
	}
	sum, err := batch.Hash(b, nil)
	if err != nil {
		return flow.Step{}, err
	}
	var all uint64
	for _, h := range sum {
		all += h
	}
	return flow.Step{
		Kind:     "enrich",
		Schema:   j.schema,
		Open:     func() (flow.StepFunc, error) { return j.run, nil },
		Identity: fmt.Sprintf("on %s, %d rows, content %016x", o.On, b.Rows(), all),
		OneToOne: true,
	}, nil
}

func parseOn(on string) (left, right []string, err error) {
	if strings.TrimSpace(on) == "" {
		return nil, nil, errors.New(`On is empty; name the key columns, such as "pickup_location_id=location_id"`)
	}
	for _, pair := range strings.Split(on, ",") {
		l, r, two := strings.Cut(pair, "=")
		if !two {
			r = l
		}
		left, right = append(left, strings.TrimSpace(l)), append(right, strings.TrimSpace(r))
	}
	return left, right, nil
}

// match finds the key columns of both sides and gives those of the table.
func (j *join) match(in, table *arrow.Schema, right []string) ([]int, error) {
	var errs []error
	theirs := make([]int, len(right))
	for i, name := range j.on {
		l, err := graph.Find(in, name)
		r, err2 := graph.Find(table, right[i])
		if err2 != nil {
			err2 = fmt.Errorf("the table: %w", err2)
		}
		if err != nil || err2 != nil {
			errs = append(errs, err, err2)
			continue
		}
		a, b := in.Field(l).Type, table.Field(r).Type
		errs = append(errs, keys.Check(name, a))
		if !matching(a, b) {
			errs = append(errs, fmt.Errorf("column %q is of type %s, the table's %q of type %s: give the table the type of the column, or cast the column before",
				name, a, right[i], b))
		}
		j.keys, theirs[i] = append(j.keys, l), r
	}
	return theirs, errors.Join(errs...)
}

// matching says whether values of two types are equal if their canonical forms are.
func matching(a, b arrow.DataType) bool {
	if arrow.TypeEqual(a, b) || cast.Text(a) && cast.Text(b) {
		return true
	}
	k := column.KindOf(a)
	return k == column.KindOf(b) && column.Number(a) && column.Number(b) && k != column.Decimal
}

// add finds the columns to add and makes the schema.
func (j *join) add(in *arrow.Schema, table *batch.Batch, o Options, right []string) error {
	s := table.Schema()
	names := o.Columns
	if names == nil {
		for _, f := range s.Fields() {
			if !slices.Contains(right, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	var errs []error
	fields := slices.Clone(in.Fields())
	for _, name := range names {
		i, err := graph.Find(s, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("Columns: the table: %w", err))
			continue
		}
		f := s.Field(i)
		f.Name = o.Prefix + f.Name
		f.Nullable = f.Nullable || o.Missing == Null
		fields, j.added = append(fields, f), append(j.added, table.Column(i))
	}
	if len(names) == 0 {
		errs = append(errs, errors.New("the table has no column to add"))
	}
	if err := graph.Distinct(fields); err != nil {
		errs = append(errs, fmt.Errorf("%w; use Prefix or Columns", err))
	}
	md := in.Metadata()
	j.schema = arrow.NewSchema(fields, &md)
	return errors.Join(errs...)
}

// build makes the index and finds keys that stand twice.
func (j *join) build(table *batch.Batch, theirs []int) error {
	hashes, err := batch.Hash(table, theirs)
	if err != nil {
		return err
	}
	types, cols := make([]arrow.DataType, len(theirs)), make([]arrow.Array, len(theirs))
	for i, c := range theirs {
		cols[i] = table.Column(c)
		types[i] = cols[i].DataType()
	}
	views := column.Views(cols)
	ids := make([]int32, table.Rows())
	j.index = keys.New(types...)
	j.index.Add(hashes, views, ids)
	j.place = make([]int32, j.index.Len())
	seen := make([]bool, j.index.Len())
	var errs []error
	for row, id := range ids {
		switch {
		case hasNull(views, row):
			j.place[id] = -1
		case seen[id]:
			errs = append(errs, fmt.Errorf("the key %s stands twice in the table, in rows %d and %d", show(j.on, cols, row), j.place[id]+1, row+1))
		default:
			j.place[id], seen[id] = int32(row), true
		}
		if len(errs) == maxFaults {
			break
		}
	}
	return errors.Join(errs...)
}

// maxFaults bounds how many repeated keys are reported.
const maxFaults = 5

func hasNull(views []column.View, row int) bool {
	return slices.ContainsFunc(views, func(v column.View) bool { return v.Null(row) })
}

func show(names []string, cols []arrow.Array, row int) string {
	parts := make([]string, len(names))
	for i, c := range cols {
		parts[i] = names[i] + "=" + c.ValueStr(row)
	}
	return strings.Join(parts, ", ")
}
