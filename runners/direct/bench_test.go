package direct

import (
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// BenchmarkKeyed is a source, a map, a keyed step with two states and two timers, and a grouped step; per record.
func BenchmarkKeyed(b *testing.B) {
	b.ReportAllocs()
	const parts = 4
	spec := sourceSpec{Partitions: parts, Each: int64(b.N/parts + 1), PerCall: 1000, Keys: 32}
	p, s := beam.NewPipelineWithRoot()
	gather(s, b.Name(), beam.ParDo(s, newRunningSum(""), beam.ParDo(s, &doubleFn{}, read(s, spec))))
	mustRun(b, p, Options{})
	taken(b.Name())
}

// BenchmarkShuffle is a source and a grouped step; per record.
func BenchmarkShuffle(b *testing.B) {
	b.ReportAllocs()
	const parts = 4
	spec := sourceSpec{Partitions: parts, Each: int64(b.N/parts + 1), PerCall: 1000, Keys: 32}
	p, s := beam.NewPipelineWithRoot()
	gather(s, b.Name(), read(s, spec))
	mustRun(b, p, Options{})
	taken(b.Name())
}

// BenchmarkBundle is a source that emits one record per bundle to a grouped step; per bundle of the source.
func BenchmarkBundle(b *testing.B) {
	b.ReportAllocs()
	spec := sourceSpec{Partitions: 1, Each: int64(b.N), PerCall: 1, Keys: 1}
	p, s := beam.NewPipelineWithRoot()
	gather(s, b.Name(), read(s, spec))
	mustRun(b, p, Options{})
	taken(b.Name())
}
