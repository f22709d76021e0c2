package keyed

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

// value is a state of one value: one key of the store.
type value struct {
	s      *State
	key    []byte
	cur    []byte
	loaded bool // cur is the value; empty means there is none
	dirty  bool
}

func (c *value) load() error {
	if c.loaded {
		return nil
	}
	v, _, err := c.s.db.Get(c.key)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	c.cur, c.loaded = v, true
	c.s.size += len(v)
	return nil
}

func (c *value) touch() {
	if !c.dirty {
		c.dirty = true
		c.s.dirty = append(c.s.dirty, c)
	}
}

// Write appends b. Readers that are open keep what they have: bytes that were read are never overwritten.
func (c *value) Write(b []byte) (int, error) {
	if err := c.load(); err != nil {
		return 0, err
	}
	if !c.dirty {
		c.cur = slices.Clip(c.cur) // the store may have it
		c.touch()
	}
	c.cur = append(c.cur, b...)
	c.s.size += len(b)
	return len(b), nil
}

// Clear removes the value.
func (c *value) Clear() error {
	c.touch()
	c.s.size -= len(c.cur)
	c.cur, c.loaded = nil, true
	return nil
}

// Open returns a reader of the value.
func (c *value) Open() io.ReadCloser { return &reader{c: c} }

func (c *value) part(i int) ([]byte, bool, error) {
	if i > 0 {
		return nil, false, nil
	}
	err := c.load()
	return c.cur, err == nil && len(c.cur) > 0, err
}

func (c *value) flush(b *store.Batch, _ uint64) {
	c.dirty = false
	if len(c.cur) == 0 {
		b.Delete(c.key)
		return
	}
	b.Set(c.key, c.cur)
}

// bag is a state that grows: one key of the store per bundle that appended to it, in order.
type bag struct {
	s      *State
	prefix []byte
	chunks []uint64 // sequence numbers of the stored chunks
	dead   []uint64 // chunks that the bundle cleared
	added  []byte   // what the bundle appended
	loaded bool
	dirty  bool
}

func (c *bag) load() error {
	if c.loaded {
		return nil
	}
	err := c.s.db.Scan(c.prefix, func(key []byte, _ store.Value) error {
		if len(key) != len(c.prefix)+8 {
			return fmt.Errorf("key %x is not a chunk of a bag", key)
		}
		c.chunks = append(c.chunks, binary.BigEndian.Uint64(key[len(c.prefix):]))
		return nil
	})
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	c.loaded = true
	c.s.size += 8 * len(c.chunks)
	return nil
}

func (c *bag) touch() {
	if !c.dirty {
		c.dirty = true
		c.s.dirty = append(c.s.dirty, c)
	}
}

// Write appends b without looking at what is there.
func (c *bag) Write(b []byte) (int, error) {
	c.touch()
	c.added = append(c.added, b...)
	return len(b), nil
}

// Clear removes everything.
func (c *bag) Clear() error {
	if err := c.load(); err != nil {
		return err
	}
	c.touch()
	c.dead = append(c.dead, c.chunks...)
	c.chunks, c.added = nil, nil
	return nil
}

// Open returns a reader of the bag as it is now.
func (c *bag) Open() io.ReadCloser { return &reader{c: c} }

func (c *bag) chunk(seq uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Clone(c.prefix), seq)
}

func (c *bag) part(i int) ([]byte, bool, error) {
	if err := c.load(); err != nil {
		return nil, false, err
	}
	if i == len(c.chunks) {
		return c.added, len(c.added) > 0, nil
	}
	if i > len(c.chunks) {
		return nil, false, nil
	}
	v, ok, err := c.s.db.Get(c.chunk(c.chunks[i]))
	if err == nil && !ok {
		err = fmt.Errorf("chunk %d of bag %x is missing", c.chunks[i], c.prefix)
	}
	return v, err == nil, err
}

func (c *bag) flush(b *store.Batch, seq uint64) {
	for _, d := range c.dead {
		b.Delete(c.chunk(d))
	}
	if len(c.added) > 0 {
		b.Set(c.chunk(seq), c.added)
		if c.loaded {
			c.chunks = append(c.chunks, seq)
			c.s.size += 8
		}
	}
	c.dead, c.added, c.dirty = nil, nil, false
}
