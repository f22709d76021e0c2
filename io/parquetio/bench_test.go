package parquetio_test

import (
	"io"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/io/parquetio"
)

// trips makes rows in the shape of taxi trips: two moments, six small numbers, a flag, nine amounts.
func trips(b *testing.B, rows int) *batch.Batch {
	b.Helper()
	var fields []arrow.Field
	add := func(t arrow.DataType, names ...string) {
		for _, n := range names {
			fields = append(fields, arrow.Field{Name: n, Type: t, Nullable: true})
		}
	}
	add(arrow.FixedWidthTypes.Timestamp_us, "pickup", "dropoff")
	add(arrow.PrimitiveTypes.Int64, "vendor", "passengers", "rate", "from", "to", "payment")
	add(arrow.BinaryTypes.String, "flag")
	add(arrow.PrimitiveTypes.Float64, "distance", "fare", "extra", "tax", "tip", "tolls", "surcharge", "total", "congestion")
	in, err := batch.NewBuilder(arrow.NewSchema(fields, nil), batch.BuilderOptions{})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range rows {
		at := 1_546_300_800_000_000 + r.Int64N(31*86_400)*1_000_000
		in.Col(0).Int64(at)
		in.Col(1).Int64(at + r.Int64N(3600)*1_000_000)
		for i, n := range []int64{2, 6, 5, 265, 265, 4} {
			in.Col(2 + i).Int64(1 + r.Int64N(n))
		}
		in.Col(8).String("N")
		for i, n := range []float64{2000, 200, 3, 1, 500, 5, 1, 4000, 2} {
			in.Col(9 + i).Float64(float64(int(r.Float64()*r.Float64()*n)) / 4)
		}
		if err := in.EndRow(); err != nil {
			b.Fatal(err)
		}
	}
	out, err := in.Build()
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func BenchmarkRoute(b *testing.B) {
	in := trips(b, 16<<10)
	s := mustSink(b, parquetio.Options{PartitionBy: []string{"day(pickup)", "vendor"}})
	for b.Loop() {
		if _, err := s.Route(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*in.Rows()), "ns/row")
}

func BenchmarkEncode(b *testing.B) {
	in := trips(b, 256<<10)
	for _, c := range []string{"snappy", "zstd", "none"} {
		b.Run(c, func(b *testing.B) {
			s := mustSink(b, parquetio.Options{Compression: c})
			var size counter
			for b.Loop() {
				size = 0
				if err := s.Encode(&size, in.Schema(), seq(in)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*in.Rows()), "ns/row")
			b.ReportMetric(float64(size)/float64(in.Rows()), "B/row")
		})
	}
}

// counter is a writer that counts.
type counter int64

var _ io.Writer = (*counter)(nil)

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
