package clean

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"pgregory.net/rapid"
)

// ride is a row of the model.
type ride struct {
	Fare   *float64
	Vendor *string
	Seats  *int64
}

var rides = arrow.NewSchema([]arrow.Field{
	{Name: "fare", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "vendor", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "seats", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
}, nil)

func maybe[T any](t *rapid.T, label string, values ...T) *T {
	if rapid.IntRange(0, 4).Draw(t, label+" null") == 0 {
		return nil
	}
	v := rapid.SampledFrom(values).Draw(t, label)
	return &v
}

// outcome is what becomes of a ride by the plain rules of the loop: a row, or the rule it breaks.
func (r ride) outcome() (row, rule string) {
	vendors := map[string]string{"1": "1", " 2 ": "2", "3.0": "3"}
	company := "(null)"
	if r.Vendor != nil {
		v, ok := vendors[*r.Vendor]
		if !ok {
			return "", "vendor is int64"
		}
		company = v
	}
	switch {
	case r.Fare == nil:
		return "", "fare required"
	case *r.Fare <= 0:
		return "", "fare > 0"
	case r.Seats != nil && (*r.Seats < 1 || *r.Seats > 6):
		return "", "1 <= seats <= 6"
	case r.Seats != nil && r.Vendor != nil && fmt.Sprint(*r.Seats) < company:
		return "", "seats >= company"
	}
	seats := "(null)"
	if r.Seats != nil {
		seats = fmt.Sprint(*r.Seats)
	}
	return fmt.Sprintf("fare=%v company=%s seats=%s", *r.Fare, company, seats), ""
}

// However rows are cut into batches, each passes or breaks a rule as in a loop over rows.
func TestAgainstLoop(t *testing.T) {
	s, err := newStep(rides, []Rule{
		Trim("vendor"), Cast("vendor", arrow.PrimitiveTypes.Int64), Required("fare"), Positive("fare"), Between("seats", 1, 6),
		Rename("vendor", "company"), NotBefore("seats", "company"),
	})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		f, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		var rows, refused, wantRows, wantRefused []string
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			in := drawRides(t, &wantRows, &wantRefused)
			var out flow.StepOut
			if err := f(in, &out); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, grouptest.Lines(out.Rows()...)...)
			for _, r := range out.Refused() {
				refused = append(refused, fmt.Sprintf("%d %s", r.Row, r.Rule))
			}
		}
		if diff := cmp.Diff(wantRows, rows); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantRefused, refused); diff != "" {
			t.Fatalf("refused (-want +got):\n%s", diff)
		}
	})
}

func drawRides(t *rapid.T, rows, refused *[]string) *batch.Batch {
	b, err := batch.NewBuilder(rides, batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rapid.IntRange(1, 12).Draw(t, "rows") {
		r := ride{
			Fare: maybe(t, "fare", -1.5, 0, 2.5), Vendor: maybe(t, "vendor", "1", " 2 ", "3.0", "x", ""), Seats: maybe[int64](t, "seats", 0, 1, 2, 6, 7),
		}
		if r.Fare != nil {
			b.Col(0).Float64(*r.Fare)
		}
		if r.Vendor != nil {
			b.Col(1).String(*r.Vendor)
		}
		if r.Seats != nil {
			b.Col(2).Int64(*r.Seats)
		}
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
		if row, rule := r.outcome(); rule != "" {
			*refused = append(*refused, fmt.Sprintf("%d %s", i, rule))
		} else {
			*rows = append(*rows, row)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func BenchmarkRows(b *testing.B) {
	const n = 1 << 14
	builder, err := batch.NewBuilder(rides, batch.BuilderOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range int64(n) {
		builder.Col(0).Float64(float64(i%500) - 2)
		builder.Col(1).String("2")
		builder.Col(2).Int64(i % 7)
		if err := builder.EndRow(); err != nil {
			b.Fatal(err)
		}
	}
	in, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	s, err := newStep(rides, []Rule{Required("fare", "seats"), Positive("fare", "seats"), NotBefore("seats", "seats")})
	if err != nil {
		b.Fatal(err)
	}
	f, err := s.Open()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var out flow.StepOut
		if err := f(in, &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
