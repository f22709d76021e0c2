package window

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

// benchRows makes rows that spread evenly over an hour and so many zones.
func benchRows(b *testing.B, zones int) *batch.Batch {
	const n = 1 << 16
	times, zone, fare := make([]int64, n), make([]uint64, n), make([]float64, n)
	for i := range n {
		times[i] = int64(i) * 3600 * second / n
		zone[i] = uint64(i*7919) % uint64(zones)
		fare[i] = float64(i%1000) / 4
	}
	s := arrow.NewSchema([]arrow.Field{{Name: "zone", Type: int64Type}, {Name: "fare", Type: arrow.PrimitiveTypes.Float64}}, nil)
	out, err := batch.New(array.NewRecordBatch(s, []arrow.Array{column.Make(int64Type, zone, nil), floats(fare, nil)}, n))
	if err == nil {
		out, err = out.WithHidden(batch.TimeColumn, grouptest.Ints(times))
	}
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func bench(b *testing.B, rows int, run func(b *testing.B)) {
	b.ReportAllocs()
	run(b)
	b.ReportMetric(float64(b.N)*float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func benchOperator(b *testing.B, in *batch.Batch, size time.Duration) flow.Operator {
	return mustOperator(b, in.Schema(), size, Options{Keys: []string{"zone"}, Values: Values{"trips": Count(), "fare": Sum("fare")}})
}

func BenchmarkCombine(b *testing.B) {
	for _, c := range []struct {
		name  string
		zones int
		size  time.Duration
	}{{"260 zones, hours", 260, time.Hour}, {"53000 zones, hours", 53_000, time.Hour}, {"260 zones, minutes", 260, time.Minute}} {
		b.Run(c.name, func(b *testing.B) {
			rows := benchRows(b, c.zones)
			op := benchOperator(b, rows, c.size)
			bench(b, rows.Rows(), func(b *testing.B) {
				for b.Loop() {
					mustCombine(b, op, rows)
				}
			})
		})
	}
}

func BenchmarkGroup(b *testing.B) {
	rows := benchRows(b, 53_000)
	op := benchOperator(b, rows, time.Hour)
	in := mustCombine(b, op, rows)
	bench(b, in.Rows(), func(b *testing.B) {
		g := op.Open()
		for b.Loop() {
			var out flow.Out
			if err := g.Process(in, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
