package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options tune a store on disk. The zero value works.
type Options struct {
	// Log receives what the store notices but can live with. Default: slog.Default.
	Log *slog.Logger

	fs          vfs.FS // default: the operating system's
	segmentSize int64
}

// disk is the store in a directory:
//
//	kv/                        Pebble: key -> value, or key -> segment, offset, length and checksum of the value
//	segments/000000000001.seg  values above 64 KiB, appended and never changed; removed when no key refers to the file
type disk struct {
	db    *pebble.DB
	segs  *segments
	queue *committer
	guard *guard

	// index has the keys that refer to segments. Used by the writing goroutine alone.
	index *node[extent]

	mu      sync.Mutex
	view    *view // the newest
	closed  bool
	readers sync.WaitGroup

	syncs   atomic.Int64
	commits atomic.Int64
}

// OpenPebble opens the store in dir and creates it if it is not there. Only one process may have it open.
//
// It fails with ErrDamaged if a file is missing, cut off or changed where that shows without reading every value; damage
// inside a value shows when the value is read. One thing cannot show: if the end of the log is damaged after a crash, the
// last commits before the crash are missing. Nothing else is.
func OpenPebble(dir string, o Options) (Store, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.segmentSize == 0 {
		o.segmentSize = segmentSize
	}
	s := &disk{queue: newCommitter()}
	s.guard = &guard{FS: o.fs, fail: s.queue.fail, parked: make(chan struct{}), log: o.Log}
	kv := o.fs.PathJoin(dir, "kv")
	db, err := pebble.Open(kv, pebbleOptions(s.guard))
	if err != nil {
		return nil, fmt.Errorf("open state in %s: %w", kv, damaged(err))
	}
	s.db = db
	s.segs = &segments{fs: o.fs, dir: o.fs.PathJoin(dir, "segments"), size: o.segmentSize, log: o.Log, byID: map[uint64]*segment{}}
	if err := s.recover(dir); err != nil {
		return nil, errors.Join(err, s.segs.close(), db.Close())
	}
	s.view = &view{snap: db.NewSnapshot(), refs: 1}
	s.guard.armed.Store(true)
	s.queue.start(s.appendGroup, s.writeGroup)
	return s, nil
}

func pebbleOptions(g *guard) *pebble.Options {
	return &pebble.Options{
		FS:                 g,
		Logger:             g,
		FormatMajorVersion: pebble.FormatValueSeparation, // has synced offsets in the log, so that damage inside it shows
		MemTableSize:       32 << 20,
		EventListener: &pebble.EventListener{
			// The read that found it returns the error.
			DataCorruption: func(pebble.DataCorruptionInfo) {},
		},
	}
}

// damaged marks errors of Pebble about files that are not as they were written.
func damaged(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}
func (s *disk) Commit(b *Batch) *Pending { return s.queue.put(b) }

func (s *disk) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Syncs: s.syncs.Load(), Commits: s.commits.Load()}
	if !s.closed {
		var bytes int64
		st.Segments, bytes = s.segs.stats()
		st.Bytes = bytes + int64(s.db.Metrics().DiskSpaceUsage())
	}
	return st
}

func (s *disk) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	s.queue.close()
	select {
	case <-s.queue.stopped:
	case <-s.guard.parked: // Pebble stands still in the middle of something and cannot be closed
		return s.queue.broken()
	}
	s.readers.Wait()
	err := s.queue.broken()
	if err == nil {
		if err = s.flush(); s.queue.broken() != nil {
			return s.queue.broken()
		}
	}
	s.guard.armed.Store(false)
	s.release(s.view)
	return errors.Join(err, s.db.Close(), s.segs.close())
}

// flush moves what only Pebble's log has to tables. A damage at the end of a log cannot be told from its end, one of a table
// can.
func (s *disk) flush() error {
	flushed := make(chan error, 1)
	go func() { flushed <- s.db.Flush() }()
	select {
	case err := <-flushed:
		return err
	case <-s.guard.parked:
		return nil
	}
}
