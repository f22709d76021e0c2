package runners

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct"
)

// until ends a run that is to end by itself: until now, when every source has been read to the end that it had when the
// run began; until idle, when every source has been at its end for that long.
func (r *running) until() {
	stages := map[string]direct.Step{}
	begun := false
	for _, s := range r.engine.Progress() {
		begun = true
		stages[s.Name] = s
	}
	for _, s := range stages {
		begun = begun && (s.Kind != "impulse" || s.Queued == 0)
	}
	if !begun {
		return
	}
	unmet := func(step string) (listing bool, parts int64) {
		list, read := flow.SourceStages(step)
		return stages[list].Queued > 0, stages[read].Unmet
	}
	if r.control.AllReached(unmet) {
		r.control.Stop()
	}
	if r.control.AllIdle(unmet) {
		r.control.CloseAll()
	}
}
