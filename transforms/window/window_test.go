package window

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

var trips = arrow.NewSchema([]arrow.Field{
	{Name: "zone", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "fare", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "riders", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "tip", Type: &arrow.Decimal128Type{Precision: 9, Scale: 2}, Nullable: true},
}, nil)

func mustOperator(t grouptest.TB, in *arrow.Schema, size time.Duration, o Options) flow.Operator {
	t.Helper()
	op, err := operator(in, size, o)
	if err != nil {
		t.Fatalf("operator: %v", err)
	}
	return op
}

func mustCombine(t grouptest.TB, op flow.Operator, in ...*batch.Batch) *batch.Batch {
	t.Helper()
	out, err := op.Combine(in)
	if err != nil || len(out) != 1 {
		t.Fatalf("combine: %d batches, %v", len(out), err)
	}
	return out[0]
}

const second = int64(1e6) // microseconds

func TestValues(t *testing.T) {
	op := mustOperator(t, trips, time.Minute, Options{
		Keys: []string{"zone"}, Start: "minute",
		Values: Values{
			"trips": Count(), "fares": CountOf("fare"), "fare": Sum("fare"), "riders": Sum("riders"), "tips": Sum("tip"),
			"mean_fare": Mean("fare"), "mean_riders": Mean("riders"), "mean_tip": Mean("tip"),
			"least": Min("riders"), "most": Max("riders"), "first": Min("note"), "last": Max("note"), "tip_most": Max("tip"),
		},
	})
	g := grouptest.New(t, op.Open)
	a := grouptest.Batch(t, trips, `[
		{"zone": 1, "fare": 1.5, "riders": 2, "note": "b", "tip": "1.25"},
		{"zone": 1, "fare": null, "riders": -3, "note": "", "tip": "-0.50"},
		{"zone": null, "fare": null, "riders": null, "note": null, "tip": null}]`, 0, 59*second, 10*second)
	b := grouptest.Batch(t, trips, `[{"zone": 1, "fare": 2.5, "riders": 4, "note": "a", "tip": "3.00"},
		{"zone": 1, "fare": 9, "riders": 9, "note": "z", "tip": null}]`, 30*second, 60*second)
	g.Process(mustCombine(t, op, a, b))
	g.Process(mustCombine(t, op, grouptest.Batch(t, trips, `[{"zone": 1, "fare": 0.25}]`, 31*second)))
	g.Restart()
	if diff := cmp.Diff([]flow.Closing{{At: 60_000, Hold: 59_999}, {At: 120_000, Hold: 119_999}}, g.Closes()); diff != "" {
		t.Errorf("closes (-want +got):\n%s", diff)
	}
	g.Close(60_000)
	want := []string{
		"minute=1970-01-01T00:00:00Z zone=1 fares=3 trips=4 fare=4.25 first= last=b least=-3 mean_fare=1.4166666666666667 mean_riders=1 mean_tip=1.25 most=4 riders=3 tip_most=3 tips=3.75 @time=59999999 @weight=4",
		"minute=1970-01-01T00:00:00Z zone=(null) fares=0 trips=1 fare=(null) first=(null) last=(null) least=(null) mean_fare=(null) mean_riders=(null) mean_tip=(null) most=(null) riders=(null) tip_most=(null) tips=(null) @time=59999999 @weight=1",
	}
	if diff := cmp.Diff(want, grouptest.Lines(g.Rows...)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if got := g.Rows[0].Schema(); !got.Equal(op.Schema) {
		t.Errorf("results have the schema %s, announced is %s", got, op.Schema)
	}
}

func TestLateRowsAreAggregated(t *testing.T) {
	op := mustOperator(t, trips, time.Minute, Options{
		Keys: []string{"zone"}, Lateness: time.Second, Values: Values{"trips": Count(), "riders": Sum("riders")},
	})
	g := grouptest.New(t, op.Open)
	g.Process(mustCombine(t, op, grouptest.Batch(t, trips, `[{"zone": 1, "riders": 1}]`, 0)))
	g.Close(60_999)
	if len(g.Rows) != 0 {
		t.Fatalf("the window closed before its lateness was over: %q", grouptest.Lines(g.Rows...))
	}
	g.Close(61_000)
	g.Restart()
	g.Process(mustCombine(t, op, grouptest.Batch(t, trips, `[{"zone": 1, "riders": 2}, {"zone": 1, "riders": 4}, {"zone": 1, "riders": 8}]`,
		40*second, 50*second, 60*second)))
	g.Close(121_000)
	if diff := cmp.Diff([]string{
		"window=1970-01-01T00:00:00Z zone=1 trips=1 riders=1 @time=59999999 @weight=1",
		"window=1970-01-01T00:01:00Z zone=1 trips=1 riders=8 @time=119999999 @weight=1",
	}, grouptest.Lines(g.Rows...)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"window=1970-01-01T00:00:00Z zone=1 trips=2 riders=6 late_rows=2 @time=40000000 @weight=2",
	}, grouptest.Lines(g.Late...)); diff != "" {
		t.Errorf("late (-want +got):\n%s", diff)
	}
	if got := g.Late[0].Schema(); !got.Equal(op.LateSchema) {
		t.Errorf("late rows have the schema %s, announced is %s", got, op.LateSchema)
	}
}

func TestLateRowsKeepTheirColumns(t *testing.T) {
	op := mustOperator(t, trips, time.Minute, Options{Keys: []string{"zone"}, LateRows: true, Values: Values{"trips": Count()}})
	if op.Combine != nil {
		t.Fatal("rows are combined, so late ones cannot be told apart")
	}
	g := grouptest.New(t, op.Open)
	g.Process(grouptest.Batch(t, trips, `[{"zone": 1}, {"zone": 1}]`, 0, 1))
	g.Close(60_000)
	g.Process(grouptest.Batch(t, trips, `[{"zone": 1, "note": "late"}, {"zone": 1}]`, 2, 60*second))
	g.Restart()
	g.Process(grouptest.Batch(t, trips, `[{"zone": 1, "note": "all late"}]`, 3))
	g.Close(120_000)
	if diff := cmp.Diff([]string{
		"window=1970-01-01T00:00:00Z zone=1 trips=2 @time=59999999 @weight=2",
		"window=1970-01-01T00:01:00Z zone=1 trips=1 @time=119999999 @weight=1",
	}, grouptest.Lines(g.Rows...)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"zone=1 fare=(null) riders=(null) note=late tip=(null) @time=2",
		"zone=1 fare=(null) riders=(null) note=all late tip=(null) @time=3",
	}, grouptest.Lines(g.Late...)); diff != "" {
		t.Errorf("late (-want +got):\n%s", diff)
	}
}

// BR-050: NaN groups with NaN, and -0 with 0.
func TestNumbersAtTheEdge(t *testing.T) {
	in := arrow.NewSchema([]arrow.Field{
		{Name: "k", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "x", Type: arrow.PrimitiveTypes.Float64},
	}, nil)
	op := mustOperator(t, in, time.Second, Options{
		Keys: []string{"k"}, Values: Values{"n": Count(), "sum": Sum("x"), "min": Min("x"), "max": Max("x")},
	})
	nan, inf, zero := math.NaN(), math.Inf(1), math.Copysign(0, -1)
	g := grouptest.New(t, op.Open)
	for _, row := range [][2]float64{
		{nan, 1},
		{math.Float64frombits(0xfff8000000000001), 2},
		{0, 1e300},
		{zero, 1},
		{zero, -1e300},
		{1, nan},
		{1, 5},
		{2, inf},
		{2, -7},
		{3, inf},
		{3, -inf},
		{4, zero},
		{4, 0},
	} {
		b := grouptest.Batch(t, in, `[{"k": null, "x": 0}]`, 0)
		b, err := b.With(in, []arrow.Array{floats([]float64{row[0]}, nil), floats([]float64{row[1]}, nil)})
		if err != nil {
			t.Fatal(err)
		}
		g.Process(mustCombine(t, op, b))
		g.Restart()
	}
	g.Close(1000)
	var got []string
	for _, l := range grouptest.Lines(g.Rows...) {
		got = append(got, strings.TrimSuffix(strings.TrimPrefix(l, "window=1970-01-01T00:00:00Z "), " @time=999999 @weight=2"))
	}
	if diff := cmp.Diff([]string{
		"k=NaN n=2 max=2 min=1 sum=3",
		"k=0 n=3 max=1e+300 min=-1e+300 sum=1 @time=999999 @weight=3",
		"k=1 n=2 max=NaN min=5 sum=NaN",
		"k=2 n=2 max=+Inf min=-7 sum=+Inf",
		"k=3 n=2 max=+Inf min=-Inf sum=NaN",
		"k=4 n=2 max=0 min=0 sum=0",
	}, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestIntegerSumsAreExactOrRefused(t *testing.T) {
	in := arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.BinaryTypes.String}, {Name: "x", Type: arrow.PrimitiveTypes.Int64}}, nil)
	op := mustOperator(t, in, time.Second, Options{Keys: []string{"k"}, Values: Values{"sum": Sum("x")}})
	g := grouptest.New(t, op.Open)
	g.Process(mustCombine(t, op, grouptest.Batch(t, in, `[{"k": "a", "x": 9223372036854775807}, {"k": "a", "x": 9223372036854775807}]`, 0, 0)))
	g.Restart()
	g.Process(mustCombine(t, op, grouptest.Batch(t, in, `[{"k": "a", "x": -9223372036854775808}]`, 0)))
	g.Close(1000)
	if diff := cmp.Diff([]string{"window=1970-01-01T00:00:00Z k=a sum=9223372036854775806 @time=999999 @weight=3"}, grouptest.Lines(g.Rows...)); diff != "" {
		t.Errorf("a sum that fits in the end (-want +got):\n%s", diff)
	}
	over := op.Open()
	var out flow.Out
	if err := over.Process(mustCombine(t, op, grouptest.Batch(t, in, `[{"k": "b", "x": 9223372036854775807}, {"k": "b", "x": 1}]`, 0, 0)), &out); err != nil {
		t.Fatal(err)
	}
	err := over.Close(1000, &out)
	want := "window 1970-01-01T00:00:00Z, k=b: the sum does not fit into int64; cast the column to a wider type, such as float64, before the step"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// What rounding takes away in one bundle is not forgotten in the next.
func TestFloatSumsCarryTheirRest(t *testing.T) {
	op := mustOperator(t, trips, time.Minute, Options{Keys: []string{"zone"}, Values: Values{"fare": Sum("fare")}})
	g := grouptest.New(t, op.Open)
	g.Process(mustCombine(t, op, grouptest.Batch(t, trips, `[{"zone": 1, "fare": 1e16}, {"zone": 1, "fare": 1}]`, 0, 0)))
	g.Restart()
	g.Process(mustCombine(t, op, grouptest.Batch(t, trips, `[{"zone": 1, "fare": -1e16}]`, 0)))
	g.Close(60_000)
	if got := grouptest.Lines(g.Rows...); len(got) != 1 || !strings.Contains(got[0], " fare=1 ") {
		t.Errorf("1e16 + 1 - 1e16 gives %q", got)
	}
}

// The sum of a million cents is the same whatever the order and the batches.
func TestFloatSumsDoNotDependOnOrder(t *testing.T) {
	forth, back := &floatSums{}, &floatSums{}
	forth.grow(1)
	back.grow(2)
	const n = 1_000_000
	for i := range n {
		forth.one(0, float64(i%9973)/100)
		back.one(int32(i%2), float64((n-1-i)%9973)/100)
	}
	all := back.pick([]int32{0}).(*floatSums)
	all.one(0, back.sum[1])
	all.rest[0] += back.rest[1]
	if a, b := forth.sum[0]+forth.rest[0], all.sum[0]+all.rest[0]; a != b {
		t.Errorf("%v in one order, %v in another", a, b)
	}
}

func TestMistakesAreFoundAtOnce(t *testing.T) {
	_, err := operator(trips, 1500*time.Microsecond, Options{
		Keys: []string{"zon"}, Lateness: -time.Second,
		Values: Values{"a": Sum("note"), "b": Value{}, "c": Max("nothing")},
	})
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if diff := cmp.Diff([]string{
		"the size 1.5ms is no whole number of milliseconds",
		"Lateness -1s is negative",
		`Keys: there is no column "zon"; there are: zone, fare, riders, note, tip`,
		`Values: "a": sum of column "note" of type utf8: the column must hold numbers`,
		`Values: "b" has no function; use Count, Sum, Min, Max or Mean`,
		`Values: "c": there is no column "nothing"; there are: zone, fare, riders, note, tip`,
	}, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
	_, err = operator(trips, time.Second, Options{Keys: []string{"zone"}, Start: "zone", Values: Values{"n": Count()}})
	if err == nil || !strings.Contains(err.Error(), `two columns "zone"`) {
		t.Errorf("a name that stands twice gives %v", err)
	}
}

func TestChangeStreamsAreRefused(t *testing.T) {
	b, err := batch.NewBuilder(trips, batch.BuilderOptions{Time: true})
	if err != nil {
		t.Fatal(err)
	}
	b.Time(0)
	b.Kind(batch.Delete)
	if err := b.EndRow(); err != nil {
		t.Fatal(err)
	}
	rows, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	op := mustOperator(t, trips, time.Second, Options{Keys: []string{"zone"}, Values: Values{"n": Count()}})
	if _, err := op.Combine([]*batch.Batch{rows}); err == nil || !strings.Contains(err.Error(), `"delete"`) {
		t.Errorf("a deleted row gives %v", err)
	}
}
