package window

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"pgregory.net/rapid"
)

var readings = arrow.NewSchema([]arrow.Field{
	{Name: "x", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "place", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "n", Type: arrow.PrimitiveTypes.Int16, Nullable: true},
	{Name: "level", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
}, nil)

// reading is a row of the model.
type reading struct {
	at     int64
	level  *float64
	place  *string
	n      *int64
	x      *float64
	weight int64
}

func some[T any](t *rapid.T, g *rapid.Generator[T], label string) *T {
	if rapid.IntRange(0, 4).Draw(t, label+" null") == 0 {
		return nil
	}
	v := g.Draw(t, label)
	return &v
}

func drawReading(t *rapid.T) reading {
	return reading{
		at:     rapid.Int64Range(-40_000_000, 40_000_000).Draw(t, "at"),
		level:  some(t, rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), 1, math.Inf(1)}), "level"),
		place:  some(t, rapid.SampledFrom([]string{"", "a", "b"}), "place"),
		n:      some(t, rapid.Int64Range(-5, 5), "n"),
		x:      some(t, rapid.Map(rapid.Int64Range(-99, 99), func(i int64) float64 { return float64(i) / 8 }), "x"),
		weight: rapid.Int64Range(0, 3).Draw(t, "weight"),
	}
}

func readingBatch(t *rapid.T, rows []reading) *batch.Batch {
	b, err := batch.NewBuilder(readings, batch.BuilderOptions{Time: true})
	if err != nil {
		t.Fatalf("builder: %v", err)
	}
	for _, r := range rows {
		for i, f := range []*float64{r.x, nil, nil, r.level} {
			if f != nil {
				b.Col(i).Float64(*f)
			}
		}
		if r.place != nil {
			b.Col(1).String(*r.place)
		}
		if r.n != nil {
			b.Col(2).Int64(*r.n)
		}
		b.Time(r.at)
		b.Weight(r.weight)
		if err := b.EndRow(); err != nil {
			t.Fatalf("row: %v", err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	return out
}

// loop is the plain loop that the operator is compared with.
type loop struct {
	size, offset, lateness int64 // microseconds
	horizon                int64
	open                   map[string]*tally
	results, late          []string
}

type tally struct {
	start                    int64
	rows, weight, n, xs, sum int64
	least, most              int64
	x                        float64
}

func (l *loop) add(r reading, to map[string]*tally) {
	start := int64(math.Floor(float64(r.at-l.offset)/float64(l.size)))*l.size + l.offset
	key := fmt.Sprintf("window=%s", time.UnixMicro(start).UTC().Format("2006-01-02T15:04:05.999999999Z"))
	key += " level=" + show(r.level, func(f float64) string { return fmt.Sprint(f + 0) })
	key += " place=" + show(r.place, func(s string) string { return s })
	t := to[key]
	if t == nil {
		t = &tally{start: start, least: math.MaxInt64, most: math.MinInt64}
		to[key] = t
	}
	t.rows++
	t.weight += r.weight
	if r.n != nil {
		t.n++
		t.sum += *r.n
		t.least, t.most = min(t.least, *r.n), max(t.most, *r.n)
	}
	if r.x != nil {
		t.xs++
		t.x += *r.x
	}
}

func show[T any](v *T, text func(T) string) string {
	if v == nil {
		return "(null)"
	}
	return text(*v)
}

func (t *tally) line(key string) string {
	sum, least, most, x, mean := "(null)", "(null)", "(null)", "(null)", "(null)"
	if t.n > 0 {
		sum, least, most = fmt.Sprint(t.sum), fmt.Sprint(t.least), fmt.Sprint(t.most)
	}
	if t.xs > 0 {
		x, mean = fmt.Sprint(t.x), fmt.Sprint(t.x/float64(t.xs))
	}
	return fmt.Sprintf("%s n=%d rows=%d least=%s mean=%s most=%s sum=%s x=%s @weight=%d", key, t.n, t.rows, least, mean, most, sum, x, t.weight)
}

func (l *loop) closed(start int64) bool { return (start+l.size+l.lateness)/1000 <= l.horizon }

func (l *loop) process(rows []reading) {
	late := map[string]*tally{}
	for _, r := range rows {
		start := int64(math.Floor(float64(r.at-l.offset)/float64(l.size)))*l.size + l.offset
		if l.closed(start) {
			l.add(r, late)
		} else {
			l.add(r, l.open)
		}
	}
	for key, t := range late {
		l.late = append(l.late, t.line(key))
	}
}

func (l *loop) close(upTo int64) {
	l.horizon = max(l.horizon, upTo)
	for key, t := range l.open {
		if l.closed(t.start) {
			l.results = append(l.results, t.line(key))
			delete(l.open, key)
		}
	}
}

// lines prints results without their event times, sorted.
func lines(batches []*batch.Batch) []string {
	out := []string{}
	for _, l := range grouptest.Lines(batches...) {
		head, tail, _ := strings.Cut(l, " @time=")
		_, weight, _ := strings.Cut(tail, " ")
		head, _, _ = strings.Cut(head, " late_rows=")
		out = append(out, head+" "+weight)
	}
	slices.Sort(out)
	return out
}

// Whatever the batches, the closing times and the restarts: the results and the late rows are those of a loop.
func TestAgainstLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Keys:     []string{"level", "place"},
			Offset:   time.Duration(rapid.IntRange(-20, 20).Draw(t, "offset")) * time.Second,
			Lateness: time.Duration(rapid.IntRange(0, 3).Draw(t, "lateness")) * time.Second,
			Values: Values{
				"rows": Count(), "n": CountOf("n"), "sum": Sum("n"), "least": Min("n"), "most": Max("n"),
				"x": Sum("x"), "mean": Mean("x"),
			},
		}
		size := time.Duration(rapid.IntRange(1, 20).Draw(t, "size")) * time.Second
		op := mustOperator(t, readings, size, o)
		g := grouptest.New(t, op.Open)
		l := &loop{
			size: size.Microseconds(), offset: o.Offset.Microseconds(), lateness: o.Lateness.Microseconds(),
			horizon: math.MinInt64, open: map[string]*tally{},
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				upTo := rapid.Int64Range(-50_000, 50_000).Draw(t, "upTo")
				g.Close(upTo)
				l.close(upTo)
			case 1:
				g.Restart()
			default:
				var in []*batch.Batch
				var rows []reading
				for range rapid.IntRange(1, 3).Draw(t, "batches") {
					part := rapid.SliceOfN(rapid.Custom(drawReading), 1, 20).Draw(t, "rows")
					in, rows = append(in, readingBatch(t, part)), append(rows, part...)
				}
				g.Process(mustCombine(t, op, in...))
				l.process(rows)
			}
			checkWaiting(t, g, l)
		}
		g.Close(math.MaxInt64 / 1000)
		l.close(math.MaxInt64 / 1000)
		slices.Sort(l.results)
		slices.Sort(l.late)
		if diff := cmp.Diff(append([]string{}, l.results...), lines(g.Rows)); diff != "" {
			t.Fatalf("results (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(append([]string{}, l.late...), lines(g.Late)); diff != "" {
			t.Fatalf("late rows (-want +got):\n%s", diff)
		}
		if len(g.Log) != 0 {
			t.Fatalf("%d batches are left in the log of an empty group", len(g.Log))
		}
	})
}

// checkWaiting compares what the group waits for with the open windows.
func checkWaiting(t *rapid.T, g *grouptest.Harness, l *loop) {
	var want, got []int64
	for _, x := range l.open {
		want = append(want, (x.start+l.size+l.lateness)/1000)
	}
	slices.Sort(want)
	for _, c := range g.Closes() {
		got = append(got, c.At)
		if c.Hold != c.At-l.lateness/1000-1 {
			t.Fatalf("the window that closes at %d holds %d", c.At, c.Hold)
		}
	}
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Fatalf("closing times (-want +got):\n%s", diff)
	}
}

// The log of many small batches and closed windows stays in proportion to what is open.
func TestLogIsCompacted(t *testing.T) {
	op := mustOperator(t, trips, time.Second, Options{Keys: []string{"zone"}, Values: Values{"trips": Count(), "note": Min("note")}})
	var last *group
	g := grouptest.New(t, func() flow.Group {
		last = op.Open().(*group)
		return last
	})
	most, panes := 0, 0
	for i := range int64(3000) {
		json := fmt.Sprintf(`[{"zone": %d, "note": "%d"}]`, i%50, i)
		g.Process(mustCombine(t, op, grouptest.Batch(t, trips, json, i*10_000)))
		if i%100 == 99 {
			g.Close(i*10 - 2000)
		}
		if i == 1500 {
			g.Restart()
		}
		most, panes = max(most, len(g.Log)), max(panes, last.panes.groups.Len())
	}
	g.Close(math.MaxInt64 / 1000)
	if limit := minLog/entryCost + 1; most > limit {
		t.Errorf("the log grew to %d batches, %d are allowed", most, limit)
	}
	if panes > 400 {
		t.Errorf("the index grew to %d panes, where some 200 are open at a time", panes)
	}
	var trips uint64
	for _, b := range g.Rows {
		v := column.Of(b.Find("trips"))
		for _, n := range v.Words {
			trips += n
		}
	}
	if trips != 3000 || len(g.Late) != 0 {
		t.Errorf("%d trips in the results and %d batches late, want 3000 and 0", trips, len(g.Late))
	}
}
