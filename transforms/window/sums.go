package window

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// exactSums adds integers or decimals up in 128 bits, for Sum and Mean.
type exactSums struct {
	counts
	sum    []uint64 // two words per pane, low and high
	exact  *arrow.Decimal128Type
	result arrow.DataType
	lost   *overflow // the first sum that has left 128 bits
}

func (s *exactSums) grow(n int) {
	s.counts.grow(n)
	s.sum = extend(s.sum, 2*n)
}

func (s *exactSums) add(v *column.View, ids []int32) {
	s.counts.add(v, ids)
	for row, id := range ids {
		if v.Null(row) {
			continue
		}
		switch v.Kind {
		case column.Decimal:
			s.one(id, v.Words[2*row], v.Words[2*row+1])
		case column.Int:
			s.one(id, v.Words[row], uint64(int64(v.Words[row])>>63))
		default:
			s.one(id, v.Words[row], 0)
		}
	}
}

func (s *exactSums) one(id int32, low, high uint64) {
	to := s.sum[2*id : 2*id+2]
	was := to[1]
	var carry uint64
	to[0], carry = bits.Add64(to[0], low, 0)
	to[1], _ = bits.Add64(was, high, carry)
	if int64((was^to[1])&(high^to[1])) < 0 && s.lost == nil { // both had the other sign
		s.lost = &overflow{int(id), s.exact}
	}
}

func (s *exactSums) merge(cols []column.View, ids []int32) {
	for row, id := range ids {
		s.one(id, cols[0].Words[2*row], cols[0].Words[2*row+1])
	}
	s.counts.merge(cols[1:], ids)
}

func (s *exactSums) pick(ids []int32) accumulator {
	return &exactSums{
		counts: s.picked(ids), sum: column.Pick(s.sum, 2, ids),
		exact: s.exact, result: s.result, lost: s.lost,
	}
}

func (s *exactSums) partial() ([]arrow.Array, error) {
	if s.lost != nil {
		return nil, s.lost
	}
	return []arrow.Array{column.Make(s.exact, s.sum, nil), s.array()}, nil
}

func (s *exactSums) final() (arrow.Array, error) {
	if s.lost != nil {
		return nil, s.lost
	}
	out := make([]uint64, 0, len(s.sum))
	for pane, n := range s.n {
		low, high := s.sum[2*pane], s.sum[2*pane+1]
		switch s.result.ID() {
		case arrow.FLOAT64:
			mean := decimal128.New(int64(high), low).ToFloat64(s.exact.Scale) / float64(max(n, 1))
			out = append(out, math.Float64bits(mean))
		case arrow.INT64:
			if high != uint64(int64(low)>>63) {
				return nil, &overflow{pane, s.result}
			}
			out = append(out, low)
		default:
			if !decimal128.New(int64(high), low).FitsInPrecision(s.exact.Precision) {
				return nil, &overflow{pane, s.result}
			}
			out = append(out, low, high)
		}
	}
	return column.Make(s.result, out, s.empty()), nil
}

// floatSums adds floats up with twice the precision, for Sum and Mean: rest gathers what rounding takes away from sum.
// A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974).
type floatSums struct {
	counts
	sum, rest []float64
	mean      bool
}

func (s *floatSums) grow(n int) {
	s.counts.grow(n)
	s.sum, s.rest = extend(s.sum, n), extend(s.rest, n)
}

func (s *floatSums) add(v *column.View, ids []int32) {
	s.counts.add(v, ids)
	for row, id := range ids {
		if !v.Null(row) {
			s.one(id, v.Float(row))
		}
	}
}

// one adds x by Knuth's two-sum, which finds the rounding error exactly. Once the sum is infinite or NaN it stays so, and
// rest has no meaning.
func (s *floatSums) one(id int32, x float64) {
	a := s.sum[id]
	sum := a + x
	z := sum - a
	s.sum[id] = sum
	s.rest[id] += (a - (sum - z)) + (x - z)
}

func (s *floatSums) merge(cols []column.View, ids []int32) {
	for row, id := range ids {
		s.one(id, cols[0].Float(row))
		s.rest[id] += cols[1].Float(row)
	}
	s.counts.merge(cols[2:], ids)
}

func (s *floatSums) pick(ids []int32) accumulator {
	return &floatSums{
		counts: s.picked(ids), sum: column.Pick(s.sum, 1, ids), rest: column.Pick(s.rest, 1, ids),
		mean: s.mean,
	}
}

func (s *floatSums) partial() ([]arrow.Array, error) {
	return []arrow.Array{floats(s.sum, nil), floats(s.rest, nil), s.array()}, nil
}

func (s *floatSums) final() (arrow.Array, error) {
	out := make([]float64, len(s.sum))
	for pane, sum := range s.sum {
		if !math.IsInf(sum, 0) && !math.IsNaN(sum) {
			sum += s.rest[pane]
		}
		if s.mean {
			sum /= float64(max(s.n[pane], 1))
		}
		out[pane] = sum
	}
	return floats(out, s.empty()), nil
}

func floats(x []float64, nulls []bool) arrow.Array {
	return column.Make(arrow.PrimitiveTypes.Float64, arrow.Uint64Traits.CastFromBytes(arrow.Float64Traits.CastToBytes(x)), nulls)
}
