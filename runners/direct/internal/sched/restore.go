package sched

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/keyed"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
	"github.com/millrace-io/millrace/runners/direct/internal/wm"
)

// ErrIncompatible says that the stored state belongs to another graph.
var ErrIncompatible = errors.New("the pipeline's graph is not the one that the job's state was made by")

// restore builds queues, timers, counters and watermarks from the store, or begins a new job in an empty one.
func (e *Engine) restore() error {
	have, ok, err := e.cfg.Store.Get([]byte{kindMeta, metaFingerprint})
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if !ok {
		if err := e.begin(); err != nil {
			return err
		}
	} else if string(have) != e.cfg.Fingerprint {
		return fmt.Errorf("%w (fingerprint %.12s, not %.12s): reset the job or run the program that began it",
			ErrIncompatible, e.cfg.Fingerprint, have)
	}
	return e.load()
}

// begin writes what a new job starts from: one element for every impulse.
func (e *Engine) begin() error {
	var b store.Batch
	b.Set([]byte{kindMeta, metaFingerprint}, []byte(e.cfg.Fingerprint))
	for _, s := range e.stages {
		if s.Kind == graph.Impulse {
			it := item{n: 1, ts: int64(mtime.MinTimestamp)}
			b.Set(itemKey(s.ID, 0, &it), fnio.ImpulseElement())
		}
	}
	if err := e.cfg.Store.Commit(&b).Wait(); err != nil {
		return fmt.Errorf("begin job: %w", err)
	}
	return nil
}

func (e *Engine) load() error {
	if v, ok, err := e.cfg.Store.Get([]byte{kindMeta, metaSeq}); err != nil {
		return fmt.Errorf("restore: %w", err)
	} else if ok && len(v) == 8 {
		e.seq = binary.BigEndian.Uint64(v)
	}
	byID := map[uint64]*stage{}
	for _, s := range e.stages {
		byID[s.ID] = s
	}
	var lanes []*lane
	scans := []struct {
		kind byte
		f    func(s *stage, k stageEntry) error
	}{
		{kindQueue, func(s *stage, k stageEntry) error {
			l, err := e.restoreItem(s, k)
			lanes = append(lanes, l)
			return err
		}},
		{kindTimer, func(s *stage, k stageEntry) error {
			l := s.lane(k.group)
			lanes = append(lanes, l)
			return restoreTimer(l, k)
		}},
		{kindMark, e.restoreMark},
	}
	for _, sc := range scans {
		err := e.cfg.Store.Scan([]byte{sc.kind}, func(key []byte, v store.Value) error {
			id, group, rest, err := parseStageKey(key)
			if err != nil {
				return err
			}
			s := byID[id]
			if s == nil || (s.lanes != nil && int(group) >= len(s.lanes)) {
				return fmt.Errorf("key %x belongs to no stage", key)
			}
			return sc.f(s, stageEntry{group, rest, v})
		})
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	if err := e.cfg.Store.Scan([]byte{kindCounter}, e.restoreCounter); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	e.marks.Advance()
	for _, l := range lanes {
		e.offer(l)
		if l.timers != nil {
			e.wakeAt(l.timers.NextProcessing())
		}
	}
	return nil
}

// stageEntry is an entry of the store that belongs to a stage.
type stageEntry struct {
	group uint16
	rest  []byte // of the key
	v     store.Value
}

// restoreItem puts a stored item into its queue.
func (e *Engine) restoreItem(s *stage, k stageEntry) (*lane, error) {
	it, err := parseItem(k.rest)
	it.size = k.v.Len()
	if s.Kind == graph.Source {
		it.unmet = true
		s.unmet++
	}
	e.mark(s, &it)
	return s.enqueue(k.group, it), err
}

func restoreTimer(l *lane, k stageEntry) error {
	rec, err := k.v.Load()
	if err != nil {
		return err
	}
	family, err := keyed.ParseID(k.rest)
	if err != nil {
		return err
	}
	t, err := fnio.ParseTimer(family, append([]byte(nil), rec...), l.st.Key)
	if err != nil {
		return fmt.Errorf("timer of step %q: %w", l.st.Name, err)
	}
	l.timers.Set(t, l.st)
	return nil
}

func (e *Engine) restoreMark(s *stage, k stageEntry) error {
	v, err := k.v.Load()
	if err != nil {
		return err
	}
	if len(v) != 16 {
		return fmt.Errorf("watermark of step %q has %d bytes", s.Name, len(v))
	}
	s.stored = wm.Value{Input: int64(binary.BigEndian.Uint64(v)), Output: int64(binary.BigEndian.Uint64(v[8:]))}
	return e.marks.Restore(map[string]wm.Value{s.Name: s.stored})
}

func (e *Engine) restoreCounter(key []byte, v store.Value) error {
	c, err := parseCounter(key)
	if err != nil {
		return err
	}
	b, err := v.Load()
	if err != nil {
		return err
	}
	if len(b) != 8 {
		return fmt.Errorf("counter %q has %d bytes", key, len(b))
	}
	e.counters[c] = int64(binary.BigEndian.Uint64(b))
	return nil
}
