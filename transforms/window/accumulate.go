package window

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// accumulator keeps one value of every pane, in columns. ids gives the pane of each row.
type accumulator interface {
	// grow makes room for n panes.
	grow(n int)
	// add takes rows of the input.
	add(v *column.View, ids []int32)
	// merge takes partial aggregates: their columns, as partial gives them.
	merge(cols []column.View, ids []int32)
	// pick gives an accumulator of some panes. It shares nothing with this one.
	pick(ids []int32) accumulator
	// partial gives the columns of the partial aggregates.
	partial() ([]arrow.Array, error)
	// final gives the result.
	final() (arrow.Array, error)
}

// overflow says which pane holds a sum that does not fit into the result's type.
type overflow struct {
	pane int
	typ  arrow.DataType
}

func (o *overflow) Error() string { return fmt.Sprintf("the sum does not fit into %s", o.typ) }

func extend[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	grown := make([]T, n, max(n, 2*cap(s)))
	copy(grown, s)
	return grown
}

// counts counts rows, or the values of a column that are not null.
type counts struct{ n []uint64 }

func (c *counts) grow(n int) { c.n = extend(c.n, n) }

func (c *counts) add(v *column.View, ids []int32) {
	if v == nil || !v.HasNulls() {
		for _, id := range ids {
			c.n[id]++
		}
		return
	}
	for row, id := range ids {
		if !v.Null(row) {
			c.n[id]++
		}
	}
}

func (c *counts) merge(cols []column.View, ids []int32) {
	for row, id := range ids {
		c.n[id] += cols[0].Words[row]
	}
}

func (c *counts) picked(ids []int32) counts { return counts{column.Pick(c.n, 1, ids)} }

func (c *counts) pick(ids []int32) accumulator {
	out := c.picked(ids)
	return &out
}

func (c *counts) array() arrow.Array { return column.Make(int64Type, c.n, nil) }

func (c *counts) partial() ([]arrow.Array, error) { return []arrow.Array{c.array()}, nil }

func (c *counts) final() (arrow.Array, error) { return c.array(), nil }

// empty marks the panes that have counted nothing.
func (c *counts) empty() []bool {
	var out []bool
	for pane, n := range c.n {
		if n == 0 && out == nil {
			out = make([]bool, len(c.n))
		}
		if n == 0 {
			out[pane] = true
		}
	}
	return out
}
