package parquetio

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// groups numbers the distinct values of a column, null among them, in the order of their first rows.
type groups struct {
	of     []int32 // for every row the number of its value
	firsts []int   // for every number the first row with that value
}

// denseRange is the range of numbers up to which a table is faster than a map: days, vendors, zones.
const denseRange = 1 << 16

// groupNumbers groups by a number per row.
func groupNumbers(rows int, null func(row int) bool, number func(row int) int64) groups {
	keys := make([]int64, rows)
	for row := range keys {
		if null == nil || !null(row) {
			keys[row] = number(row)
		}
	}
	if rows > 0 {
		lo, hi := slices.Min(keys), slices.Max(keys)
		if span := uint64(hi) - uint64(lo); span < denseRange {
			table := make([]int32, span+1)
			return group(rows, null, func(row int) *int32 { return &table[keys[row]-lo] })
		}
	}
	return group(rows, null, lookup(func(row int) int64 { return keys[row] }))
}

// groupTexts groups by a text per row.
func groupTexts(rows int, null func(row int) bool, text func(row int) string) groups {
	return group(rows, null, lookup(text))
}

// group does the grouping: slot gives the place that keeps 1 + the number of a row's value.
func group(rows int, null func(row int) bool, slot func(row int) *int32) groups {
	g := groups{of: make([]int32, rows)}
	var ofNull int32
	for row := range g.of {
		at := &ofNull
		if null == nil || !null(row) {
			at = slot(row)
		}
		if *at == 0 {
			g.firsts = append(g.firsts, row)
			*at = int32(len(g.firsts))
		}
		g.of[row] = *at - 1
	}
	return g
}

// lookup keeps a slot per key in a map.
func lookup[K comparable](key func(row int) K) func(row int) *int32 {
	slots := map[K]*int32{}
	var last K
	var at *int32
	return func(row int) *int32 {
		k := key(row)
		if at != nil && k == last {
			return at
		}
		last, at = k, slots[k]
		if at == nil {
			at = new(int32)
			slots[k] = at
		}
		return at
	}
}

// nulls tells the null rows of a column; nil if there are none.
func nulls(col arrow.Array) func(row int) bool {
	if col.NullN() == 0 {
		return nil
	}
	return col.IsNull
}
