package batch_test

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace-io/millrace/batch"
)

func BenchmarkTake(b *testing.B) {
	in := wide(b, 16<<10)
	idx := make([]int32, in.Rows())
	for i, v := range rand.New(rand.NewPCG(1, 1)).Perm(len(idx)) {
		idx[i] = int32(v)
	}
	for b.Loop() {
		if _, err := in.Take(idx); err != nil {
			b.Fatal(err)
		}
	}
}

// 20 columns, half numbers, half strings, with event time and position.
func BenchmarkBuilder(b *testing.B) {
	schema := wide(b, 1).Schema()
	out, err := batch.NewBuilder(schema, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		b.Fatal(err)
	}
	cols := make([]*batch.Column, schema.NumFields())
	for i := range cols {
		cols[i] = out.Col(i)
	}
	for b.Loop() {
		for i := range int64(16 << 10) {
			for k := 0; k < len(cols); k += 2 {
				cols[k].Int64(i)
				cols[k+1].String("12345")
			}
			out.Time(i)
			out.Position("topic/0", i, 0)
			if err := out.EndRow(); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := out.Build(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(16<<10), "ns/row")
}

type tripRow struct {
	ColumnA int64
	ColumnB string
	ColumnC int64
	ColumnE *int64
	ColumnF *string
}

func BenchmarkMappingRead(b *testing.B) {
	in := wide(b, 16<<10)
	bound, err := mustMap[tripRow](b).Bind(in.Schema())
	if err != nil {
		b.Fatal(err)
	}
	var sum int64
	for b.Loop() {
		v, err := bound.View(in)
		if err != nil {
			b.Fatal(err)
		}
		for r := range v.All() {
			sum += r.ColumnA + int64(len(r.ColumnB))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(16<<10), "ns/row")
}

func BenchmarkMappingAppend(b *testing.B) {
	m := mustMap[tripRow](b)
	out, err := batch.NewBuilder(m.Schema(), batch.BuilderOptions{})
	if err != nil {
		b.Fatal(err)
	}
	n := int64(7)
	row := tripRow{1, "hello", 2, &n, nil}
	for b.Loop() {
		for range 16 << 10 {
			if err := m.Append(out, &row); err != nil {
				b.Fatal(err)
			}
			if err := out.EndRow(); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := out.Build(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(16<<10), "ns/row")
}

func BenchmarkHash(b *testing.B) {
	in := wide(b, 16<<10)
	for b.Loop() {
		if _, err := batch.Hash(in, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(16<<10), "ns/row")
}

func BenchmarkSplitByHash(b *testing.B) {
	in := wide(b, 16<<10)
	hashes, err := batch.Hash(in, []int{0})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := batch.SplitByHash(in, hashes, 32); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(16<<10), "ns/row")
}

func BenchmarkEqualRows(b *testing.B) {
	in := wide(b, 100)
	for b.Loop() {
		if !batch.EqualRows(batch.Row{Batch: in, Index: 7}, batch.Row{Batch: in, Index: 7}, nil) {
			b.Fatal("unequal")
		}
	}
}

func BenchmarkConcat(b *testing.B) {
	in := wide(b, 1<<10)
	var all []*batch.Batch
	for range 16 {
		all = append(all, in)
	}
	for b.Loop() {
		if _, err := batch.Concat(all); err != nil {
			b.Fatal(err)
		}
	}
}
