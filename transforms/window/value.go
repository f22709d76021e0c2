package window

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/graph"
)

// Value is a column to compute.
type Value struct {
	op     op
	column string
}

type op string

const (
	opCount op = "count"
	opSum   op = "sum"
	opMin   op = "min"
	opMax   op = "max"
	opMean  op = "mean"
)

// Count counts rows. The result is an int64.
func Count() Value { return Value{op: opCount} }

// CountOf counts the rows whose column is not null. The result is an int64.
func CountOf(column string) Value { return Value{opCount, column} }

// Sum adds up a column; nulls are left out, and the sum of nothing is null.
//
// Integers give an int64. The sum is kept exactly in 128 bits; if it does not fit in the end, the job stops with an error
// that names the window: cast the column to a decimal or a float before the step. Decimals give a decimal of 38
// digits, with the same rule. Floats give a float64, added up with twice the precision (Neumaier), so that the order of the
// rows and the size of batches do not show in the result unless values of very different size cancel out.
// NaN, and +Inf with -Inf, give NaN.
func Sum(column string) Value { return Value{opSum, column} }

// Min gives the smallest value of a column of its type; nulls are left out, and of nothing it is null. NaN is larger than
// every other number. Strings and binaries compare by their bytes.
func Min(column string) Value { return Value{opMin, column} }

// Max gives the largest value of a column, by the rules of Min: with a NaN it is NaN.
func Max(column string) Value { return Value{opMax, column} }

// Mean gives the sum of a column, as Sum keeps it, divided by the number of values that are not null. The result is a
// float64; of nothing it is null.
func Mean(column string) Value { return Value{opMean, column} }

func (v Value) String() string { return string(v.op) + "(" + v.column + ")" }

// compare orders counts before other values, then by name.
func (v Values) compare(a, b string) int {
	if x, y := v[a].op == opCount, v[b].op == opCount; x != y {
		if x {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

// bound is a Value that is bound to a column of the input.
type bound struct {
	Value
	index   int // -1 for Count
	final   arrow.Field
	partial []arrow.Field
	open    func() accumulator
}

var int64Type = arrow.PrimitiveTypes.Int64

// bind looks up the column of a value. Partial aggregates have columns "<name>#<part>".
func bind(name string, v Value, in *arrow.Schema) (bound, error) {
	b := bound{Value: v, index: -1}
	var t arrow.DataType
	if v.op == "" {
		return b, fmt.Errorf("Values: %q has no function; use Count, Sum, Min, Max or Mean", name)
	}
	if v.column != "" || v.op != opCount {
		i, err := graph.Find(in, v.column)
		if err != nil {
			return b, fmt.Errorf("Values: %q: %w", name, err)
		}
		b.index, t = i, in.Field(i).Type
	}
	switch v.op {
	case opCount:
		b.final = arrow.Field{Name: name, Type: int64Type}
		b.open = func() accumulator { return &counts{} }
	case opSum, opMean:
		if !column.Number(t) {
			return b, fmt.Errorf("Values: %q: %s of column %q of type %s: the column must hold numbers", name, v.op, v.column, t)
		}
		b.sum(name, t)
		return b, nil
	case opMin, opMax:
		if column.KindOf(t) == column.Other {
			return b, fmt.Errorf("Values: %q: %s of column %q of type %s: values of this type have no order", name, v.op, v.column, t)
		}
		b.final = arrow.Field{Name: name, Type: t, Nullable: true}
		b.open = func() accumulator { return newExtremes(t, v.op == opMax) }
	}
	b.partial = []arrow.Field{{Name: name + "#", Type: b.final.Type, Nullable: b.final.Nullable}}
	return b, nil
}

// sum fills in Sum and Mean.
func (b *bound) sum(name string, t arrow.DataType) {
	b.final = arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true}
	mean := b.op == opMean
	count := arrow.Field{Name: name + "#n", Type: int64Type}
	total := arrow.Field{Name: name + "#sum", Type: b.final.Type}
	if column.KindOf(t) == column.Float {
		rest := arrow.Field{Name: name + "#rest", Type: b.final.Type}
		b.partial = []arrow.Field{total, rest, count}
		b.open = func() accumulator { return &floatSums{mean: mean} }
		return
	}
	exact := &arrow.Decimal128Type{Precision: 38}
	if d, ok := t.(*arrow.Decimal128Type); ok {
		exact.Scale = d.Scale
	}
	total.Type = exact
	b.partial = []arrow.Field{total, count}
	if !mean && column.KindOf(t) == column.Decimal {
		b.final.Type = exact
	} else if !mean {
		b.final.Type = int64Type
	}
	final := b.final.Type
	b.open = func() accumulator { return &exactSums{exact: exact, result: final} }
}
