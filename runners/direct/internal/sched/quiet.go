package sched

// Quiet reports whether nothing is queued, in flight, not yet durable or due, except sources that wait for their next turn
// or are asked and have nothing new: a source's bundle counts from its first output on, or once it is known to have moved
// its watermark. It may be called from within a bundle.
func (e *Engine) Quiet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.unsettled > 0 || e.backlog > 0 || e.coming > 0 {
		return false
	}
	now := e.now()
	for _, s := range e.timed {
		if s.ready.len() > 0 {
			return false
		}
		if now < e.wake {
			continue
		}
		for _, l := range s.lanes {
			if l != nil && l.timers.NextProcessing() <= now {
				return false
			}
		}
	}
	return true
}

// unsettle makes Quiet wait for w.
func (e *Engine) unsettle(w *work) {
	if !w.loud {
		w.loud = true
		e.unsettled++
	}
}

// emits is unsettle without the lock held.
func (e *Engine) emits(w *work) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unsettle(w)
}

// settled ends the flight of w.
func (e *Engine) settled(w *work) {
	e.inflight--
	if w.loud {
		w.loud = false
		e.unsettled--
	}
}
