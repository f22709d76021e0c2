package sched

import (
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// StageProgress is where a stage stands.
type StageProgress struct {
	Step          string
	Kind          graph.Kind
	Queued        int64 // elements; restrictions for a source
	Unmet         int64 // restrictions of an earlier run that this one has not worked on yet
	QueuedBytes   int64
	Taken         int64 // elements taken since the start of the run, retries included
	Bundles       int64
	Input, Output int64 // watermarks, ms
}

// Progress returns where the stages stand, producers before consumers.
func (e *Engine) Progress() []StageProgress {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]StageProgress, 0, len(e.stages))
	for _, s := range e.stages {
		out = append(out, StageProgress{
			Step: s.Name, Kind: s.Kind, Queued: s.elements, Unmet: s.unmet, QueuedBytes: s.bytes, Taken: s.taken, Bundles: s.bundles,
			Input: s.mark.Input(), Output: s.mark.Output(),
		})
	}
	return out
}

// met notes that the run has worked on a restriction.
func (e *Engine) met(w *work) {
	if w.lane.st.Kind != graph.Source || !w.items[0].unmet {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if it := w.lane.items.at(0); it.unmet {
		it.unmet = false
		w.lane.st.unmet--
	}
}
