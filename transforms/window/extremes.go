package window

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// newExtremes makes the accumulator of Min or Max for a type.
func newExtremes(t arrow.DataType, largest bool) accumulator {
	if column.KindOf(t) == column.Bytes {
		return &byteExtremes{typ: t, largest: largest}
	}
	return &extremes{typ: t, kind: column.KindOf(t), largest: largest}
}

// extremes keeps the smallest or largest value of every pane, for types whose values are words.
type extremes struct {
	typ     arrow.DataType
	kind    column.Kind
	largest bool
	value   []uint64 // kind.Width() words per pane
	found   []bool
}

func (e *extremes) grow(n int) {
	e.value, e.found = extend(e.value, e.kind.Width()*n), extend(e.found, n)
}

func (e *extremes) add(v *column.View, ids []int32) {
	w := e.kind.Width()
	for row, id := range ids {
		if v.Null(row) {
			continue
		}
		x, best := v.Words[w*row:w*(row+1)], e.value[w*int(id):w*int(id+1)]
		if !e.found[id] || e.largest && e.less(best, x) || !e.largest && e.less(x, best) {
			copy(best, x)
			e.found[id] = true
		}
	}
}

// less orders values by their words, from the most significant one down.
func (e *extremes) less(a, b []uint64) bool {
	top := len(a) - 1
	if x, y := e.ordered(a[top]), e.ordered(b[top]); x != y || top == 0 {
		return x < y
	}
	return a[0] < b[0]
}

// ordered maps the most significant word so that unsigned comparison gives the order of the values: NaN comes last.
func (e *extremes) ordered(w uint64) uint64 {
	const sign = 1 << 63
	switch {
	case e.kind == column.Int || e.kind == column.Decimal:
		return w ^ sign
	case e.kind != column.Float:
		return w
	case w&sign != 0:
		return ^w
	}
	return w | sign
}

func (e *extremes) merge(cols []column.View, ids []int32) { e.add(&cols[0], ids) }

func (e *extremes) pick(ids []int32) accumulator {
	return &extremes{
		typ: e.typ, kind: e.kind, largest: e.largest,
		value: column.Pick(e.value, e.kind.Width(), ids), found: column.Pick(e.found, 1, ids),
	}
}

func (e *extremes) partial() ([]arrow.Array, error) {
	a, err := e.final()
	return []arrow.Array{a}, err
}

func (e *extremes) final() (arrow.Array, error) {
	return column.Make(e.typ, e.value, missing(e.found)), nil
}

// missing turns found into null marks.
func missing(found []bool) []bool {
	nulls := make([]bool, len(found))
	for pane, ok := range found {
		nulls[pane] = !ok
	}
	return nulls
}

// byteExtremes is extremes for strings and binaries.
type byteExtremes struct {
	typ     arrow.DataType
	largest bool
	value   [][]byte
	found   []bool
}

func (e *byteExtremes) grow(n int) {
	e.value, e.found = extend(e.value, n), extend(e.found, n)
}

func (e *byteExtremes) add(v *column.View, ids []int32) {
	for row, id := range ids {
		if v.Null(row) {
			continue
		}
		x := v.Bytes(row)
		c := bytes.Compare(x, e.value[id])
		if !e.found[id] || c > 0 && e.largest || c < 0 && !e.largest {
			e.value[id] = append(e.value[id][:0], x...) // a copy: the pane outlives the batch
			e.found[id] = true
		}
	}
}

func (e *byteExtremes) merge(cols []column.View, ids []int32) { e.add(&cols[0], ids) }

func (e *byteExtremes) pick(ids []int32) accumulator {
	out := &byteExtremes{typ: e.typ, largest: e.largest, found: column.Pick(e.found, 1, ids)}
	for _, id := range ids {
		out.value = append(out.value, bytes.Clone(e.value[id]))
	}
	return out
}

func (e *byteExtremes) partial() ([]arrow.Array, error) {
	a, err := e.final()
	return []arrow.Array{a}, err
}

func (e *byteExtremes) final() (arrow.Array, error) {
	ends, data := make([]int32, 1, len(e.value)+1), []byte(nil)
	for pane, x := range e.value {
		if !e.found[pane] {
			x = make([]byte, column.Padding(e.typ))
		}
		data = append(data, x...)
		ends = append(ends, int32(len(data)))
	}
	return column.MakeBytes(e.typ, ends, data, missing(e.found)), nil
}
