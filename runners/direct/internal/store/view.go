package store

import "github.com/cockroachdb/pebble/v2"

// view is what was durable as of one commit. Readers hold views, because Pebble itself shows a batch before it is durable.
//
// A segment file must outlive every view that leads to it. So the references that a commit drops are kept by the view that
// it replaces, and a view is let go only after all older ones: each holds its successor.
type view struct {
	snap    *pebble.Snapshot
	refs    int // readers, the store while it is the newest, and the view before it
	next    *view
	dropped []extent // referred to here and not in next
}

// acquire returns the newest view for a reader.
func (s *disk) acquire() (*view, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	s.view.refs++
	s.readers.Add(1)
	return s.view, nil
}

// giveBack ends a reader's use of a view.
func (s *disk) giveBack(v *view) {
	s.release(v)
	s.readers.Done()
}

// publish makes all that has become durable visible.
func (s *disk) publish(dropped []extent) {
	next := &view{snap: s.db.NewSnapshot(), refs: 2}
	s.mu.Lock()
	old := s.view
	old.next, old.dropped = next, dropped
	s.view = next
	s.mu.Unlock()
	s.release(old)
}

// release gives up one reference to a view, and lets go of it and of those that only it held.
func (s *disk) release(v *view) {
	var gone []*view
	s.mu.Lock()
	for v != nil {
		if v.refs--; v.refs > 0 {
			break
		}
		gone = append(gone, v)
		v = v.next
	}
	s.mu.Unlock()
	for _, v := range gone {
		if err := v.snap.Close(); err != nil {
			s.guard.log.Warn("cannot close a snapshot of the state", "error", err)
		}
		for _, e := range v.dropped {
			s.segs.drop(e)
		}
	}
}
