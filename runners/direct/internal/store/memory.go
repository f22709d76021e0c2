package store

import "sync"

// memory is a Store without a disk: the newest snapshot of an immutable map.
type memory struct {
	mu      sync.RWMutex
	root    *node[[]byte]
	bytes   int64
	commits int64
	closed  bool
}

// NewMemory returns an empty store in memory. A commit is done when Commit returns.
func NewMemory() Store { return &memory{} }

func (m *memory) Get(key []byte) ([]byte, bool, error) {
	root, err := m.snapshot()
	if err != nil {
		return nil, false, err
	}
	v, ok := root.get(key)
	return v, ok, nil
}

func (m *memory) Scan(prefix []byte, fn func(key []byte, v Value) error) error {
	root, err := m.snapshot()
	if err != nil {
		return err
	}
	return root.ascend(prefix, func(key, val []byte) error {
		return fn(key, Value{size: len(val), load: func() ([]byte, error) { return val, nil }})
	})
}

func (m *memory) Commit(b *Batch) *Pending {
	p := newPending()
	p.resolve(m.apply(b))
	return p
}

func (m *memory) apply(b *Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for _, o := range b.ops {
		switch o.kind {
		case opSet:
			m.forget(o.key)
			m.root = m.root.set(o.key, o.val)
			m.bytes += int64(len(o.key) + len(o.val))
		case opDelete:
			if m.forget(o.key) {
				m.root = m.root.remove(o.key)
			}
		case opDeletePrefix:
			kept, removed := m.root.cut(o.key)
			_ = removed.ascend(nil, func(key, val []byte) error {
				m.bytes -= int64(len(key) + len(val))
				return nil
			})
			m.root = kept
		}
	}
	m.commits++
	return nil
}

// forget takes the size of key, if it is there, out of the account.
func (m *memory) forget(key []byte) bool {
	old, ok := m.root.get(key)
	if ok {
		m.bytes -= int64(len(key) + len(old))
	}
	return ok
}

func (m *memory) Stats() Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Stats{Bytes: m.bytes, Commits: m.commits}
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.root, m.bytes, m.closed = nil, 0, true
	return nil
}

func (m *memory) snapshot() (*node[[]byte], error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	return m.root, nil
}
