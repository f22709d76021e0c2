package keys

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/transforms/internal/column"
)

// key is a row of the model; a negative number is null, "-" is null.
type key struct {
	n    int16
	text string
	wide int64
}

var types = []arrow.DataType{arrow.PrimitiveTypes.Int16, arrow.BinaryTypes.LargeString, &arrow.Decimal128Type{Precision: 38}}

func columns(keys []key) []arrow.Array {
	n, text, wide := column.NewBuilder(types[0], 0), column.NewBuilder(types[1], 0), column.NewBuilder(types[2], 0)
	for _, k := range keys {
		if k.n < 0 {
			n.Null()
		} else {
			n.Words(uint64(k.n))
		}
		if k.text == "-" {
			text.Null()
		} else {
			text.Bytes([]byte(k.text))
		}
		wide.Words(7, uint64(k.wide)) // the low halves are equal
	}
	return []arrow.Array{n.Array(), text.Array(), wide.Array()}
}

// Keys are told apart even if all hashes are equal, and keep their numbers while the table grows.
func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hashes := rapid.SampledFrom([]uint64{1, 3, 1 << 40}).Draw(t, "hashes")
		table, numbers := New(types...), map[key]int32{}
		var order []key
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) key {
				return key{
					int16(rapid.IntRange(-1, 40).Draw(t, "n")), rapid.SampledFrom([]string{"-", "", "a", "ab"}).Draw(t, "text"), rapid.Int64Range(-1, 1).Draw(t, "wide"),
				}
			}), 1, 100).Draw(t, "rows")
			h, want := make([]uint64, len(rows)), make([]int32, len(rows))
			for i, k := range rows {
				h[i] = uint64(len(k.text)+int(k.n)) % hashes
				if _, ok := numbers[k]; !ok {
					numbers[k] = int32(len(numbers))
					order = append(order, k)
				}
				want[i] = numbers[k]
			}
			views, got := column.Views(columns(rows)), make([]int32, len(rows))
			table.Add(h, views, got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("numbers (-want +got):\n%s", diff)
			}
			clear(got)
			table.Find(h, views, got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("found (-want +got):\n%s", diff)
			}
		}
		checkColumns(t, table, order)
		var ids []int32
		var picked []key
		for id, k := range order {
			if id%3 == 0 {
				ids, picked = append(ids, int32(id)), append(picked, k)
			}
		}
		checkColumns(t, table.Pick(ids), picked)
	})
}

func checkColumns(t *rapid.T, table *Table, want []key) {
	for i, c := range columns(want) {
		if got := table.Column(i); !array.Equal(c, got) {
			t.Fatalf("column %d is %v, want %v", i, got, c)
		}
	}
}

// Keys are found again after the table has grown, however their hashes collide.
func TestGrowth(t *testing.T) {
	const n = 1000
	rows, hashes, want := make([]key, n), make([]uint64, n), make([]int32, n)
	for i := range rows {
		rows[i], hashes[i], want[i] = key{n: int16(i)}, uint64(i%7), int32(i)
	}
	views, got := column.Views(columns(rows)), make([]int32, n)
	table := New(types...)
	for range 2 {
		table.Add(hashes, views, got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("numbers (-want +got):\n%s", diff)
		}
	}
}

func TestFindInAnEmptyTable(t *testing.T) {
	ids := []int32{0}
	New(types...).Find([]uint64{1}, column.Views(columns([]key{{}})), ids)
	if ids[0] != -1 {
		t.Errorf("an empty table has key %d", ids[0])
	}
}

func TestNaNsAndZeros(t *testing.T) {
	b := array.NewFloat32Builder(memory.DefaultAllocator)
	nan := float32(0)
	nan /= nan
	negative := float32(0)
	b.AppendValues([]float32{nan, 0, -negative, nan, 1}, nil)
	ids := make([]int32, 5)
	table := New(arrow.PrimitiveTypes.Float32)
	table.Add(make([]uint64, 5), column.Views([]arrow.Array{b.NewArray()}), ids)
	if diff := cmp.Diff([]int32{0, 1, 1, 0, 2}, ids); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if got := fmt.Sprint(table.Column(0)); got != "[NaN 0 1]" {
		t.Errorf("keys %s", got)
	}
}

func TestCheck(t *testing.T) {
	for _, typ := range types {
		if err := Check("c", typ); err != nil {
			t.Error(err)
		}
	}
	if err := Check("c", arrow.ListOf(types[0])); err == nil {
		t.Error("a list is taken as a key")
	}
}
