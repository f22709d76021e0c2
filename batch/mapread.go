package batch

import (
	"fmt"
	"iter"
	"reflect"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// View reads the rows of one batch as values of T. It is immutable.
//
// Values are safe to keep and to change: strings refer to the batch, which is immutable and kept by the garbage collector
// as long as they live; everything else is a copy. Neighbouring rows share the memory of their lists, bytes and pointed-to
// values, so one that is kept holds up to 256 rows of such values.
type View[T any] struct {
	rows    int
	fillers []filler
}

// chunk is the number of rows that are read at once, column by column.
const chunk = 256

// View opens a batch for reading. The batch must have the schema that was bound.
func (b *Binding[T]) View(in *Batch) (*View[T], error) {
	v := &View[T]{rows: in.Rows()}
	for i := range b.fields {
		f, at := &b.fields[i], b.at[i]
		if at >= in.Columns() || !arrow.TypeEqual(in.Column(at).DataType(), b.schema.Field(at).Type) {
			return nil, fmt.Errorf("batch: the rows have schema %s, bound was %s", in.Schema(), b.schema)
		}
		fill, err := newFiller(f, in.Column(at))
		if err != nil {
			return nil, err
		}
		v.fillers = append(v.fillers, fill)
	}
	return v, nil
}

// Rows is the number of rows.
func (v *View[T]) Rows() int { return v.rows }

// Read sets dst to a row. A *RowError says that the row does not fit T; dst is then partly set.
func (v *View[T]) Read(row int, dst *T) error {
	return v.read(row, unsafe.Slice(dst, 1))
}

// All gives every row in order: the value, or the *RowError of one that does not fit T. The pointer is good until the
// next row; what it points to is safe to keep once copied.
func (v *View[T]) All() iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		buf := make([]T, min(chunk, v.rows))
		for from := 0; from < v.rows; from += chunk {
			part := buf[:min(chunk, v.rows-from)]
			bad := v.read(from, part) != nil
			for i := range part {
				var err error
				dst := &part[i]
				if bad {
					if err = v.Read(from+i, dst); err != nil {
						dst = nil
					}
				}
				if !yield(dst, err) {
					return
				}
			}
		}
	}
}

func (v *View[T]) read(from int, dst []T) error {
	clear(dst)
	base, stride := unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Sizeof(dst[0])
	for i := range v.fillers {
		if err := v.fillers[i].fill(target{base, stride, from, len(dst)}); err != nil {
			return err
		}
	}
	return nil
}

// target is a run of rows and the place where their values go: the first struct and the distance to the next.
type target struct {
	base   unsafe.Pointer
	stride uintptr
	from   int
	n      int
}

func (t target) at(i int) unsafe.Pointer { return unsafe.Add(t.base, uintptr(i)*t.stride) }

// sub gives the rows [i, j) of t.
func (t target) sub(i, j int) target { return target{t.at(i), t.stride, t.from + i, j - i} }

// filler copies the values of one column into one field of consecutive structs.
type filler struct {
	field *field
	col   arrow.Array
	nulls bool
	value func(target) error // for rows without nulls; base points to the field
}

func newFiller(f *field, col arrow.Array) (filler, error) {
	col, err := decoded(col)
	if err != nil {
		return filler{}, err
	}
	out := filler{field: f, col: col, nulls: col.NullN() > 0}
	switch f.kind {
	case kindList:
		out.value, err = fillLists(f, col.(*array.List))
	case kindStruct:
		out.value, err = fillStructs(f, col.(*array.Struct))
	default:
		out.value = scalarFiller(f.kind, col)
	}
	return out, err
}

func (fl *filler) fill(t target) error {
	t.base = unsafe.Add(t.base, fl.field.offset)
	switch {
	case fl.field.pointer:
		return fl.fillPointers(t)
	case !fl.nulls:
		return fl.value(t)
	case fl.field.nullable:
		return fl.runs(t, func(i, j int) error { return fl.value(t.sub(i, j)) })
	}
	for i := range t.n {
		if fl.col.IsNull(t.from + i) {
			return &RowError{
				t.from + i, fl.field.column,
				fmt.Sprintf("it is null, and field %s of type %s cannot be", fl.field.path, fl.field.goType),
			}
		}
	}
	return fl.value(t)
}

// runs calls fn for every longest run of rows without nulls.
func (fl *filler) runs(t target, fn func(i, j int) error) error {
	for i := 0; i < t.n; {
		for i < t.n && fl.nulls && fl.col.IsNull(t.from+i) {
			i++
		}
		j := i
		for j < t.n && !(fl.nulls && fl.col.IsNull(t.from+j)) {
			j++
		}
		if j > i {
			if err := fn(i, j); err != nil {
				return err
			}
		}
		i = j
	}
	return nil
}

// fillPointers allocates the values of all rows at once.
func (fl *filler) fillPointers(t target) error {
	valid := 0
	_ = fl.runs(t, func(i, j int) error { valid += j - i; return nil })
	if valid == 0 {
		return nil
	}
	base, size := newArray(fl.field.goType, valid), fl.field.goType.Size()
	done := 0
	return fl.runs(t, func(i, j int) error {
		run := target{unsafe.Add(base, uintptr(done)*size), size, t.from + i, j - i}
		for k := i; k < j; k++ {
			*(*unsafe.Pointer)(t.at(k)) = run.at(k - i)
		}
		done += j - i
		return fl.value(run)
	})
}

// newArray allocates n values of a type.
func newArray(t reflect.Type, n int) unsafe.Pointer {
	return reflect.MakeSlice(reflect.SliceOf(t), n, n).UnsafePointer()
}
