package batch

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"
)

// PartRange says which rows of one source partition are in a batch.
type PartRange struct {
	// Part is the partition; empty for rows without a position.
	Part string
	// Rows is the number of rows.
	Rows int64
	// Weight is the number of source rows behind them.
	Weight int64
	// First and Last are the smallest and largest offset, as bytes that sort as the offsets do; nil without a position.
	First, Last []byte
}

// PartRanges gives what the batch holds of each source partition, sorted by partition. The weights add up to b.Weight().
func PartRanges(b *Batch) []PartRange {
	type span struct{ rows, weight, first, last int64 }
	var spans []span
	part, _ := b.Hidden(PartColumn).(*array.Dictionary)
	weights, less := b.Weights(), offsetLess(b)
	at := map[int]int{} // index in spans by index in the dictionary; -1 for no position
	for i := range b.Rows() {
		p := partIndex(part, i)
		k, ok := at[p]
		if !ok {
			k = len(spans)
			at[p] = k
			spans = append(spans, span{first: int64(i), last: int64(i)})
		}
		s := &spans[k]
		s.rows++
		if weights == nil {
			s.weight++
		} else {
			s.weight += weights[i]
		}
		if p >= 0 && less(int64(i), s.first) {
			s.first = int64(i)
		}
		if p >= 0 && less(s.last, int64(i)) {
			s.last = int64(i)
		}
	}
	out := make([]PartRange, len(spans))
	for p, k := range at {
		s := spans[k]
		out[k] = PartRange{Rows: s.rows, Weight: s.weight}
		if p >= 0 {
			out[k].Part = part.Dictionary().(*array.String).Value(p)
			out[k].First, out[k].Last = b.offsetAt(int(s.first)), b.offsetAt(int(s.last))
		}
	}
	slices.SortFunc(out, func(a, b PartRange) int { return cmp.Compare(a.Part, b.Part) })
	return out
}

// partIndex gives the partition of a row as its index in the dictionary; -1 if it has none.
func partIndex(part *array.Dictionary, row int) int {
	if part == nil || part.IsNull(row) {
		return -1
	}
	return part.GetValueIndex(row)
}

// offsetLess compares the offsets of two rows.
func offsetLess(b *Batch) func(i, j int64) bool {
	switch a := b.Hidden(OffsetColumn).(type) {
	case *array.Int64:
		v := a.Int64Values()
		return func(i, j int64) bool { return v[i] < v[j] }
	case *array.Binary:
		return func(i, j int64) bool { return bytes.Compare(a.Value(int(i)), a.Value(int(j))) < 0 }
	}
	return func(i, j int64) bool { return false }
}

func (b *Batch) offsetAt(row int) []byte {
	switch a := b.Hidden(OffsetColumn).(type) {
	case *array.Int64:
		return OffsetBytes(a.Value(row))
	case *array.Binary:
		return bytes.Clone(a.Value(row))
	}
	return nil
}

// OffsetBytes gives 8 bytes that sort as the numbers do.
func OffsetBytes(offset int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(offset)^(1<<63))
}

// OffsetInt gives the number that OffsetBytes was given; ok is false if the bytes are not its.
func OffsetInt(b []byte) (offset int64, ok bool) {
	if len(b) != 8 {
		return math.MinInt64, false
	}
	return int64(binary.BigEndian.Uint64(b) ^ (1 << 63)), true
}
