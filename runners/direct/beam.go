package direct

import (
	"context"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/metrics"
)

// Execute runs p in memory with default options. It is Run in the form that beam.RegisterRunner takes.
func Execute(ctx context.Context, p *beam.Pipeline) (beam.PipelineResult, error) {
	r, err := Run(ctx, p, Options{})
	if err != nil {
		return nil, err
	}
	return beamResult{r}, nil
}

// beamResult is a beam.PipelineResult. Its metrics are the committed counters.
type beamResult struct{ r Result }

func (b beamResult) JobID() string { return "" }

func (b beamResult) Metrics() metrics.Results {
	counters := make([]metrics.CounterResult, 0, len(b.r.Counters))
	for c, v := range b.r.Counters {
		key := metrics.StepKey{Step: c.Step, Namespace: c.Namespace, Name: c.Name}
		counters = append(counters, metrics.CounterResult{Committed: v, Key: key})
	}
	return *metrics.NewResults(counters, nil, nil, nil, nil)
}
