package batch

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Take gives the rows at the given indices, in that order, as a copy.
func (b *Batch) Take(rows []int32) (*Batch, error) {
	g, err := newGather(rows, b.Rows())
	if err == nil && g.nulls {
		err = errors.New("there is no row -1")
	}
	if err != nil {
		return nil, fmt.Errorf("batch: take: %w", err)
	}
	cols := make([]arrow.Array, b.rec.NumCols())
	for i, c := range b.rec.Columns() {
		data, err := g.column(c)
		if err != nil {
			return nil, fmt.Errorf("batch: take from column %q: %w", b.rec.ColumnName(i), err)
		}
		cols[i] = array.MakeFromData(data)
	}
	return New(array.NewRecordBatch(b.rec.Schema(), cols, int64(len(rows))))
}

// Gather gives the values of col at the given indices, in that order, as a copy; -1 gives a null. It takes the types of
// SupportedTypes.
func Gather(col arrow.Array, rows []int32) (arrow.Array, error) {
	g, err := newGather(rows, col.Len())
	if err != nil {
		return nil, fmt.Errorf("batch: gather: %w", err)
	}
	data, err := g.column(col)
	if err != nil {
		return nil, fmt.Errorf("batch: gather: %w", err)
	}
	return array.MakeFromData(data), nil
}

// gather copies values; rows are in range.
type gather struct {
	rows  []int32
	nulls bool // some row is -1
}

// newGather checks that rows are indices of n values, or -1.
func newGather(rows []int32, n int) (gather, error) {
	g := gather{rows: rows}
	if len(rows) == 0 {
		return g, nil
	}
	lo, hi := rows[0], rows[0]
	for _, r := range rows {
		lo, hi = min(lo, r), max(hi, r)
	}
	if lo < -1 || int(hi) >= n {
		return g, fmt.Errorf("there are %d rows, asked for are %d to %d", n, lo, hi)
	}
	g.nulls = lo == -1
	return g, nil
}

func (g gather) column(col arrow.Array) (arrow.ArrayData, error) {
	t, n := col.DataType(), len(g.rows)
	valid, nulls := g.validity(col)
	switch a := col.(type) {
	case *array.Null:
		return array.NewData(t, n, []*memory.Buffer{nil}, nil, n, 0), nil
	case *array.Dictionary:
		indices, err := g.column(a.Indices())
		if err != nil {
			return nil, err
		}
		return array.NewDataWithDictionary(t, n, indices.Buffers(), nulls, 0, a.Dictionary().Data().(*array.Data)), nil
	case *array.Struct:
		fields := make([]arrow.ArrayData, a.NumField())
		for i := range fields {
			var err error
			if fields[i], err = g.column(a.Field(i)); err != nil {
				return nil, err
			}
		}
		return array.NewData(t, n, []*memory.Buffer{valid}, fields, nulls, 0), nil
	case *array.List, *array.Map:
		ends, elems, err := g.elements(a.(array.ListLike))
		return array.NewData(t, n, []*memory.Buffer{valid, ends}, []arrow.ArrayData{elems}, nulls, 0), err
	case *array.Boolean:
		return array.NewData(t, n, []*memory.Buffer{valid, g.bits(a)}, nil, nulls, 0), nil
	case array.BinaryLike:
		ends, bytes, err := g.bytes(a)
		return array.NewData(t, n, []*memory.Buffer{valid, ends, bytes}, nil, nulls, 0), err
	}
	values := g.fixed(col)
	if values == nil {
		return nil, fmt.Errorf("type %s is not supported", t)
	}
	return array.NewData(t, n, []*memory.Buffer{valid, values}, nil, nulls, 0), nil
}

// validity gives the bitmap and the number of nulls.
func (g gather) validity(col arrow.Array) (*memory.Buffer, int) {
	if col.NullN() == 0 && !g.nulls {
		return nil, 0
	}
	bits := make([]byte, (len(g.rows)+7)/8)
	nulls := 0
	for i, r := range g.rows {
		if r < 0 || col.IsNull(int(r)) {
			nulls++
			continue
		}
		bits[i/8] |= 1 << (i % 8)
	}
	return memory.NewBufferBytes(bits), nulls
}

func (g gather) bits(a *array.Boolean) *memory.Buffer {
	out := make([]byte, (len(g.rows)+7)/8)
	for i, r := range g.rows {
		if r >= 0 && a.Value(int(r)) {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return memory.NewBufferBytes(out)
}

// fixed copies values of a fixed number of bytes; nil if the type has none.
func (g gather) fixed(col arrow.Array) *memory.Buffer {
	t, ok := col.DataType().(arrow.FixedWidthDataType)
	if !ok {
		return nil
	}
	var raw []byte
	if b := col.Data().Buffers()[1]; b != nil {
		raw = b.Bytes()
	}
	at, width := col.Data().Offset(), t.BitWidth()/8
	switch width {
	case 1:
		return gatherFixed[uint8](g.rows, raw, at)
	case 2:
		return gatherFixed[uint16](g.rows, raw, at)
	case 4:
		return gatherFixed[uint32](g.rows, raw, at)
	case 8:
		return gatherFixed[uint64](g.rows, raw, at)
	case 16:
		return gatherFixed[[2]uint64](g.rows, raw, at)
	}
	out := make([]byte, len(g.rows)*width)
	for i, r := range g.rows {
		if r >= 0 {
			from := (at + int(r)) * width
			copy(out[i*width:], raw[from:from+width])
		}
	}
	return memory.NewBufferBytes(out)
}

func gatherFixed[T any](rows []int32, raw []byte, offset int) *memory.Buffer {
	values := cast[T](raw)[min(offset, len(raw)):]
	out := make([]T, len(rows))
	for i, r := range rows {
		if r >= 0 {
			out[i] = values[r]
		}
	}
	return buffer(out)
}

// cast shows the bytes of a buffer as numbers.
func cast[T any](raw []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(raw))), len(raw)/int(unsafe.Sizeof(t)))
}

// bytes copies strings or binaries.
func (g gather) bytes(a array.BinaryLike) (ends, data *memory.Buffer, err error) {
	at := a.Data().Offset()
	raw := a.Data().Buffers()
	if a.Len() == 0 { // only nulls can be gathered
		at, raw = 0, []*memory.Buffer{nil, buffer(make([]int64, 2)), memory.NewBufferBytes(nil)}
	}
	var bytes []byte
	if raw[2] != nil {
		bytes = raw[2].Bytes()
	}
	if a.DataType().(arrow.OffsetsDataType).OffsetTypeTraits().BytesRequired(1) == 8 {
		return gatherBytes(g.rows, cast[int64](raw[1].Bytes())[at:], bytes)
	}
	return gatherBytes(g.rows, cast[int32](raw[1].Bytes())[at:], bytes)
}

func gatherBytes[O int32 | int64](rows []int32, offsets []O, bytes []byte) (*memory.Buffer, *memory.Buffer, error) {
	ends := make([]O, len(rows)+1)
	size := 0
	for i, r := range rows {
		if r >= 0 {
			size += int(offsets[r+1] - offsets[r])
		}
		ends[i+1] = O(size)
	}
	if unsafe.Sizeof(ends[0]) == 4 && size > math.MaxInt32 {
		return nil, nil, fmt.Errorf("the values are more than 2 GiB: take fewer rows")
	}
	out := make([]byte, 0, size)
	for _, r := range rows {
		if r >= 0 {
			out = append(out, bytes[offsets[r]:offsets[r+1]]...)
		}
	}
	return buffer(ends), memory.NewBufferBytes(out), nil
}

// elements copies the elements of lists.
func (g gather) elements(a array.ListLike) (*memory.Buffer, arrow.ArrayData, error) {
	ends := make([]int32, len(g.rows)+1)
	var elems []int32
	for i, r := range g.rows {
		if r >= 0 && a.IsValid(int(r)) {
			from, to := a.ValueOffsets(int(r))
			for e := from; e < to; e++ {
				elems = append(elems, int32(e))
			}
		}
		ends[i+1] = int32(len(elems))
	}
	data, err := gather{rows: elems}.column(a.ListValues())
	return buffer(ends), data, err
}

// decoded gives the values of a dictionary column as a plain one, and any other column as it is.
func decoded(col arrow.Array) (arrow.Array, error) {
	d, ok := col.(*array.Dictionary)
	if !ok {
		return col, nil
	}
	rows := make([]int32, d.Len())
	for i := range rows {
		rows[i] = -1
		if d.IsValid(i) {
			rows[i] = int32(d.GetValueIndex(i))
		}
	}
	out, err := Gather(d.Dictionary(), rows)
	if err != nil {
		return nil, fmt.Errorf("batch: decode a dictionary: %w", err)
	}
	return out, nil
}
