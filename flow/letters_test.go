package flow

import (
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

// The row of a dead letter is JSON that any reader takes, and loses nothing: integers beyond 2^53 keep their digits, and what is no
// number in JSON is a text (BR-047, BR-050).
func TestRowsAsJSON(t *testing.T) {
	b, err := batch.NewBuilder(arrow.NewSchema([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: `f"`, Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "u", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
		{Name: "t", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	}, nil), batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"i":9007199254740993,"f\"":"NaN","s":"a\"b","b":"AP8=","u":18446744073709551615,"t":"0001-01-01T00:00:00Z"}`,
		`{"i":-1,"f\"":"+Inf","s":"a\"b","b":"AP8=","u":18446744073709551615,"t":"0001-01-01T00:00:00Z"}`,
		`{"i":-1,"f\"":"-Inf","s":"a\"b","b":"AP8=","u":18446744073709551615,"t":"0001-01-01T00:00:00Z"}`,
		`{"i":-1,"f\"":-0,"s":"a\"b","b":"AP8=","u":18446744073709551615,"t":"0001-01-01T00:00:00Z"}`,
		`{"i":null,"f\"":null,"s":null,"b":null,"u":null,"t":null}`,
	}
	for i, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)} {
		b.Col(0).Int64(map[bool]int64{true: 9007199254740993, false: -1}[i == 0])
		b.Col(1).Float64(f)
		b.Col(2).String(`a"b`)
		b.Col(3).Bytes([]byte{0, 0xFF})
		b.Col(4).Uint64(math.MaxUint64)
		b.Col(5).Int64(-62135596800_000000)
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.EndRow(); err != nil {
		t.Fatal(err)
	}
	rows, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got, err := rowJSON(rows, i); err != nil || string(got) != want[i] {
			t.Errorf("row %d is\n%s, want\n%s; %v", i, got, want[i], err)
		}
	}
}
