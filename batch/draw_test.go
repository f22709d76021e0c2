package batch_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/batch"
)

// scalarTypes are the types without children that a Builder makes.
var scalarTypes = []arrow.DataType{
	arrow.Null, arrow.FixedWidthTypes.Boolean,
	arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
	arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
	arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us,
	arrow.FixedWidthTypes.Timestamp_us, arrow.FixedWidthTypes.Timestamp_ns, arrow.FixedWidthTypes.Duration_ms,
	&arrow.Decimal128Type{Precision: 20, Scale: 3},
	arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.LargeBinary,
	&arrow.FixedSizeBinaryType{ByteWidth: 3},
}

func drawType(t *rapid.T, depth int) arrow.DataType {
	if depth > 0 {
		switch rapid.IntRange(0, 9).Draw(t, "nesting") {
		case 0, 1:
			return arrow.ListOfField(drawField(t, "item", depth-1))
		case 2:
			return arrow.MapOf(arrow.BinaryTypes.String, drawType(t, depth-1))
		case 3, 4:
			return arrow.StructOf(drawFields(t, depth-1)...)
		}
	}
	return rapid.SampledFrom(scalarTypes).Draw(t, "type")
}

func drawFields(t *rapid.T, depth int) []arrow.Field {
	fields := make([]arrow.Field, rapid.IntRange(1, 3).Draw(t, "fields"))
	for i := range fields {
		fields[i] = drawField(t, fmt.Sprint("c", i), depth)
	}
	return fields
}

func drawField(t *rapid.T, name string, depth int) arrow.Field {
	typ := drawType(t, depth)
	return arrow.Field{Name: name, Type: typ, Nullable: typ == arrow.Null || rapid.Bool().Draw(t, "nullable")}
}

func TestSupportedTypesAreTested(t *testing.T) {
	tested := []arrow.Type{arrow.LIST, arrow.MAP, arrow.STRUCT}
	for _, typ := range scalarTypes {
		tested = append(tested, typ.ID())
	}
	slices.Sort(tested)
	if diff := cmp.Diff(slices.Compact(tested), batch.SupportedTypes()); diff != "" {
		t.Error(diff)
	}
}

// cell is a drawn value: nil, a bool, an int64, uint64, float64, Num, []byte, []cell for a list or cells for a struct.
type (
	cell  any
	cells []cell
)

func drawCell(t *rapid.T, f arrow.Field) cell {
	if f.Type.ID() == arrow.NULL || f.Nullable && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		return nil
	}
	small := func(bits int) int64 { return rapid.Int64Range(-1<<(bits-1), 1<<(bits-1)-1).Draw(t, "int") }
	switch typ := f.Type.(type) {
	case *arrow.BooleanType:
		return rapid.Bool().Draw(t, "bool")
	case *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type:
		return rapid.Uint64().Draw(t, "uint") >> (64 - typ.(arrow.FixedWidthDataType).BitWidth())
	case *arrow.Float32Type:
		return float64(rapid.Float32().Draw(t, "float32"))
	case *arrow.Float64Type:
		return rapid.Float64().Draw(t, "float64")
	case *arrow.Decimal128Type:
		return decimal128.FromI64(rapid.Int64().Draw(t, "decimal"))
	case *arrow.FixedSizeBinaryType:
		return rapid.SliceOfN(rapid.Byte(), typ.ByteWidth, typ.ByteWidth).Draw(t, "bytes")
	case arrow.BinaryDataType:
		return []byte(rapid.StringN(0, 6, -1).Draw(t, "string"))
	case arrow.ListLikeType:
		list := make([]cell, rapid.IntRange(0, 3).Draw(t, "len"))
		for i := range list {
			list[i] = drawCell(t, typ.ElemField())
		}
		return list
	case *arrow.StructType:
		var fields cells
		for _, f := range typ.Fields() {
			fields = append(fields, drawCell(t, f))
		}
		return fields
	}
	return small(f.Type.(arrow.FixedWidthDataType).BitWidth())
}

// put adds a cell with a Column's methods.
func put(c *batch.Column, v cell) {
	switch v := v.(type) {
	case nil:
		c.Null()
	case bool:
		c.Bool(v)
	case int64:
		c.Int64(v)
	case uint64:
		c.Uint64(v)
	case float64:
		c.Float64(v)
	case decimal128.Num:
		c.Decimal(v)
	case []byte:
		c.Bytes(v)
	case []cell:
		for _, e := range v {
			put(c.Elem(), e)
		}
		c.EndList()
	case cells:
		for i, e := range v {
			put(c.Field(i), e)
		}
		c.EndStruct()
	}
}

// putArrow adds a cell with the builders of Arrow.
func putArrow(b array.Builder, v cell) {
	switch b := b.(type) {
	case *array.ListBuilder:
		if list, ok := v.([]cell); ok {
			b.Append(true)
			for _, e := range list {
				putArrow(b.ValueBuilder(), e)
			}
			return
		}
	case *array.MapBuilder:
		if list, ok := v.([]cell); ok {
			b.Append(true)
			for _, e := range list {
				putArrow(b.KeyBuilder(), e.(cells)[0])
				putArrow(b.ItemBuilder(), e.(cells)[1])
			}
			return
		}
	case *array.StructBuilder:
		if fields, ok := v.(cells); ok {
			b.Append(true)
			for i, e := range fields {
				putArrow(b.FieldBuilder(i), e)
			}
			return
		}
	}
	if v == nil {
		b.AppendNull()
		return
	}
	putScalar(b, v)
}

func putScalar(b array.Builder, v cell) {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Int8Builder:
		b.Append(int8(v.(int64)))
	case *array.Int16Builder:
		b.Append(int16(v.(int64)))
	case *array.Int32Builder:
		b.Append(int32(v.(int64)))
	case *array.Int64Builder:
		b.Append(v.(int64))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.(int64)))
	case *array.Date64Builder:
		b.Append(arrow.Date64(v.(int64)))
	case *array.Time32Builder:
		b.Append(arrow.Time32(v.(int64)))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v.(int64)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(int64)))
	case *array.DurationBuilder:
		b.Append(arrow.Duration(v.(int64)))
	case *array.Uint8Builder:
		b.Append(uint8(v.(uint64)))
	case *array.Uint16Builder:
		b.Append(uint16(v.(uint64)))
	case *array.Uint32Builder:
		b.Append(uint32(v.(uint64)))
	case *array.Uint64Builder:
		b.Append(v.(uint64))
	case *array.Float32Builder:
		b.Append(float32(v.(float64)))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.Decimal128Builder:
		b.Append(v.(decimal128.Num))
	case *array.StringBuilder:
		b.Append(string(v.([]byte)))
	case *array.LargeStringBuilder:
		b.Append(string(v.([]byte)))
	case *array.BinaryBuilder:
		b.Append(v.([]byte))
	case *array.FixedSizeBinaryBuilder:
		b.Append(v.([]byte))
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

// arrowRecord makes the record with the builders of Arrow.
func arrowRecord(schema *arrow.Schema, rows []cells) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, r := range rows {
		for i, v := range r {
			putArrow(b.Field(i), v)
		}
	}
	return b.NewRecordBatch()
}

// drawRows draws a schema and rows of it.
func drawRows(t *rapid.T) (*arrow.Schema, []cells) {
	schema := arrow.NewSchema(drawFields(t, 2), nil)
	rows := make([]cells, rapid.IntRange(0, 20).Draw(t, "rows"))
	for i := range rows {
		for _, f := range schema.Fields() {
			rows[i] = append(rows[i], drawCell(t, f))
		}
	}
	return schema, rows
}

// drawBatch draws a batch of any schema, with or without hidden columns, some strings in dictionaries.
func drawBatch(t *rapid.T) *batch.Batch {
	schema, rows := drawRows(t)
	o := drawOptions(t)
	b, err := batch.NewBuilder(schema, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		putRow(t, b, r)
		drawHidden(t, b, o, i)
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return drawDictionaries(t, out)
}

// drawDictionaries encodes some string columns as dictionaries.
func drawDictionaries(t *rapid.T, b *batch.Batch) *batch.Batch {
	fields, cols := b.Schema().Fields(), slices.Clone(b.Record().Columns()[:b.Columns()])
	for i, c := range cols {
		s, ok := c.(*array.String)
		if !ok || rapid.Bool().Draw(t, "plain") {
			continue
		}
		typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}
		d := array.NewDictionaryBuilder(memory.DefaultAllocator, typ).(*array.BinaryDictionaryBuilder)
		for k := range s.Len() {
			if s.IsNull(k) {
				d.AppendNull()
			} else if err := d.AppendString(s.Value(k)); err != nil {
				t.Fatal(err)
			}
		}
		fields[i].Type, cols[i] = typ, d.NewArray()
	}
	out, err := b.With(arrow.NewSchema(fields, nil), cols)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func putRow(t *rapid.T, b *batch.Builder, r cells) {
	for i, v := range r {
		if v == nil && rapid.Bool().Draw(t, "left out") {
			continue
		}
		put(b.Col(i), v)
	}
}

func drawOptions(t *rapid.T) batch.BuilderOptions {
	return batch.BuilderOptions{
		Time:    rapid.Bool().Draw(t, "time"),
		Offsets: rapid.SampledFrom([]batch.Offsets{batch.NoOffsets, batch.IntOffsets, batch.BytesOffsets}).Draw(t, "offsets"),
	}
}

func drawHidden(t *rapid.T, b *batch.Builder, o batch.BuilderOptions, row int) {
	if o.Time {
		b.Time(rapid.Int64Range(-1e15, 1e15).Draw(t, "us"))
	}
	part := rapid.SampledFrom([]string{"a/0", "a/1", "b/0"})
	sub := rapid.SampledFrom([]int32{0, 0, 0, 0, 0, 7})
	switch o.Offsets {
	case batch.IntOffsets:
		b.Position(part.Draw(t, "part"), int64(row), sub.Draw(t, "sub"))
	case batch.BytesOffsets:
		b.BytesPosition(part.Draw(t, "part"), []byte(fmt.Sprintf("%06d", row)), sub.Draw(t, "sub"))
	}
	b.Weight(rapid.SampledFrom([]int64{1, 1, 1, 1, 1, 0, 3}).Draw(t, "weight"))
	b.Kind(rapid.SampledFrom([]batch.Kind{0, 0, 0, 0, 0, batch.Delete}).Draw(t, "kind"))
}
