package dedupe

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

var orders = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

func mustOperator(t grouptest.TB, in *arrow.Schema, timed bool, o Options) flow.Operator {
	t.Helper()
	op, err := operator(in, timed, o)
	if err != nil {
		t.Fatalf("operator: %v", err)
	}
	return op
}

func check(t *testing.T, what string, want []string, got []*batch.Batch) {
	t.Helper()
	if diff := cmp.Diff(want, grouptest.Lines(got...)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestWholeRows(t *testing.T) {
	g := grouptest.New(t, mustOperator(t, orders, false, Options{}).Open)
	g.Process(grouptest.Batch(t, orders, `[{"id": 1, "note": "a"}, {"id": 1, "note": "b"}, {"id": 1, "note": "a"}, {"id": null, "note": null}, {"id": 0, "note": ""}]`))
	g.Restart()
	g.Process(grouptest.Batch(t, orders, `[{"id": null, "note": ""}, {"id": null, "note": null}, {"id": 1, "note": null}, {"id": 0, "note": ""}]`))
	check(t, "rows", []string{
		"id=1 note=a", "id=1 note=b", "id=(null) note=(null)", "id=0 note=", "id=(null) note=", "id=1 note=(null)",
	}, g.Rows)
	if len(g.Late)+len(g.Closes()) != 0 {
		t.Error("without a horizon rows are late or forgotten")
	}
}

func TestKeys(t *testing.T) {
	g := grouptest.New(t, mustOperator(t, orders, false, Options{Keys: []string{"id"}}).Open)
	g.Process(grouptest.Batch(t, orders, `[{"id": 1, "note": "first"}, {"id": 1, "note": "second"}, {"id": 2, "note": null}]`))
	check(t, "rows", []string{"id=1 note=first", "id=2 note=(null)"}, g.Rows)
}

// BR-047: keys that one float64 stands for are two.
func TestLargeKeysStayApart(t *testing.T) {
	g := grouptest.New(t, mustOperator(t, orders, false, Options{Keys: []string{"id"}}).Open)
	g.Process(grouptest.Batch(t, orders, `[{"id": 9007199254740992}, {"id": 9007199254740993}, {"id": 9007199254740993}, {"id": 712345678901234567}, {"id": 712345678901234568}]`))
	check(t, "rows", []string{
		"id=9007199254740992 note=(null)", "id=9007199254740993 note=(null)", "id=712345678901234567 note=(null)", "id=712345678901234568 note=(null)",
	}, g.Rows)
}

func TestHorizon(t *testing.T) {
	g := grouptest.New(t, mustOperator(t, orders, true, Options{Keys: []string{"id"}, Horizon: time.Minute}).Open)
	const s = int64(1e6)
	process := func(note string, at int64) {
		t.Helper()
		g.Process(grouptest.Batch(t, orders, fmt.Sprintf(`[{"id": 1, "note": %q}]`, note), at))
	}
	process("first", 100*s)
	process("a minute later", 160*s)
	process("a minute before", 40*s)
	process("more than a minute later", 160*s+1)
	process("more than a minute before", 40*s-1)
	process("again, between the two", 170*s)
	check(t, "rows", []string{
		"id=1 note=first @time=100000000", "id=1 note=more than a minute later @time=160000001", "id=1 note=more than a minute before @time=39999999",
	}, g.Rows)
	if diff := cmp.Diff([]flow.Closing{{At: 101_250, Hold: 101_250}, {At: 161_250, Hold: 161_250}, {At: 221_250, Hold: 221_250}}, g.Closes()); diff != "" {
		t.Errorf("closes (-want +got):\n%s", diff)
	}
	g.Close(101_250)
	g.Restart()
	process("late, and nobody can know", 39*s)
	process("late, but remembered", 101*s)
	check(t, "late", []string{"id=1 note=late, and nobody can know @time=39000000"}, g.Late)
	g.Close(161_250)
	process("the second is forgotten, the third is not", 220*s)
	g.Close(math.MaxInt64 / 1000)
	if len(g.Rows) != 3 || len(g.Closes()) != 0 || len(g.Log) != 0 {
		t.Errorf("%d batches passed, %d closings and %d log entries are left; want 3, 0, 0", len(g.Rows), len(g.Closes()), len(g.Log))
	}
}

func TestFloatsAndNestedValues(t *testing.T) {
	in := arrow.NewSchema([]arrow.Field{
		{Name: "x", Type: arrow.PrimitiveTypes.Float64},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "at", Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true}), Nullable: true},
		{Name: "deep", Type: arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int64)), Nullable: true},
		{Name: "word", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, Nullable: true},
	}, nil)
	if _, err := operator(in, false, Options{}); err != nil {
		t.Fatal(err)
	}
	b := grouptest.Batch(t, in, `[
		{"x": 0, "tags": ["a", "b"], "at": {"a": 1}, "word": "w"}, {"x": 0, "tags": ["a", "b"], "at": {"a": 1}, "word": "w"},
		{"x": 0, "tags": ["ab"], "at": {"a": 1}, "word": "w"}, {"x": 0, "tags": ["a", "b"], "at": {"a": null}, "word": "w"},
		{"x": 0, "tags": ["a", "b"], "at": null, "word": "w"}, {"x": 0, "tags": ["a", "b"], "at": {"a": 1}, "word": null},
		{"x": 0, "tags": [], "at": {"a": 1}, "word": "w"}, {"x": 0, "tags": null, "at": {"a": 1}, "word": "w"},
		{"x": 0, "tags": [null], "at": {"a": 1}, "word": "v"},
		{"x": 0, "deep": [[5], [72340172838076673]]}, {"x": 0, "deep": [[5, 72340172838076673], []]}]`)
	cols := []int{0, 1, 2, 3, 4}
	h := hashRows(b, cols)
	seen := map[string]int{}
	for _, x := range h {
		seen[fmt.Sprint(x)]++
	}
	if h[0] != h[1] || len(seen) != len(h)-1 {
		t.Errorf("%d hashes of %d rows, of which only the first two are equal: %v", len(seen), len(h), h)
	}
	sliced := hashRows(b.Slice(2, 6), cols)
	if diff := cmp.Diff(h[2:6], sliced); diff != "" {
		t.Errorf("hashes of a slice (-whole +slice):\n%s", diff)
	}
	fb := array.NewFloat64Builder(memory.DefaultAllocator)
	fb.AppendValues([]float64{0, math.Copysign(0, -1), math.NaN(), math.Float64frombits(0xfff8000000000001)}, nil)
	floats, err := batch.New(array.NewRecordBatch(arrow.NewSchema(in.Fields()[:1], nil), []arrow.Array{fb.NewArray()}, 4))
	if err != nil {
		t.Fatal(err)
	}
	if f := hashRows(floats, []int{0}); f[0] != f[1] || f[2] != f[3] || f[0] == f[2] {
		t.Errorf("0, -0, NaN and another NaN hash to %v", f)
	}
}

// A row has the same hash wherever it stands in a batch.
func TestHashDoesNotDependOnTheBatch(t *testing.T) {
	b, err := batch.NewBuilder(orders, batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 3*chunk + 7
	for i := range int64(n) {
		if i%5 < 3 {
			b.Col(0).Int64(i)
		}
		if i%3 < 2 {
			b.Col(1).String(fmt.Sprint(i))
		}
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range hashRows(rows, []int{0, 1}) {
		if alone := hashRows(rows.Slice(i, i+1), []int{0, 1})[0]; alone != h {
			t.Fatalf("row %d has the hash %v in its batch and %v alone", i, h, alone)
		}
	}
}

func TestMistakes(t *testing.T) {
	_, err := operator(orders, false, Options{Keys: []string{"x"}, Horizon: -time.Microsecond, MaxOpen: -1})
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if diff := cmp.Diff([]string{
		"Horizon -1µs is negative or no whole number of milliseconds",
		"Horizon needs rows with an event time; leave it at 0 to remember all rows, or let the source set an event time",
		"MaxOpen -1 is negative",
		`Keys: there is no column "x"; there are: id, note`,
	}, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func TestMaxOpen(t *testing.T) {
	g := mustOperator(t, orders, false, Options{MaxOpen: 2}).Open()
	err := g.Process(grouptest.Batch(t, orders, `[{"id": 1}, {"id": 1}, {"id": 2}, {"id": 3}]`), &flow.Out{})
	if err == nil || !strings.Contains(err.Error(), "remembers 3 rows, more than MaxOpen (2)") {
		t.Errorf("three rows where two are allowed give %v", err)
	}
}

func TestDamagedState(t *testing.T) {
	g := mustOperator(t, orders, false, Options{}).Open()
	if err := g.Restore([]byte{2, 0}, nil); err == nil {
		t.Error("a header of another version is taken")
	}
	log := grouptest.Batch(t, orders, `[{"id": 1}]`)
	if err := g.Restore(g.Header(), []*batch.Batch{log}); err == nil || !strings.Contains(err.Error(), "instead of") {
		t.Errorf("a log of other columns gives %v", err)
	}
}
