// Package store keeps the state of a job: ordered keys with values, changed by atomic batches that become durable in order.
//
// There are two stores: one in memory, and one on disk that keeps keys and small values in Pebble and large values in
// append-only segment files. Both behave alike, except that the one in memory forgets everything when it is closed.
//
// A reader sees whole batches only, and only durable ones.
package store

import "errors"

// ErrClosed is returned by every call on a store that has been closed.
var ErrClosed = errors.New("store: closed")

// Store is an ordered map from byte strings to byte strings. Its methods may be called from any goroutine.
type Store interface {
	// Get returns the value of key and whether the key is there. The caller may keep the value but not change it.
	Get(key []byte) ([]byte, bool, error)
	// Scan calls fn for every key with the prefix, in key order, as of one moment; an error of fn ends it and is returned.
	// Key and value are valid until fn returns. fn may call the store.
	Scan(prefix []byte, fn func(key []byte, v Value) error) error
	// Commit hands over a batch and returns at once. Batches become durable and visible in the order of the calls.
	// The batch must not be used afterwards.
	Commit(b *Batch) *Pending
	// Stats returns counts since the store was opened, and sizes now.
	Stats() Stats
	// Close waits for reads and commits under way and releases the store. Every other call returns ErrClosed from then on.
	// It must not be called from within Scan.
	Close() error
}

// Value is a value that Scan meets: its length without the cost of reading it.
type Value struct {
	size int
	load func() ([]byte, error)
}

// Len returns the length in bytes.
func (v Value) Len() int { return v.size }

// Load reads the value. The caller may keep the bytes but not change them.
func (v Value) Load() ([]byte, error) { return v.load() }

// Stats describes a store. Sizes are bytes.
type Stats struct {
	Bytes    int64 // on disk, garbage included; in memory: keys and values
	Segments int   // segment files
	Syncs    int64 // calls that forced data to disk: one for each group of batches, and one more if it held large values
	Commits  int64 // batches that became durable
}
