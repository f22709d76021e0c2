package runners

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct"
)

// Result is what a run came to. Counts are over all runs of the job, each bundle counted once.
type Result struct {
	// Job is the job's name, Dir its directory; Dir is empty in memory.
	Job string `json:"job"`
	Dir string `json:"dir,omitempty"`
	// State is finished or stopped.
	State string `json:"state"`
	// NothingNew says that the job had finished before, so that nothing was done.
	NothingNew bool `json:"nothingNew"`
	// Seconds is how long this run took.
	Seconds float64 `json:"seconds"`
	// Sources and Steps count source rows (weights) by step and counter: in, out, rejected, dropped, late, held.
	Steps map[string]map[string]int64 `json:"steps"`
	// Sinks say where the rows on the way to each sink have gone.
	Sinks []flow.Account `json:"sinks"`
}

func (r *running) result(ctx context.Context, res direct.Result, nothing bool) (Result, error) {
	out := Result{
		Job: r.name, Dir: r.dir, State: string(res.State), NothingNew: nothing,
		Seconds: time.Since(r.began).Seconds(), Steps: map[string]map[string]int64{},
	}
	counts := map[flow.StepCount]int64{}
	for c, v := range res.Counters {
		step, ok := flow.CounterName(c.Namespace)
		if !ok {
			continue
		}
		counts[flow.StepCount{Step: step, Name: c.Name}] += v
		if out.Steps[step] == nil {
			out.Steps[step] = map[string]int64{}
		}
		out.Steps[step][c.Name] += v
	}
	var err error
	if !nothing {
		out.Sinks, err = r.graph.Accounts(ctx, counts)
	}
	return out, err
}

// WriteSummary writes the result as JSON to a file, whole or not at all.
func (r Result) WriteSummary(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
