package batch

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Bytes estimates the memory of the rows, in bytes. Rows that share larger buffers with others count for their part only;
// a dictionary counts whole.
func (b *Batch) Bytes() int64 {
	var n int64
	for _, c := range b.rec.Columns() {
		n += arrayBytes(c)
	}
	return n
}

func arrayBytes(a arrow.Array) int64 {
	n := int64(a.Len())
	size := int64(0)
	if a.NullN() > 0 {
		size = (n + 7) / 8
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return arrayBytes(a.Indices()) + arrayBytes(a.Dictionary())
	case *array.Struct:
		for i := range a.NumField() {
			size += arrayBytes(a.Field(i))
		}
		return size
	case array.BinaryLike:
		if n > 0 {
			size += int64(len(a.ValueBytes()))
		}
		return size + n*int64(a.DataType().(arrow.OffsetsDataType).OffsetTypeTraits().BytesRequired(1))
	case array.ListLike:
		if n > 0 {
			from, _ := a.ValueOffsets(0)
			_, to := a.ValueOffsets(a.Len() - 1)
			size += arrayBytes(array.NewSlice(a.ListValues(), from, to))
		}
		return size + 4*n
	}
	if t, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return size + (n*int64(t.BitWidth())+7)/8
	}
	return size + int64(a.Data().SizeInBytes())
}
