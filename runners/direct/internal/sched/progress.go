package sched

import (
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// StageProgress is where a stage stands.
type StageProgress struct {
	Step          string
	Kind          graph.Kind
	Queued        int64 // elements; restrictions for a source
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
			Step: s.Name, Kind: s.Kind, Queued: s.elements, QueuedBytes: s.bytes, Taken: s.taken, Bundles: s.bundles,
			Input: s.mark.Input(), Output: s.mark.Output(),
		})
	}
	return out
}
