package batch

import (
	"fmt"
	"slices"
)

// Filter gives the rows for which keep is true.
func (b *Batch) Filter(keep []bool) (*Batch, error) {
	if len(keep) != b.Rows() {
		return nil, fmt.Errorf("batch: filter %d rows by %d marks", b.Rows(), len(keep))
	}
	rows := make([]int32, 0, len(keep))
	for i, k := range keep {
		if k {
			rows = append(rows, int32(i))
		}
	}
	if n := len(rows); n == 0 {
		return b.Slice(0, 0), nil
	} else if from := int(rows[0]); int(rows[n-1]) == from+n-1 {
		return b.Slice(from, from+n), nil
	}
	return b.Take(rows)
}

// Group gives the rows sorted by group, those of one group in their order. of holds the group of every row, 0 to n-1,
// or -1 for a row that is left out. The rows of group g are starts[g] up to starts[g+1].
func (b *Batch) Group(of []int32, n int) (sorted *Batch, starts []int, err error) {
	if len(of) != b.Rows() {
		return nil, nil, fmt.Errorf("batch: group %d rows by %d groups", b.Rows(), len(of))
	}
	starts = make([]int, n+1)
	for i, g := range of {
		if int(g) >= n || g < -1 {
			return nil, nil, fmt.Errorf("batch: row %d has group %d of %d", i, g, n)
		}
		if g >= 0 {
			starts[g+1]++
		}
	}
	for g := range n {
		starts[g+1] += starts[g]
	}
	if starts[n] == len(of) && slices.IsSorted(of) {
		return b, starts, nil
	}
	next, rows := slices.Clone(starts), make([]int32, starts[n])
	for i, g := range of {
		if g >= 0 {
			rows[next[g]] = int32(i)
			next[g]++
		}
	}
	sorted, err = b.Take(rows)
	return sorted, starts, err
}

// SplitByHash gives the rows of each of n groups, chosen by GroupOf, in their order; nil for a group without rows.
// The groups share one copy of the rows.
func SplitByHash(b *Batch, hashes []uint64, n int) ([]*Batch, error) {
	of := make([]int32, len(hashes))
	for i, h := range hashes {
		of[i] = int32(GroupOf(h, n))
	}
	sorted, starts, err := b.Group(of, n)
	if err != nil {
		return nil, err
	}
	out := make([]*Batch, n)
	for g := range out {
		if starts[g] < starts[g+1] {
			out[g] = sorted.Slice(starts[g], starts[g+1])
		}
	}
	return out, nil
}
