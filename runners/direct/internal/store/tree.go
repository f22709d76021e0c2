package store

import (
	"bytes"

	"github.com/zeebo/xxh3"
)

// node is an immutable ordered map from byte strings to V, as the root of a treap: a search tree by key and a heap by
// priority, where the priority is the hash of the key, so that the shape depends on the keys alone. Nil is the empty map.
// A change copies the path from the root, hence whoever holds a root holds a snapshot.
type node[V any] struct {
	key         []byte
	val         V
	pri         uint64
	left, right *node[V]
}

func (n *node[V]) get(key []byte) (V, bool) {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c == 0:
			return n.val, true
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	var zero V
	return zero, false
}

func (n *node[V]) set(key []byte, val V) *node[V] {
	return n.insert(&node[V]{key: key, val: val, pri: xxh3.Hash(key)})
}

func (n *node[V]) insert(x *node[V]) *node[V] {
	if n == nil {
		return x
	}
	c := bytes.Compare(x.key, n.key)
	if c != 0 && x.pri > n.pri { // then x.key is not below n either: equal keys have equal priorities
		x.left, x.right = n.split(x.key)
		return x
	}
	m := *n
	switch {
	case c == 0:
		m.val = x.val
	case c < 0:
		m.left = n.left.insert(x)
	default:
		m.right = n.right.insert(x)
	}
	return &m
}

func (n *node[V]) remove(key []byte) *node[V] {
	if n == nil {
		return nil
	}
	c := bytes.Compare(key, n.key)
	if c == 0 {
		return merge(n.left, n.right)
	}
	m := *n
	if c < 0 {
		m.left = n.left.remove(key)
	} else {
		m.right = n.right.remove(key)
	}
	return &m
}

// cut returns the map without the keys that start with prefix, and the map of those alone.
func (n *node[V]) cut(prefix []byte) (kept, removed *node[V]) {
	less, rest := n.split(prefix)
	end := prefixEnd(prefix)
	if end == nil {
		return less, rest
	}
	removed, more := rest.split(end)
	return merge(less, more), removed
}

// ascend calls fn for the keys that start with prefix, in order, until fn returns an error, which it returns.
func (n *node[V]) ascend(prefix []byte, fn func(key []byte, val V) error) error {
	if n == nil {
		return nil
	}
	in := bytes.HasPrefix(n.key, prefix)
	before := !in && bytes.Compare(n.key, prefix) < 0
	if !before {
		if err := n.left.ascend(prefix, fn); err != nil {
			return err
		}
	}
	if in {
		if err := fn(n.key, n.val); err != nil {
			return err
		}
	}
	if in || before {
		return n.right.ascend(prefix, fn)
	}
	return nil
}

// split returns the keys below key and the rest.
func (n *node[V]) split(key []byte) (less, rest *node[V]) {
	if n == nil {
		return nil, nil
	}
	m := *n
	if bytes.Compare(n.key, key) < 0 {
		m.right, rest = n.right.split(key)
		return &m, rest
	}
	less, m.left = n.left.split(key)
	return less, &m
}

// merge joins two maps of which every key of a is below every key of b.
func merge[V any](a, b *node[V]) *node[V] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.pri > b.pri:
		m := *a
		m.right = merge(a.right, b)
		return &m
	default:
		m := *b
		m.left = merge(a, b.left)
		return &m
	}
}

// prefixEnd returns the first key after all keys that start with prefix, nil if there is none.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
