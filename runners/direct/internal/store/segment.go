package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// segmentSize is the length at which a segment file is closed and the next one begun. Only a record that is longer by
// itself makes a longer file.
const segmentSize = 64 << 20

const segmentSuffix = ".seg"

// segment is one append-only file of records. It is written by one store only: after a restart a new one is begun.
type segment struct {
	id   uint64
	path string
	file vfs.File
	size int64
	refs int // one for each extent that a view refers to, and one for being written; at 0 the file is removed
}

// segments are the files that large values lie in.
type segments struct {
	fs   vfs.FS
	dir  string
	size int64
	log  *slog.Logger

	// Used by the appending goroutine alone.
	active *segment
	dirty  bool
	next   uint64

	mu   sync.Mutex
	byID map[uint64]*segment
}

// append writes a value to the segment in use. It is durable after the next sync. The extent counts as referred to.
func (g *segments) append(val []byte) (extent, error) {
	e := extent{size: int64(len(val)), sum: crc32.Checksum(val, castagnoli)}
	if err := g.makeRoom(recordHeader + e.size); err != nil {
		return extent{}, err
	}
	s := g.active
	e.segment, e.off = s.id, s.size
	for _, part := range [][]byte{e.header(), val} {
		if _, err := s.file.Write(part); err != nil {
			return extent{}, fmt.Errorf("write %s at offset %d: %w", s.path, s.size, err)
		}
	}
	g.mu.Lock()
	s.size = e.end()
	s.refs++
	g.mu.Unlock()
	g.dirty = true
	return e, nil
}

// sync makes everything that was appended durable. It says whether there was anything.
func (g *segments) sync() (bool, error) {
	if !g.dirty {
		return false, nil
	}
	g.dirty = false
	if err := g.active.file.SyncData(); err != nil {
		return false, fmt.Errorf("sync %s: %w", g.active.path, err)
	}
	return true, nil
}

// makeRoom begins a new segment if none is in use or n bytes would make the one in use too long.
func (g *segments) makeRoom(n int64) error {
	if s := g.active; s != nil && (s.size == 0 || s.size+n <= g.size) {
		return nil
	}
	if err := g.seal(); err != nil {
		return err
	}
	s := &segment{id: g.next, path: g.path(g.next), refs: 1}
	f, err := g.fs.Create(s.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create segment: %w", err)
	}
	s.file = f
	g.mu.Lock()
	g.byID[s.id] = s
	g.mu.Unlock()
	g.active = s
	g.next++
	if err := f.Preallocate(0, g.size); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("reserve %d bytes for %s: %w", g.size, s.path, err)
	}
	return syncDir(g.fs, g.dir)
}

// seal ends the segment in use.
func (g *segments) seal() error {
	if g.active == nil {
		return nil
	}
	if _, err := g.sync(); err != nil {
		return err
	}
	g.release(g.active)
	g.active = nil
	return nil
}

func (g *segments) name(id uint64) string { return fmt.Sprintf("%012d%s", id, segmentSuffix) }

func (g *segments) path(id uint64) string { return g.fs.PathJoin(g.dir, g.name(id)) }

// release gives up one reference to a segment, and removes the file if it was the last. A file that cannot be removed is
// tried again when the store is opened the next time.
func (g *segments) release(s *segment) {
	g.mu.Lock()
	s.refs--
	last := s.refs == 0
	if last {
		delete(g.byID, s.id)
	}
	g.mu.Unlock()
	if !last {
		return
	}
	if err := errors.Join(s.file.Close(), g.fs.Remove(s.path)); err != nil {
		g.log.Warn("cannot remove a segment file that nothing refers to", "path", s.path, "error", err)
	}
}

// drop gives up the reference of a key to an extent.
func (g *segments) drop(e extent) { g.release(g.get(e.segment)) }

func (g *segments) get(id uint64) *segment {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.byID[id]
}

// read returns the value at e, to which a view refers.
func (g *segments) read(e extent) ([]byte, error) {
	record := make([]byte, recordHeader+e.size)
	n, err := g.get(e.segment).file.ReadAt(record, e.off)
	if n == len(record) {
		return e.verify(record)
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the file ends %d bytes before the value does: %w", len(record)-n, ErrDamaged)
	}
	return nil, err
}

func (g *segments) stats() (n int, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.byID {
		bytes += s.size
	}
	return len(g.byID), bytes
}

// close closes the files and leaves them where they are.
func (g *segments) close() error {
	_, err := g.sync()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.byID {
		err = errors.Join(err, s.file.Close())
	}
	return err
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
