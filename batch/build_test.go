package batch_test

import (
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/batch"
)

func newBuilder(t testing.TB, o batch.BuilderOptions, fields ...arrow.Field) *batch.Builder {
	t.Helper()
	b, err := batch.NewBuilder(arrow.NewSchema(fields, nil), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// strict makes a builder with a required column of each type that does not take everything.
func strict(t testing.TB) *batch.Builder {
	required := func(name string, typ arrow.DataType) arrow.Field { return arrow.Field{Name: name, Type: typ} }
	return newBuilder(t, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets},
		required("i8", arrow.PrimitiveTypes.Int8),
		required("u16", arrow.PrimitiveTypes.Uint16),
		required("f32", arrow.PrimitiveTypes.Float32),
		required("dec", &arrow.Decimal128Type{Precision: 3, Scale: 1}),
		required("fix", &arrow.FixedSizeBinaryType{ByteWidth: 2}),
		required("list", arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int8)),
		required("rec", arrow.StructOf(required("x", arrow.BinaryTypes.String), required("y", arrow.ListOf(arrow.PrimitiveTypes.Int64)))),
	)
}

// addGood adds a row that is as far out as the types of strict allow.
func addGood(b *batch.Builder) {
	b.Col(0).Int64(-128)
	b.Col(1).Uint64(65535)
	b.Col(2).Float64(math.MaxFloat32)
	b.Col(3).Decimal(decimal128.FromI64(-999))
	b.Col(4).String("ab")
	b.Col(5).Elem().Int64(127)
	b.Col(5).EndList()
	b.Col(6).Field(0).String("x")
	b.Col(6).Field(1).EndList()
	b.Col(6).EndStruct()
	b.Time(5)
	b.Position("p", 1, 0)
}

// again takes back what the row has put into a column.
func again(b *batch.Builder, col int) *batch.Column {
	b.Col(col).Truncate(b.Rows())
	return b.Col(col)
}

// spoiled are ways to spoil a good row.
var spoiled = []struct {
	want  string
	spoil func(b *batch.Builder)
}{
	{`column "i8": 128 does not fit int8`, func(b *batch.Builder) { again(b, 0).Int64(128) }},
	{`column "i8" is required and has no value`, func(b *batch.Builder) { again(b, 0) }},
	{`column "i8" is required and has no value`, func(b *batch.Builder) { again(b, 0).Null() }},
	{`column "i8" has 2 values in one row`, func(b *batch.Builder) { b.Col(0).Int64(1) }},
	{`column "i8" of type int8 was given a value of another type`, func(b *batch.Builder) { again(b, 0).Uint64(1) }},
	{`column "i8" of type int8 was given a value of another type`, func(b *batch.Builder) { b.Col(0).Bool(true) }},
	{`column "i8" of type int8 was given a value of another type`, func(b *batch.Builder) { again(b, 0).Bool(true); b.Col(0).Null() }},
	{`column "u16": 65536 does not fit uint16`, func(b *batch.Builder) { again(b, 1).Uint64(65536) }},
	{`column "f32": 1e+39 does not fit float32`, func(b *batch.Builder) { again(b, 2).Float64(1e39) }},
	{`column "dec": 100.0 does not fit decimal(3, 1)`, func(b *batch.Builder) { again(b, 3).Decimal(decimal128.FromI64(1000)) }},
	{`column "fix": 3 bytes do not fit fixed_size_binary[2]`, func(b *batch.Builder) { again(b, 4).Bytes([]byte("abc")) }},
	{`column "list" was given values that no EndList took in`, func(b *batch.Builder) { again(b, 5).Elem().Int64(1) }},
	{`column "list" was given values that no EndList took in`, func(b *batch.Builder) { b.Col(5).Elem().Int64(1) }},
	{`column "list.item": -129 does not fit int8`, func(b *batch.Builder) { again(b, 5).Elem().Int64(-129); b.Col(5).EndList() }},
	{`column "list.item" is required and has no value`, func(b *batch.Builder) { again(b, 5).Elem().Null(); b.Col(5).EndList() }},
	{`column "list.item" of type int8 was given a value of another type`, func(b *batch.Builder) { again(b, 5).Elem().Float64(1); b.Col(5).EndList() }},
	{`column "rec" was given values that no EndStruct took in`, func(b *batch.Builder) { again(b, 6).Field(0).String("a") }},
	{`column "rec" was given values that no EndStruct took in`, func(b *batch.Builder) { b.Col(6).Field(0).String("a") }},
	{`column "rec.x" is required and has no value`, func(b *batch.Builder) { again(b, 6).Field(1).EndList(); b.Col(6).EndStruct() }},
	{`column "rec.y" was given values that no EndList took in`, func(b *batch.Builder) { b.Col(6).Field(1).Elem().Int64(1) }},
	{`column "rec.y" was given values that no EndList took in`, func(b *batch.Builder) {
		again(b, 6).Field(0).String("x")
		b.Col(6).Field(1).Elem().Int64(1)
		b.Col(6).EndStruct()
	}},
}

// A faulty row is refused with a reason and leaves no trace: the rows around it are as if it had never been.
func TestEndRowRefuses(t *testing.T) {
	b := strict(t)
	addGood(b)
	if err := b.EndRow(); err != nil {
		t.Fatal(err)
	}
	want, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range spoiled {
		for range 2 { // as the first row and behind another
			addGood(b)
			tt.spoil(b)
			if diff := cmp.Diff("batch: "+tt.want, errorText(b.EndRow())); diff != "" {
				t.Error(diff)
			}
			addGood(b)
			if err := b.EndRow(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, want, got.Slice(0, 1))
		sameRows(t, want, got.Slice(1, 2))
	}
}

func TestBuilderHidden(t *testing.T) {
	none := func(*batch.Builder) {}
	tests := []struct {
		o    batch.BuilderOptions
		set  func(b *batch.Builder)
		want string
	}{
		{batch.BuilderOptions{}, none, ""},
		{batch.BuilderOptions{}, func(b *batch.Builder) { b.Weight(2); b.Kind(batch.Delete) }, ""},
		{batch.BuilderOptions{}, func(b *batch.Builder) { b.Time(1) }, "batch: row 0 was given Time, the builder wants nothing"},
		{batch.BuilderOptions{Time: true}, none, "batch: row 0 was given nothing, the builder wants Time"},
		{
			batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets},
			func(b *batch.Builder) { b.Time(1); b.BytesPosition("p", nil, 0) },
			"batch: row 0 was given Time and BytesPosition, the builder wants Time and Position",
		},
	}
	for _, tt := range tests {
		b := newBuilder(t, tt.o, arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true})
		tt.set(b)
		if diff := cmp.Diff(tt.want, errorText(b.EndRow())); diff != "" {
			t.Error(diff)
		}
		if want := map[bool]int{true: 1}[tt.want == ""]; b.Rows() != want {
			t.Errorf("%d rows, want %d", b.Rows(), want)
		}
		// What was set for one row does not count for the next.
		if err := b.EndRow(); (err == nil) != (tt.o == batch.BuilderOptions{}) {
			t.Errorf("the next row: %v", err)
		}
	}
}

// The hidden values of a row are its own, whatever was set for one that was taken back or for the row before.
func TestBuilderHiddenValues(t *testing.T) {
	b := newBuilder(t, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	parts := []string{"p", "q", "p", "p"}
	for round := range 2 {
		for i, part := range parts {
			b.Time(int64(10 * i))
			b.Position("gone", 99, 99)
			b.Weight(99)
			b.Kind(batch.Delete)
			b.Rollback()
			b.Time(int64(i))
			b.Position(part, int64(20+i), int32(i%2))
			if i == 2 && round == 0 {
				b.Weight(7)
				b.Kind(batch.UpdateAfter)
			}
			if err := b.EndRow(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"@time 0 1 2 3", "@part p q p p", "@off 20 21 22 23", "@sub 0 1 0 1"}
		if round == 0 {
			want = append(want, "@weight 1 1 7 1", "@kind 0 0 2 0")
		}
		if diff := cmp.Diff(want, hidden(got)); diff != "" {
			t.Error(diff)
		}
		if n := got.Hidden(batch.PartColumn).(*array.Dictionary).Dictionary().Len(); n != 2 {
			t.Errorf("%d partitions: one that was taken back is still there", n)
		}
	}
}

func TestBuildUnended(t *testing.T) {
	list := arrow.Field{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true}
	for name, begin := range map[string]func(b *batch.Builder){
		"value":   func(b *batch.Builder) { b.Col(0).EndList() },
		"element": func(b *batch.Builder) { b.Col(0).Elem().Int64(1) },
		"misuse":  func(b *batch.Builder) { b.Col(0).Int64(1) },
	} {
		b := newBuilder(t, batch.BuilderOptions{}, list)
		begin(b)
		_, err := b.Build()
		want := `batch: row 0 was begun (column "l") and neither ended nor taken back`
		if diff := cmp.Diff(want, errorText(err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		b.Rollback()
		if got, err := b.Build(); err != nil || got.Rows() != 0 {
			t.Errorf("%s: behind Rollback: %v", name, err)
		}
	}
}

func TestNewBuilderRefuses(t *testing.T) {
	for want, f := range map[string]arrow.Field{
		`batch: column "@time": names that start with "@" are reserved`:                           {Name: "@time", Type: arrow.PrimitiveTypes.Int64},
		`batch: column "h" has type float16, which a builder cannot make`:                         {Name: "h", Type: arrow.FixedWidthTypes.Float16},
		`batch: column "l.item" has type month_interval, which a builder cannot make`:             {Name: "l", Type: arrow.ListOf(arrow.FixedWidthTypes.MonthInterval)},
		`batch: column "d" has type ` + batch.PartType.String() + `, which a builder cannot make`: {Name: "d", Type: batch.PartType},
	} {
		_, err := batch.NewBuilder(arrow.NewSchema([]arrow.Field{f}, nil), batch.BuilderOptions{})
		if diff := cmp.Diff(want, errorText(err)); diff != "" {
			t.Error(diff)
		}
	}
}

// What was given away is never written again, also when it shared a buffer with more capacity than rows.
func TestBuildGivesAway(t *testing.T) {
	b := newBuilder(t, batch.BuilderOptions{}, arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: "s", Type: arrow.BinaryTypes.String})
	var got, want []*batch.Batch
	for _, n := range []int{1000, 3, 0, 1000, 1001, 5, 1300, 7} {
		copied := newBuilder(t, batch.BuilderOptions{}, b.Schema().Fields()...)
		for i := range n {
			for _, x := range []*batch.Builder{b, copied} {
				x.Col(0).Int64(int64(n * i))
				x.Col(1).String(strings.Repeat("x", i%7))
				if err := x.EndRow(); err != nil {
					t.Fatal(err)
				}
			}
		}
		size := b.Bytes()
		x, err := b.Build()
		y, err2 := copied.Build()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if diff := x.Bytes() - int64(size); diff < 0 || diff > 8 {
			t.Errorf("%d bytes were estimated, %d came", size, x.Bytes())
		}
		got, want = append(got, x), append(want, y)
	}
	for i := range got {
		sameRows(t, want[i], got[i])
	}
}

// Against the builders of Arrow: the same rows give the same columns, however often a row is begun and taken back.
func TestBuilderAgainstArrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema, rows := drawRows(t)
		b, err := batch.NewBuilder(schema, batch.BuilderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		split := rapid.IntRange(0, len(rows)).Draw(t, "split")
		var got, want []*batch.Batch
		for _, part := range [][]cells{rows[:split], rows[split:]} {
			for _, r := range part {
				if rapid.Bool().Draw(t, "take back") {
					begin(t, b, schema)
					b.Rollback()
				}
				putRow(t, b, r)
				if err := b.EndRow(); err != nil {
					t.Fatal(err)
				}
			}
			x, err := b.Build()
			y, err2 := batch.New(arrowRecord(schema, part))
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			got, want = append(got, x), append(want, y)
		}
		for i := range got {
			sameRows(t, want[i], got[i])
			valid(t, got[i])
		}
	})
}

// begin adds some columns of a row and stops in the middle of one.
func begin(t *rapid.T, b *batch.Builder, schema *arrow.Schema) {
	for i, f := range schema.Fields() {
		switch rapid.IntRange(0, 3).Draw(t, "begin") {
		case 0:
			put(b.Col(i), drawCell(t, f))
		case 1:
			if e := b.Col(i).Elem(); e != nil {
				e.Null()
			}
		case 2:
			if s, ok := f.Type.(*arrow.StructType); ok {
				put(b.Col(i).Field(0), drawCell(t, s.Field(0)))
			}
		}
	}
}
