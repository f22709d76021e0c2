package batch_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/millrace-io/millrace/batch"
)

var tripSchema = arrow.NewSchema([]arrow.Field{
	{Name: "vendor_id", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	{Name: "fare_amount", Type: arrow.PrimitiveTypes.Float64},
}, nil)

// trips makes a batch of four rows from two partitions.
func trips() *batch.Batch {
	b, _ := batch.NewBuilder(tripSchema, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	for i, vendor := range []int64{1, 2, 1, 2} {
		b.Col(0).Int64(vendor)
		b.Col(1).Float64(10 + float64(i))
		b.Time(int64(1000 - i))
		b.Position(fmt.Sprint("trips/", i%2), int64(i), 0)
		_ = b.EndRow()
	}
	out, _ := b.Build()
	return out
}

func fares(b *batch.Batch) []float64 { return b.Column(1).(*array.Float64).Float64Values() }

func ExampleBuilder() {
	b, err := batch.NewBuilder(tripSchema, batch.BuilderOptions{Time: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	vendor, fare := b.Col(0), b.Col(1)
	add := func(v int64, f float64) {
		vendor.Int64(v)
		fare.Float64(f)
		b.Time(0)
		if err := b.EndRow(); err != nil {
			fmt.Println("refused:", err)
		}
	}
	add(1, 12.5)
	add(1<<40, 3)
	fare.Float64(7.5) // no vendor: null
	b.Time(1)
	if err := b.EndRow(); err != nil {
		fmt.Println(err)
	}
	out, err := b.Build()
	fmt.Println(out.Rows(), "rows,", out.Column(0), out.Column(1), err)
	// Output:
	// refused: batch: column "vendor_id": 1099511627776 does not fit int32
	// 2 rows, [1 (null)] [12.5 7.5] <nil>
}

func ExampleBuilder_Rollback() {
	b, _ := batch.NewBuilder(tripSchema, batch.BuilderOptions{})
	b.Col(0).Int64(1)
	// The rest of the record cannot be decoded.
	b.Rollback()
	fmt.Println(b.Rows(), b.Col(0).Len())
	// Output: 0 0
}

func ExampleColumn_EndList() {
	b, _ := batch.NewBuilder(arrow.NewSchema([]arrow.Field{
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String)},
		{Name: "stop", Type: arrow.StructOf(arrow.Field{Name: "zone", Type: arrow.PrimitiveTypes.Int64, Nullable: true})},
	}, nil), batch.BuilderOptions{})
	tags, stop := b.Col(0), b.Col(1)
	tags.Elem().String("a")
	tags.Elem().String("b")
	tags.EndList()
	stop.Field(0).Int64(7)
	stop.EndStruct()
	fmt.Println(b.EndRow())
	out, _ := b.Build()
	fmt.Println(out.Column(0), out.Column(1))
	// Output:
	// <nil>
	// [["a" "b"]] {[7]}
}

func ExampleMapping() {
	type Trip struct {
		VendorID *int32
		Fare     float64 `millrace:"fare_amount"`
	}
	m, err := batch.NewMapping[Trip]()
	if err != nil {
		fmt.Println(err)
		return
	}
	bound, err := m.Bind(tripSchema) // once
	if err != nil {
		fmt.Println(err)
		return
	}
	view, _ := bound.View(trips()) // per batch
	for v, err := range view.All() {
		fmt.Println(*v.VendorID, v.Fare, err)
	}
	// Output:
	// 1 10 <nil>
	// 2 11 <nil>
	// 1 12 <nil>
	// 2 13 <nil>
}

func ExampleMapping_Bind() {
	type Trip struct {
		VendorID int16
		Tip      float64
	}
	m, _ := batch.NewMapping[Trip]()
	_, err := m.Bind(tripSchema)
	fmt.Println(err)
	// Output:
	// batch: field Trip.VendorID of type int16 cannot hold column "vendor_id" of type int32
	// batch: field Trip.Tip wants one column "tip" of type float64, there are 0 among (vendor_id, fare_amount)
}

func ExampleMapping_Append() {
	type Hour struct {
		Hour  time.Time `millrace:",unit=s"`
		Day   time.Time `millrace:",date"`
		Trips int64
		Note  *string
	}
	m, _ := batch.NewMapping[Hour]()
	b, _ := batch.NewBuilder(m.Schema(), batch.BuilderOptions{})
	at := time.Date(2021, 3, 1, 8, 0, 0, 0, time.UTC)
	fmt.Println(m.Append(b, &Hour{Hour: at, Day: at, Trips: 3}), b.EndRow())
	out, _ := b.Build()
	for i := range out.Columns() {
		fmt.Println(out.Schema().Field(i).Name, out.Column(i))
	}
	// Output:
	// <nil> <nil>
	// hour [1614585600]
	// day [2021-03-01]
	// trips [3]
	// note [(null)]
}

func ExampleView_Read() {
	type Trip struct{ VendorID int64 }
	m, _ := batch.NewMapping[Trip]()
	bound, _ := m.Bind(tripSchema)
	view, _ := bound.View(trips())
	var t Trip
	err := view.Read(1, &t)
	fmt.Println(t.VendorID, err, view.Rows())
	// Output: 2 <nil> 4
}

func ExampleEncode() {
	data, err := batch.Encode(trips())
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := batch.Decode(data)
	fmt.Println(b.Rows(), b.MinTime(), err)
	data[100] ^= 1
	_, err = batch.Decode(data[:len(data)-1])
	fmt.Println(err != nil)
	// Output:
	// 4 997 <nil>
	// true
}

func ExampleEncodeLZ4() {
	type row struct{ A int64 }
	m, _ := batch.NewMapping[row]()
	b, _ := batch.NewBuilder(m.Schema(), batch.BuilderOptions{})
	for range 10_000 {
		_ = m.Append(b, &row{7})
		_ = b.EndRow()
	}
	out, _ := b.Build()
	plain, _ := batch.Encode(out)
	small, _ := batch.EncodeLZ4(out)
	fmt.Println(len(small) < len(plain)/10)
	// Output: true
}

func ExampleConcat() {
	b, err := batch.Concat([]*batch.Batch{trips().Slice(2, 4), trips().Slice(0, 1)})
	fmt.Println(fares(b), err)
	// Output: [12 13 10] <nil>
}

func ExampleBatch_Filter() {
	b, err := trips().Filter([]bool{true, false, false, true})
	fmt.Println(fares(b), err)
	// Output: [10 13] <nil>
}

func ExampleBatch_Group() {
	sorted, starts, err := trips().Group([]int32{1, 0, -1, 0}, 2)
	fmt.Println(fares(sorted), starts, err)
	// Output: [11 13 10] [0 2 3] <nil>
}

func ExampleBatch_Take() {
	b, err := trips().Take([]int32{3, 3, 0})
	fmt.Println(fares(b), err)
	// Output: [13 13 10] <nil>
}

func ExampleGather() {
	col, err := batch.Gather(trips().Column(1), []int32{2, -1})
	fmt.Println(col, err)
	// Output: [12 (null)] <nil>
}

func ExampleHash() {
	b := trips()
	h, err := batch.Hash(b, []int{0})
	fmt.Println(h[0] == h[2], h[0] == h[1], err)
	fmt.Println(batch.GroupOf(h[0], 32) == batch.GroupOf(h[2], 32))
	// Output:
	// true false <nil>
	// true
}

func ExampleSplitByHash() {
	b := trips()
	hashes, _ := batch.Hash(b, []int{0})
	groups, err := batch.SplitByHash(b, hashes, 1)
	fmt.Println(len(groups), fares(groups[0]), err)
	// Output: 1 [10 11 12 13] <nil>
}

func ExampleGroupOf() {
	fmt.Println(batch.GroupOf(0, 32), batch.GroupOf(1<<63, 32))
	// Output: 0 16
}

func ExampleEqualRows() {
	b := trips()
	x, y := batch.Row{Batch: b, Index: 0}, batch.Row{Batch: b, Index: 2}
	fmt.Println(batch.EqualRows(x, y, []int{0}), batch.EqualRows(x, y, nil))
	// Output: true false
}

func ExamplePartRanges() {
	for _, r := range batch.PartRanges(trips()) {
		first, _ := batch.OffsetInt(r.First)
		last, _ := batch.OffsetInt(r.Last)
		fmt.Println(r.Part, r.Rows, r.Weight, first, last)
	}
	// Output:
	// trips/0 2 2 0 2
	// trips/1 2 2 1 3
}

func ExampleOffsetBytes() {
	fmt.Printf("%x %x\n", batch.OffsetBytes(-1), batch.OffsetBytes(1))
	// Output: 7fffffffffffffff 8000000000000001
}

func ExampleOffsetInt() {
	fmt.Println(batch.OffsetInt(batch.OffsetBytes(-7)))
	// Output: -7 true
}

func ExampleBatch_Derive() {
	words, _, _ := array.FromJSON(memory.DefaultAllocator, arrow.BinaryTypes.String, strings.NewReader(`["a", "b", "c"]`))
	schema := arrow.NewSchema([]arrow.Field{{Name: "word", Type: arrow.BinaryTypes.String}}, nil)
	b, err := trips().Derive(schema, []arrow.Array{words}, []int32{0, 0, 3})
	fmt.Println(b.Times(), b.Weights(), err)
	// Output: [1000 1000 997] [1 0 1] <nil>
}

func ExampleNew() {
	b, err := batch.New(trips().Visible())
	fmt.Println(b.Rows(), b.HasTime(), err)
	// Output: 4 false <nil>
}

func ExampleBatch_WithHidden() {
	b, err := trips().WithHidden(batch.TimeColumn, nil)
	fmt.Println(b.HasTime(), err)
	_, err = b.WithHidden("@clock", nil)
	fmt.Println(err)
	// Output:
	// false <nil>
	// batch: there is no hidden column "@clock": ["@time" "@part" "@off" "@sub" "@weight" "@kind"] exist
}

func ExampleSupportedTypes() {
	for i, t := range batch.SupportedTypes() {
		fmt.Print(map[bool]string{true: "\n", false: " "}[i%6 == 0], strings.ToLower(t.String()))
	}
	// Output:
	// null bool uint8 int8 uint16 int16
	// uint32 int32 uint64 int64 float32 float64
	// string binary fixed_size_binary date32 date64 timestamp
	// time32 time64 decimal128 list struct map
	// duration large_string large_binary
}

func ExampleSupported() {
	fmt.Println(batch.Supported(arrow.PrimitiveTypes.Int64))
	fmt.Println(batch.Supported(arrow.ListOf(arrow.FixedWidthTypes.Float16)))
	// Output:
	// <nil>
	// type float16 is not supported (field "item" of list<item: float16, nullable>)
}
