package batch

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"
)

// Hash gives a hash of every row over the given visible columns; nil stands for all of them. It is the same in every
// process and on every machine, and rows that EqualRows calls equal have the same hash.
//
// The hash of a row is a chain of xxh3 over its columns: the bytes of each value in its canonical form, seeded with the hash so
// far and the type. Equal are
//
//   - nulls, whatever the type of the column;
//   - integers of the same number, whatever their width and sign;
//   - floats of the same number, whatever their width: -0.0 and 0.0 are equal, and every NaN is equal to every other;
//   - decimals of the same number and the same scale;
//   - dates, times, timestamps and durations of the same number, type and unit, whatever their time zone;
//   - strings, and binaries, of the same bytes, be they large, of fixed size or in a dictionary; a string is no binary;
//   - lists, maps and structs of equal elements in the same order.
func Hash(b *Batch, cols []int) ([]uint64, error) {
	out := make([]uint64, b.Rows())
	for _, i := range b.columns(cols) {
		col := b.Column(i)
		if err := Supported(col.DataType()); err != nil {
			return nil, fmt.Errorf("batch: hash column %q: %w", b.rec.ColumnName(i), err)
		}
		hashColumn(col, out)
	}
	return out, nil
}

// GroupOf maps a hash to one of n groups.
func GroupOf(hash uint64, n int) int {
	hi, _ := bits.Mul64(hash, uint64(n))
	return int(hi)
}

// Row is one row of a batch.
type Row struct {
	Batch *Batch
	Index int
}

// EqualRows says whether two rows have equal values in the given visible columns, by the rules of Hash; nil stands for
// all columns.
func EqualRows(a, b Row, cols []int) bool {
	n := len(cols)
	if cols == nil {
		n = a.Batch.Columns()
	}
	if cols == nil && n != b.Batch.Columns() {
		return false
	}
	for k := range n {
		i := k
		if cols != nil {
			i = cols[k]
		}
		if !equalAt(a.Batch.Column(i), a.Index, b.Batch.Column(i), b.Index) {
			return false
		}
	}
	return true
}

// columns replaces nil by all visible columns.
func (b *Batch) columns(cols []int) []int {
	if cols != nil {
		return cols
	}
	for i := range b.Columns() {
		cols = append(cols, i)
	}
	return cols
}

// hashColumn chains the values of a column to the hashes of their rows. The loops for the usual types give what the
// last one gives.
func hashColumn(col arrow.Array, out []uint64) {
	switch a := col.(type) {
	case *array.Int64:
		hashNumbers(col, out, tagInt, a.Int64Values())
	case *array.Int32:
		hashNumbers(col, out, tagInt, a.Int32Values())
	case *array.Timestamp:
		hashNumbers(col, out, timeTag(col.DataType()), a.TimestampValues())
	case *array.Date32:
		hashNumbers(col, out, timeTag(col.DataType()), a.Date32Values())
	case *array.Float64:
		words := make([]uint64, len(out))
		for i, v := range a.Float64Values() {
			words[i] = floatBits(v)
		}
		hashNumbers(col, out, tagFloat, words)
	case *array.String:
		for i := range out {
			if a.IsNull(i) {
				out[i] = xxh3.HashSeed(nil, out[i]^tagNull.seed())
			} else {
				out[i] = xxh3.HashStringSeed(a.Value(i), out[i]^tagString.seed())
			}
		}
	default:
		var buf []byte
		for i := range out {
			out[i] = valueAt(col, i).chain(out[i], &buf)
		}
	}
}

func hashNumbers[T int32 | int64 | uint64 | arrow.Timestamp | arrow.Date32](col arrow.Array, out []uint64, t tag, values []T) {
	var buf [8]byte
	nulls := col.NullN() > 0
	for i, v := range values {
		if nulls && col.IsNull(i) {
			out[i] = xxh3.HashSeed(nil, out[i]^tagNull.seed())
			continue
		}
		binary.LittleEndian.PutUint64(buf[:], uint64(v))
		out[i] = xxh3.HashSeed(buf[:], out[i]^t.seed())
	}
}
