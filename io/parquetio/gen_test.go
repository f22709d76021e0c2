package parquetio_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/parquetio"
	"pgregory.net/rapid"
)

// leaves are the types of the generated columns.
var leaves = []arrow.DataType{
	arrow.FixedWidthTypes.Boolean,
	arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
	arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
	arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, &arrow.FixedSizeBinaryType{ByteWidth: 3},
	&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 18, Scale: 0},
	&arrow.Decimal128Type{Precision: 38, Scale: 38},
	arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us,
	arrow.FixedWidthTypes.Timestamp_ms, arrow.FixedWidthTypes.Timestamp_us, arrow.FixedWidthTypes.Timestamp_ns,
	&arrow.TimestampType{Unit: arrow.Microsecond},
}

func genType(t *rapid.T, depth int) arrow.DataType {
	kind := "leaf"
	if depth > 0 {
		kind = rapid.SampledFrom([]string{"leaf", "leaf", "leaf", "list", "struct", "map"}).Draw(t, "kind")
	}
	switch kind {
	case "list":
		return arrow.ListOfField(arrow.Field{Name: "element", Type: genType(t, depth-1), Nullable: rapid.Bool().Draw(t, "null")})
	case "struct":
		return arrow.StructOf(genFields(t, depth-1)...)
	case "map":
		return arrow.MapOfFields(arrow.Field{Name: "key", Type: arrow.BinaryTypes.String},
			arrow.Field{Name: "value", Type: genType(t, depth-1), Nullable: rapid.Bool().Draw(t, "null")})
	}
	return rapid.SampledFrom(leaves).Draw(t, "type")
}

func genFields(t *rapid.T, depth int) []arrow.Field {
	fields := make([]arrow.Field, rapid.IntRange(1, 3).Draw(t, "fields"))
	for i := range fields {
		fields[i] = arrow.Field{Name: fmt.Sprintf("c%d", i), Type: genType(t, depth), Nullable: rapid.Bool().Draw(t, "null")}
	}
	return fields
}

// genBatch makes rows that Parquet can hold.
func genBatch(t *rapid.T, schema *arrow.Schema, rows int) *batch.Batch {
	b, err := batch.NewBuilder(schema, batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range rows {
		for i, f := range schema.Fields() {
			genValue(t, f, b.Col(i))
		}
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func genValue(t *rapid.T, f arrow.Field, c *batch.Column) {
	if f.Nullable && rapid.IntRange(0, 3).Draw(t, "isnull") == 0 {
		c.Null()
		return
	}
	switch typ := f.Type.(type) {
	case *arrow.MapType:
		for i := range rapid.IntRange(0, 3).Draw(t, "len") {
			c.Elem().Field(0).String(fmt.Sprint("k", i))
			genValue(t, typ.ItemField(), c.Elem().Field(1))
			c.Elem().EndStruct()
		}
		c.EndList()
	case *arrow.ListType:
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			genValue(t, typ.ElemField(), c.Elem())
		}
		c.EndList()
	case *arrow.StructType:
		for i, sub := range typ.Fields() {
			genValue(t, sub, c.Field(i))
		}
		c.EndStruct()
	default:
		genLeaf(t, f.Type, c)
	}
}

func genLeaf(t *rapid.T, typ arrow.DataType, c *batch.Column) {
	switch typ := typ.(type) {
	case *arrow.BooleanType:
		c.Bool(rapid.Bool().Draw(t, "bool"))
	case *arrow.Float32Type:
		c.Float64(float64(rapid.Float32().Draw(t, "float")))
	case *arrow.Float64Type:
		c.Float64(rapid.Float64().Draw(t, "float"))
	case *arrow.StringType:
		c.String(rapid.String().Draw(t, "string"))
	case *arrow.BinaryType:
		c.Bytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case *arrow.FixedSizeBinaryType:
		c.Bytes(rapid.SliceOfN(rapid.Byte(), typ.ByteWidth, typ.ByteWidth).Draw(t, "bytes"))
	case *arrow.Decimal128Type:
		top := decimal128.GetMaxValue(typ.Precision)
		v := rapid.SampledFrom([]decimal128.Num{top, top.Negate(), decimal128.FromI64(-1), {}, decimal128.FromI64(12345678)}).Draw(t, "decimal")
		c.Decimal(v)
	case *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type:
		c.Uint64(rapid.Uint64().Draw(t, "uint") >> (64 - typ.(arrow.FixedWidthDataType).BitWidth()))
	case *arrow.Time32Type:
		c.Int64(rapid.Int64Range(0, 86_400_000-1).Draw(t, "time"))
	case *arrow.Time64Type:
		c.Int64(rapid.Int64Range(0, 86_400_000_000-1).Draw(t, "time"))
	default:
		c.Int64(rapid.Int64Range(math.MinInt64, math.MaxInt64).Draw(t, "int") >> (64 - typ.(arrow.FixedWidthDataType).BitWidth()))
	}
}

// mustSink gives a sink with the options.
func mustSink(t testing.TB, o parquetio.Options) flow.Sink {
	t.Helper()
	o.URL = "lake"
	s, err := parquetio.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// textBatch makes a batch with one column of texts; nil is null.
func textBatch(t testing.TB, name string, values ...*string) *batch.Batch {
	t.Helper()
	b, err := batch.NewBuilder(arrow.NewSchema([]arrow.Field{{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}}, nil), batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if v != nil {
			b.Col(0).String(*v)
		}
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
