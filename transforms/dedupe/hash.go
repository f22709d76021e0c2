package dedupe

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/zeebo/xxh3"
)

// chunk is how many rows are laid out at once, so that they stay in the cache.
const chunk = 256

// hashRows hashes the given columns of every row. A row is laid out as a record of fixed size, the same on every machine: 8 or 16
// bytes per value - of strings, binaries and nested values their own hash - and then one bit per null.
func hashRows(b *batch.Batch, cols []int) []xxh3.Uint128 {
	fields := make([]field, len(cols))
	size := 0
	for i, c := range cols {
		fields[i] = newField(b.Column(c), size)
		size += fields[i].size
	}
	nulls := size
	size += (len(cols) + 7) / 8
	out := make([]xxh3.Uint128, b.Rows())
	records := make([]byte, chunk*size)
	for from := 0; from < len(out); from += chunk {
		n := min(chunk, len(out)-from)
		clear(records)
		for i := range fields {
			fields[i].lay(records, layout{from, n, size, nulls, i})
		}
		for r := range n {
			out[from+r] = xxh3.Hash128(records[r*size : (r+1)*size])
		}
	}
	return out
}

// layout says where the records of some rows stand.
type layout struct{ from, n, size, nulls, column int }

// field is one column of the records.
type field struct {
	view         column.View
	offset, size int
	nested       encoder // for values without canonical form
	buf          []byte
}

func newField(a arrow.Array, offset int) field {
	f := field{view: column.Of(a), offset: offset, size: 16}
	switch w := f.view.Kind.Width(); {
	case f.view.Kind == column.Other:
		f.nested = newEncoder(a)
	case w > 0:
		f.size = 8 * w
	}
	return f
}

func (f *field) lay(records []byte, l layout) {
	words := f.view.Kind.Width()
	for r := range l.n {
		row := l.from + r
		at := records[r*l.size : (r+1)*l.size]
		if f.view.Null(row) {
			at[l.nulls+l.column/8] |= 1 << (l.column % 8)
			continue
		}
		to := at[f.offset:]
		switch words {
		case 1:
			binary.LittleEndian.PutUint64(to, f.view.Words[row])
			continue
		case 2:
			binary.LittleEndian.PutUint64(to, f.view.Words[2*row])
			binary.LittleEndian.PutUint64(to[8:], f.view.Words[2*row+1])
			continue
		}
		var value []byte
		if f.nested != nil {
			f.buf = f.nested(f.buf[:0], row)
			value = f.buf
		} else {
			value = f.view.Bytes(row)
		}
		h := xxh3.Hash128(value)
		binary.LittleEndian.PutUint64(to, h.Lo)
		binary.LittleEndian.PutUint64(to[8:], h.Hi)
	}
}

// encoder appends the value of a row, so that equal values and only they give the same bytes.
type encoder func(buf []byte, row int) []byte

func newEncoder(a arrow.Array) encoder {
	var value encoder
	switch a := a.(type) {
	case *array.Null:
		value = func(buf []byte, _ int) []byte { return buf }
	case *array.Dictionary:
		of := newEncoder(a.Dictionary())
		value = func(buf []byte, row int) []byte { return of(buf, a.GetValueIndex(row)) }
	case *array.Struct:
		fields := make([]encoder, a.NumField())
		for i := range fields {
			fields[i] = newEncoder(a.Field(i))
		}
		value = func(buf []byte, row int) []byte {
			for _, f := range fields {
				buf = f(buf, row)
			}
			return buf
		}
	case array.ListLike:
		of := newEncoder(a.ListValues())
		value = func(buf []byte, row int) []byte {
			from, to := a.ValueOffsets(row)
			buf = binary.LittleEndian.AppendUint64(buf, uint64(to-from))
			for i := from; i < to; i++ {
				buf = of(buf, int(i))
			}
			return buf
		}
	default:
		value = leaf(a)
	}
	return func(buf []byte, row int) []byte {
		if a.IsNull(row) {
			return append(buf, 0)
		}
		return value(append(buf, 1), row)
	}
}

func leaf(a arrow.Array) encoder {
	v := column.Of(a)
	w := v.Kind.Width()
	return func(buf []byte, row int) []byte {
		if w == 0 {
			b := v.Bytes(row)
			return append(binary.LittleEndian.AppendUint64(buf, uint64(len(b))), b...)
		}
		for _, x := range v.Words[w*row : w*(row+1)] {
			buf = binary.LittleEndian.AppendUint64(buf, x)
		}
		return buf
	}
}
