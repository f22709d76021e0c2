package dedupe

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"pgregory.net/rapid"
)

// order is a row of the model; the note says which one it is.
type order struct{ id, at int64 }

func orderBatch(t *rapid.T, rows []order, first int) *batch.Batch {
	b, err := batch.NewBuilder(orders, batch.BuilderOptions{Time: true})
	if err != nil {
		t.Fatalf("builder: %v", err)
	}
	for i, r := range rows {
		if r.id == 0 {
			b.Col(0).Null()
		} else {
			b.Col(0).Int64(r.id)
		}
		b.Col(1).String(fmt.Sprint(first + i))
		b.Time(r.at)
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

// loop is the plain loop that the operator is compared with: it forgets nothing before it must.
type loop struct {
	horizon, width, upTo int64 // milliseconds
	passed               []order
	rows, late           []string
}

func (l *loop) forgotten(at int64) bool {
	e := int64(math.Floor(float64(at)/1000)) + l.horizon + 1
	for e%l.width != 0 {
		e++
	}
	return l.horizon > 0 && e <= l.upTo
}

func (l *loop) process(rows []order, first int) {
next:
	for i, r := range rows {
		note := fmt.Sprint(first + i)
		if l.forgotten(r.at) {
			l.late = append(l.late, note)
			continue
		}
		for _, p := range l.passed {
			if p.id == r.id && (l.horizon == 0 || !l.forgotten(p.at) && max(p.at-r.at, r.at-p.at) <= l.horizon*1000) {
				continue next
			}
		}
		l.passed = append(l.passed, r)
		l.rows = append(l.rows, note)
	}
}

func notes(batches []*batch.Batch) []string {
	var out []string
	for _, b := range batches {
		for row := range b.Rows() {
			out = append(out, b.Find("note").ValueStr(row))
		}
	}
	return out
}

// Whatever the batches, the closing times and the restarts: the rows that pass, in their order, and the late ones are those
// of a loop.
func TestAgainstLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		horizon := rapid.SampledFrom([]int64{0, 5, 100, 1000}).Draw(t, "horizon")
		op := mustOperator(t, orders, true, Options{Keys: []string{"id"}, Horizon: time.Duration(horizon) * time.Millisecond})
		g := grouptest.New(t, op.Open)
		l := &loop{horizon: horizon, width: max(1, horizon/32), upTo: math.MinInt64}
		ids := rapid.SampledFrom([]int64{2, 30}).Draw(t, "ids")
		count := 0
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				upTo := rapid.Int64Range(-2000, 3000).Draw(t, "upTo")
				g.Close(upTo)
				l.upTo = max(l.upTo, upTo)
			case 1:
				g.Restart()
			default:
				rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) order {
					return order{id: rapid.Int64Range(0, ids).Draw(t, "id"), at: rapid.Int64Range(-2_000_000, 2_000_000).Draw(t, "at")}
				}), 1, 30).Draw(t, "rows")
				g.Process(orderBatch(t, rows, count))
				l.process(rows, count)
				count += len(rows)
			}
			for _, c := range g.Closes() {
				if c.At <= l.upTo || c.Hold != c.At {
					t.Fatalf("the group waits for %+v, the watermark is at %d", c, l.upTo)
				}
			}
		}
		if diff := cmp.Diff(l.rows, notes(g.Rows)); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(l.late, notes(g.Late)); diff != "" {
			t.Fatalf("late (-want +got):\n%s", diff)
		}
	})
}

// The log of a long stream stays in proportion to the horizon.
func TestMemoryIsBoundedByTheHorizon(t *testing.T) {
	op := mustOperator(t, orders, true, Options{Horizon: time.Second})
	g := grouptest.New(t, op.Open)
	most := 0
	for i := range int64(200) {
		rows := make([]order, 100)
		for k := range rows {
			rows[k] = order{id: i*100 + int64(k), at: i * 100_000}
		}
		b, err := batch.NewBuilder(orders, batch.BuilderOptions{Time: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			b.Col(0).Int64(r.id)
			b.Time(r.at)
			if err := b.EndRow(); err != nil {
				t.Fatal(err)
			}
		}
		in, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		g.Process(in)
		g.Close(i * 100)
		g.Restart()
		most = max(most, len(g.Log))
	}
	if limit := minLog/entryCost + 1; most > limit {
		t.Errorf("the log grew to %d batches, %d are allowed", most, limit)
	}
	if n := len(notes(g.Rows)); n != 20_000 {
		t.Errorf("%d rows passed, want 20000", n)
	}
}

func BenchmarkProcess(b *testing.B) {
	op := mustOperator(b, orders, true, Options{Horizon: time.Hour})
	const n = 1 << 16
	builder, err := batch.NewBuilder(orders, batch.BuilderOptions{Time: true})
	if err != nil {
		b.Fatal(err)
	}
	for i := range int64(n) {
		builder.Col(0).Int64(i)
		builder.Col(1).String("a note of some length")
		builder.Time(i * 1000)
		if err := builder.EndRow(); err != nil {
			b.Fatal(err)
		}
	}
	in, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		g := grouptest.New(b, op.Open)
		g.Process(in) // all new
		g.Process(in) // all duplicates
	}
	b.ReportMetric(float64(b.N)*2*n/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
