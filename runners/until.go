package runners

import "github.com/millrace-io/millrace/flow"

// untilNow stops a run until now when every source has been read to the end that it had when the run began.
func (r *running) untilNow() {
	open := map[string]int64{}
	steps := r.engine.Progress()
	for _, s := range steps {
		open[s.Name] = s.Queued
	}
	if len(steps) > 0 && r.control.AllReached(func(step string) int64 { return open[flow.ReadStage(step)] }) {
		r.control.Stop()
	}
}
