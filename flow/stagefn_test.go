package flow

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/batch"
)

var everyType = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "none", Type: arrow.Null, Nullable: true},
	{Name: "bool", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "i8", Type: arrow.PrimitiveTypes.Int8, Nullable: true},
	{Name: "u16", Type: arrow.PrimitiveTypes.Uint16, Nullable: true},
	{Name: "f32", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
	{Name: "date", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "time", Type: arrow.FixedWidthTypes.Time64us, Nullable: true},
	{Name: "stamp", Type: &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "dec", Type: &arrow.Decimal128Type{Precision: 20, Scale: 3}, Nullable: true},
	{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "large", Type: arrow.BinaryTypes.LargeString, Nullable: true},
	{Name: "bin", Type: arrow.BinaryTypes.Binary, Nullable: true},
	{Name: "fixed", Type: &arrow.FixedSizeBinaryType{ByteWidth: 3}, Nullable: true},
	{Name: "list", Type: arrow.ListOf(arrow.StructOf(
		arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		arrow.Field{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	)), Nullable: true},
	{Name: "map", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64), Nullable: true},
}, nil)

const everyRow = `[
	{"id": 0, "bool": true, "i8": -128, "u16": 65535, "f32": 1.5, "date": "2024-02-29", "time": "23:59:59.999999", "stamp": "2024-01-01T00:00:00.000000001Z",
	 "dec": "-12345678901234567.890", "text": "ä", "large": "", "bin": "AP8=", "fixed": "AAEC", "list": [{"x": 9007199254740993, "tags": ["a", null]}, null], "map": [{"key": "k", "value": 0.5}]},
	{"id": 1},
	{"id": 2, "bool": false, "text": "", "large": "long", "bin": "", "list": [], "map": []},
	{"id": 3, "i8": 1, "list": [{"x": null, "tags": []}, {"x": 1, "tags": null}, {"x": 2, "tags": ["b"]}], "map": [{"key": "", "value": null}, {"key": "y", "value": 2}]}
]`

func everyBatch(t *rapid.T) *batch.Batch {
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, everyType, strings.NewReader(everyRow))
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.New(rec)
	if err == nil {
		b, err = b.WithHidden(batch.WeightColumn, int64Array([]int64{1, 0, 5, 2}))
	}
	if err == nil {
		b, err = b.Take(rapid.SliceOfN(rapid.Int32Range(0, 3), 1, 40).Draw(t, "rows"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is staged is read back as it was, destination by destination, in the order in which it came, whatever the types.
func TestStagedRowsRoundTrip(t *testing.T) {
	schemaHead, err := stagedSchema(everyType)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := everyBatch(t)
		if cut := rapid.IntRange(0, b.Rows()-1).Draw(t, "cut"); cut > 0 {
			b = b.Slice(cut, b.Rows()) // arrays with an offset
		}
		r := Routing{Dests: []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "destinations")]}
		want := make([][]int32, len(r.Dests))
		routed := rapid.Bool().Draw(t, "routed")
		for row := range int32(b.Rows()) {
			d := int32(0)
			if routed {
				d = rapid.Int32Range(-1, int32(len(r.Dests)-1)).Draw(t, "destination")
				r.Of = append(r.Of, d)
			}
			if d < 0 {
				r.Refused = append(r.Refused, Refusal{Row: row})
			} else {
				want[d] = append(want[d], row)
			}
		}
		st, body, err := stagePiece("piece", b, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range st.Manifests {
			d := strings.Index("abc", m.Dest)
			got, err := readStaged(schemaHead, body[m.Off:m.Off+m.Len])
			if err != nil {
				t.Fatal(err)
			}
			back, err := batch.Concat(got)
			if err != nil {
				t.Fatal(err)
			}
			exp, err := b.Take(want[d])
			if err != nil {
				t.Fatal(err)
			}
			if !array.RecordEqual(exp.Visible(), back.Visible()) {
				t.Errorf("destination %s has\n%v, want\n%v", m.Dest, back.Visible(), exp.Visible())
			}
			if m.Rows != int64(exp.Rows()) || m.Weight != exp.Weight() {
				t.Errorf("destination %s: manifest %+v for %d rows of weight %d", m.Dest, m.Counts, exp.Rows(), exp.Weight())
			}
			want[d] = nil
		}
		for d, rows := range want {
			if len(rows) > 0 {
				t.Errorf("rows %v of destination %s are not staged", rows, r.Dests[d])
			}
		}
	})
}

// A sink's answer that would lose rows or send them nowhere is refused.
func TestRoutingIsChecked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := everyBatch(t)
		of := make([]int32, b.Rows())
		of[len(of)-1] = -1
		for name, r := range map[string]Routing{
			"too short":   {Dests: []string{""}, Of: of[:len(of)-1]},
			"nowhere":     {Dests: nil, Of: make([]int32, b.Rows())},
			"no reason":   {Dests: []string{""}, Of: of},
			"two reasons": {Dests: []string{""}, Of: of, Refused: make([]Refusal, 2)},
		} {
			if _, _, err := stagePiece("piece", b, r); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}
