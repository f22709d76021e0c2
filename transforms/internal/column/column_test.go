package column

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Every type comes back from its canonical form, from a slice too.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		typ  arrow.DataType
		json string
	}{
		{arrow.FixedWidthTypes.Boolean, `[true, false, null, true, false]`},
		{arrow.PrimitiveTypes.Int8, `[1, -128, null, 127, 0]`},
		{arrow.PrimitiveTypes.Int16, `[1, -32768, null, 32767, 0]`},
		{arrow.PrimitiveTypes.Int32, `[1, -2147483648, null, 2147483647, 0]`},
		{arrow.PrimitiveTypes.Int64, `[1, -9223372036854775808, null, 9223372036854775807, 0]`},
		{arrow.PrimitiveTypes.Uint8, `[1, 255, null, 0, 7]`},
		{arrow.PrimitiveTypes.Uint16, `[1, 65535, null, 0, 7]`},
		{arrow.PrimitiveTypes.Uint32, `[1, 4294967295, null, 0, 7]`},
		{arrow.PrimitiveTypes.Uint64, `[1, 18446744073709551615, null, 0, 7]`},
		{arrow.PrimitiveTypes.Float32, `[1, -2.5, null, 0.1, 0]`},
		{arrow.PrimitiveTypes.Float64, `[1, -2.5, null, 0.1, 0]`},
		{arrow.FixedWidthTypes.Date32, `["2024-02-29", "0001-01-01", null, "1969-12-31", "9999-12-31"]`},
		{arrow.FixedWidthTypes.Timestamp_us, `["2024-02-29T00:00:00Z", "0001-01-01T00:00:00Z", null, "1969-12-31T23:59:59.999999Z", "9999-12-31T00:00:00Z"]`},
		{&arrow.Decimal128Type{Precision: 38, Scale: 2}, `["1.00", "-123456789012345678901234567890.12", null, "0.01", "0.00"]`},
		{arrow.BinaryTypes.String, `["a", "", null, "äö", "b"]`},
		{arrow.BinaryTypes.LargeString, `["a", "", null, "äö", "b"]`},
		{arrow.BinaryTypes.Binary, `["YQ==", "", null, "AAE=", "Yg=="]`},
		{&arrow.FixedSizeBinaryType{ByteWidth: 2}, `["YWI=", "AAE=", null, "AAA=", "//8="]`},
	} {
		t.Run(c.typ.String(), func(t *testing.T) {
			whole, _, err := array.FromJSON(memory.DefaultAllocator, c.typ, strings.NewReader(c.json))
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range []arrow.Array{whole, array.NewSlice(whole, 1, 4), array.NewSlice(whole, 3, 5), array.NewSlice(whole, 2, 2)} {
				if got := rebuild(a); !array.Equal(a, got) {
					t.Errorf("%v came back as %v", a, got)
				}
			}
		})
	}
}

func rebuild(a arrow.Array) arrow.Array {
	v := Of(a)
	b := NewBuilder(a.DataType(), a.Len())
	for row := range a.Len() {
		w := v.Kind.Width()
		switch {
		case v.Null(row):
			b.Null()
		case w == 0:
			b.Bytes(v.Bytes(row))
		default:
			b.Words(v.Words[w*row : w*(row+1)]...)
		}
	}
	return b.Array()
}

func TestKinds(t *testing.T) {
	if Number(arrow.FixedWidthTypes.Timestamp_us) || Number(arrow.FixedWidthTypes.Boolean) || Number(arrow.BinaryTypes.String) {
		t.Error("times, bools or texts are taken for numbers")
	}
	if KindOf(arrow.ListOf(arrow.PrimitiveTypes.Int8)) != Other {
		t.Error("a list has a canonical form")
	}
}
