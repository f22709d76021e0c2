package flow

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
)

// logged is the stored form of a keyed step's state: a head that is replaced and a log that grows.
//
//	head (value state): 16 bytes nonce | uvarint log entries | uvarint log bytes | uvarint n, n x fixed64 timers | header
//	log  (bag state):   entries, replaced as a whole by a rewrite
//
// The nonce is random and redrawn at every write. It ties an index in memory to exactly the state that was committed: a
// counter would allow two different states under one number after a restore.
type logged struct {
	Head state.Value[[]byte]
	Log  state.Bag[[]byte]
}

type head struct {
	nonce   [16]byte
	entries uint64
	bytes   uint64
	timers  []int64
	header  []byte
}

func (h *head) encode() []byte {
	b := append([]byte{}, h.nonce[:]...)
	b = binary.AppendUvarint(b, h.entries)
	b = binary.AppendUvarint(b, h.bytes)
	b = binary.AppendUvarint(b, uint64(len(h.timers)))
	for _, t := range h.timers {
		b = binary.LittleEndian.AppendUint64(b, uint64(t))
	}
	return append(b, h.header...)
}

var errDamaged = errors.New("stored state is damaged")

func decodeHead(b []byte) (h head, err error) {
	if len(b) < len(h.nonce) {
		return h, errDamaged
	}
	b = b[copy(h.nonce[:], b):]
	var n uint64
	for _, v := range []*uint64{&h.entries, &h.bytes, &n} {
		x, k := binary.Uvarint(b)
		if k <= 0 {
			return h, errDamaged
		}
		*v, b = x, b[k:]
	}
	if n > uint64(len(b))/8 {
		return h, errDamaged
	}
	for ; n > 0; n-- {
		h.timers = append(h.timers, int64(binary.LittleEndian.Uint64(b)))
		b = b[8:]
	}
	h.header = b
	return h, nil
}

func (h *head) redraw() {
	_, _ = rand.Read(h.nonce[:]) // never fails
}

// load reads the head; ok is false for a key without state.
func (l *logged) load(sp state.Provider) (h head, ok bool, err error) {
	raw, ok, err := l.Head.Read(sp)
	if err != nil || !ok {
		return head{}, false, err
	}
	h, err = decodeHead(raw)
	return h, true, err
}

// change is what one call does to the stored state.
type change struct {
	head    *head
	append  [][]byte
	rewrite bool
}

// store writes the head under a new nonce, and the log's change.
func (l *logged) store(sp state.Provider, c change) error {
	if c.rewrite {
		if err := l.Log.Clear(sp); err != nil {
			return err
		}
		c.head.entries, c.head.bytes = 0, 0
	}
	for _, e := range c.append {
		if err := l.Log.Add(sp, e); err != nil {
			return err
		}
		c.head.entries++
		c.head.bytes += uint64(len(e))
	}
	c.head.redraw()
	return l.Head.Write(sp, c.head.encode())
}

// entries reads the whole log and checks it against the head.
func (l *logged) entries(sp state.Provider, h head) ([][]byte, error) {
	log, _, err := l.Log.Read(sp)
	if err != nil {
		return nil, err
	}
	if uint64(len(log)) != h.entries {
		return nil, fmt.Errorf("%w: the log has %d entries, its head says %d", errDamaged, len(log), h.entries)
	}
	return log, nil
}

// indexes keeps the decoded state of keyed steps between bundles. A bundle takes an index out and owns it alone; it comes
// back at the end of the bundle under the nonce that the bundle wrote. If that bundle is not committed, the stored
// nonce differs and the index is thrown away and rebuilt from the log.
type indexes[T any] struct {
	mu sync.Mutex
	m  map[string]indexed[T]
}

type indexed[T any] struct {
	nonce [16]byte
	index T
}

func (x *indexes[T]) take(key string, nonce [16]byte) (T, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e, ok := x.m[key]
	delete(x.m, key)
	if !ok || e.nonce != nonce {
		var zero T
		return zero, false
	}
	return e.index, true
}

func (x *indexes[T]) put(key string, e indexed[T]) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.m == nil {
		x.m = map[string]indexed[T]{}
	}
	x.m[key] = e
}
