package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// recover finds out which segment files are referred to, opens those and removes the others: what a crash left behind its
// last commit, and what became garbage just before it.
func (s *disk) recover(dir string) error {
	files := s.guard.FS
	if err := files.MkdirAll(s.segs.dir, 0o700); err != nil {
		return fmt.Errorf("create directory of segments: %w", err)
	}
	if err := syncDir(files, dir); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	names, err := files.List(s.segs.dir)
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	onDisk := map[uint64]bool{}
	for _, name := range names {
		id, err := strconv.ParseUint(strings.TrimSuffix(name, segmentSuffix), 10, 64)
		if err != nil || s.segs.name(id) != name {
			return fmt.Errorf("%s has a file %q that is no segment; move it elsewhere", s.segs.dir, name)
		}
		onDisk[id] = true
		s.segs.next = max(s.segs.next, id+1)
	}
	if err := s.load(); err != nil {
		return err
	}
	for id := range onDisk {
		if s.segs.byID[id] != nil {
			continue
		}
		if err := files.Remove(s.segs.path(id)); err != nil {
			return fmt.Errorf("remove segment that nothing refers to: %w", err)
		}
	}
	return nil
}

// load reads all keys into the index and opens the segments that they refer to.
func (s *disk) load() error {
	it, err := s.db.NewIter(bounds(nil))
	if err != nil {
		return fmt.Errorf("read all keys: %w", damaged(err))
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if err = s.loadKey(it); err != nil {
			err = fmt.Errorf("key %s: %w", quote(it.Key()[1:]), err)
		}
	}
	if readErr := it.Error(); readErr != nil {
		err = errors.Join(err, fmt.Errorf("read all keys: %w", damaged(readErr)))
	}
	return errors.Join(err, it.Close())
}

func (s *disk) loadKey(it *pebble.Iterator) error {
	raw, err := it.ValueAndErr()
	if err != nil {
		return damaged(err)
	}
	_, e, isExtent, err := decodeValue(raw)
	if err != nil || !isExtent {
		return err
	}
	if err := s.segs.refer(e); err != nil {
		return fmt.Errorf("its value of %d bytes lies in %s at offset %d: %w", e.size, s.segs.path(e.segment), e.off, err)
	}
	s.index = s.index.set(append([]byte(nil), it.Key()[1:]...), e)
	return nil
}

// refer counts a reference of a key that was there before the store was opened, and opens the segment if it is the first.
func (g *segments) refer(e extent) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.byID[e.segment]
	if s == nil {
		var err error
		if s, err = g.open(e.segment); err != nil {
			return err
		}
		g.byID[s.id] = s
	}
	if e.end() > s.size {
		return fmt.Errorf("the file has only %d bytes: %w", s.size, ErrDamaged)
	}
	s.refs++
	return nil
}

func (g *segments) open(id uint64) (*segment, error) {
	f, err := g.fs.Open(g.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the file is missing: %w", ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &segment{id: id, path: g.path(id), file: f, size: info.Size()}, nil
}
