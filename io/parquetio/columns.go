package parquetio

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// plain gives a column in the form that the Parquet writer of arrow-go writes right: nothing but nulls and empty lists
// below a null. (It rejects null lists with elements, and beside null structs it takes the wrong decimals of more than
// 18 digits.)
func plain(col arrow.Array) (arrow.Array, error) {
	if !coversValues(col) {
		return col, nil
	}
	rows := array.NewInt32Builder(memory.DefaultAllocator)
	for i := range col.Len() {
		rows.Append(int32(i))
	}
	return compute.TakeArray(context.Background(), pushNulls(col), rows.NewInt32Array()) // which empties null lists
}

// coversValues says whether a null in col, at any depth, has something below it.
func coversValues(col arrow.Array) bool {
	switch a := col.(type) {
	case array.ListLike:
		for i := range a.Len() {
			if from, to := a.ValueOffsets(i); a.IsNull(i) && from != to {
				return true
			}
		}
		return coversValues(a.ListValues())
	case *array.Struct:
		if a.NullN() > 0 {
			return true
		}
		for i := range a.NumField() {
			if coversValues(a.Field(i)) {
				return true
			}
		}
	}
	return false
}

// pushNulls makes the fields of null structs null, at every depth.
func pushNulls(col arrow.Array) arrow.Array {
	d := col.Data()
	var fields []arrow.ArrayData
	switch a := col.(type) {
	case array.ListLike:
		fields = []arrow.ArrayData{pushNulls(a.ListValues()).Data()}
		return array.MakeFromData(array.NewData(d.DataType(), d.Len(), d.Buffers(), fields, d.NullN(), d.Offset()))
	case *array.Struct:
		for i := range a.NumField() {
			fields = append(fields, pushNulls(nullsOf(a, a.Field(i))).Data())
		}
		var valid *memory.Buffer
		if a.NullN() > 0 {
			valid = memory.NewResizableBuffer(memory.DefaultAllocator)
			valid.Resize(int(bitutil.BytesForBits(int64(a.Len()))))
			bitutil.CopyBitmap(a.NullBitmapBytes(), d.Offset(), a.Len(), valid.Bytes(), 0)
		}
		return array.MakeFromData(array.NewData(d.DataType(), d.Len(), []*memory.Buffer{valid}, fields, d.NullN(), 0))
	}
	return col
}

// nullsOf gives the field of a struct with the struct's nulls besides its own.
func nullsOf(parent *array.Struct, field arrow.Array) arrow.Array {
	if parent.NullN() == 0 {
		return field
	}
	d := field.Data()
	from, to := int64(parent.Data().Offset()), int64(d.Offset())
	valid := memory.NewResizableBuffer(memory.DefaultAllocator)
	valid.Resize(int(bitutil.BytesForBits(to + int64(d.Len()))))
	if field.NullN() == 0 {
		bitutil.CopyBitmap(parent.NullBitmapBytes(), int(from), d.Len(), valid.Bytes(), int(to))
	} else {
		bitutil.BitmapAnd(parent.NullBitmapBytes(), field.NullBitmapBytes(), from, to, valid.Bytes(), to, int64(d.Len()))
	}
	buffers := append([]*memory.Buffer{valid}, d.Buffers()[1:]...)
	return array.MakeFromData(array.NewData(d.DataType(), d.Len(), buffers, d.Children(), array.UnknownNullCount, d.Offset()))
}
