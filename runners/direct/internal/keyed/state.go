// Package keyed holds what a stage keeps per key: the cells of value and bag states, and timers.
//
// A key group has one State and one Timers. One bundle at a time uses them, and the next one only after the commit of
// the last, so neither needs a lock and what they cache is what the store has.
package keyed

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

// cacheBytes bounds what the cells of a key group keep in memory between bundles.
const cacheBytes = 64 << 10

// State is the state of the keys of one key group: what the store has, under what the running bundle wrote.
type State struct {
	db     store.Store
	prefix []byte
	kinds  map[string]graph.StateKind

	cells map[string]cell
	dirty []cell
	size  int
	name  []byte
}

// cell is a fnio.Cell with the store below it.
type cell interface {
	fnio.Cell
	flush(b *store.Batch, seq uint64)
	part(i int) ([]byte, bool, error)
}

// NewState returns the state whose cells lie under prefix in db. kinds lists the stage's states.
func NewState(db store.Store, prefix []byte, kinds map[string]graph.StateKind) *State {
	return &State{db: db, prefix: prefix, kinds: kinds, cells: map[string]cell{}}
}

// Cell implements fnio.State.
func (s *State) Cell(id string, key []byte) (fnio.Cell, error) {
	s.name = binary.AppendUvarint(s.name[:0], uint64(len(id)))
	s.name = append(s.name, id...)
	s.name = binary.AppendUvarint(s.name, uint64(len(key)))
	s.name = append(s.name, key...)
	if c, ok := s.cells[string(s.name)]; ok {
		return c, nil
	}
	kind, ok := s.kinds[id]
	if !ok {
		return nil, fmt.Errorf("state %q is not declared", id)
	}
	full := append(append(make([]byte, 0, len(s.prefix)+len(s.name)), s.prefix...), s.name...)
	var c cell
	if kind == graph.Value {
		c = &value{s: s, key: full}
	} else {
		c = &bag{s: s, prefix: full}
	}
	s.cells[string(s.name)] = c
	s.size += 2*len(full) + 128
	return c, nil
}

// Flush writes what the bundle changed to b and makes it the base of the next bundle. seq grows from bundle to bundle.
func (s *State) Flush(b *store.Batch, seq uint64) {
	for _, c := range s.dirty {
		c.flush(b, seq)
	}
	s.dirty = s.dirty[:0]
	if s.size > cacheBytes {
		s.Reset()
	}
}

// Reset forgets what the bundle wrote, and the cache.
func (s *State) Reset() {
	clear(s.cells)
	clear(s.dirty)
	s.dirty, s.size = s.dirty[:0], 0
}

// reader reads the parts of a cell in order. Until it has found a byte it looks anew at every Read: the SDK keeps the
// reader of an empty value state and asks it again after a write.
type reader struct {
	c     cell
	buf   []byte
	next  int
	found bool
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		b, ok, err := r.c.part(r.next)
		if err != nil {
			return 0, err
		}
		if !ok {
			if !r.found {
				r.next = 0
			}
			return 0, io.EOF
		}
		r.buf, r.found = b, r.found || len(b) > 0
		r.next++
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// Close implements io.Closer.
func (r *reader) Close() error { return nil }
