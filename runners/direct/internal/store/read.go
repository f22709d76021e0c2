package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

func (s *disk) Get(key []byte) ([]byte, bool, error) {
	v, err := s.acquire()
	if err != nil {
		return nil, false, err
	}
	defer s.giveBack(v)
	raw, closer, err := v.snap.Get(storedKey(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read key %s: %w", quote(key), damaged(err))
	}
	value, err := s.value(key, raw)
	if err != nil {
		return nil, false, errors.Join(err, closer.Close())
	}
	val, err := value.Load()
	if err = errors.Join(err, closer.Close()); err != nil {
		return nil, false, err
	}
	return val, true, nil
}

func (s *disk) Scan(prefix []byte, fn func(key []byte, v Value) error) error {
	v, err := s.acquire()
	if err != nil {
		return err
	}
	defer s.giveBack(v)
	it, err := v.snap.NewIter(bounds(prefix))
	if err != nil {
		return fmt.Errorf("read keys with prefix %s: %w", quote(prefix), damaged(err))
	}
	return errors.Join(s.each(it, fn), it.Close())
}

func (s *disk) each(it *pebble.Iterator, fn func(key []byte, v Value) error) error {
	var last []byte
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()[1:]
		last = append(last[:0], key...)
		raw, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("read key %s: %w", quote(key), damaged(err))
		}
		v, err := s.value(key, raw)
		if err != nil {
			return err
		}
		if err := fn(key, v); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("read keys after %s: %w", quote(last), damaged(err))
	}
	return nil
}

// bounds limits an iterator to the keys with a prefix.
func bounds(prefix []byte) *pebble.IterOptions {
	first := storedKey(prefix)
	return &pebble.IterOptions{LowerBound: first, UpperBound: prefixEnd(first)}
}

// value returns what Pebble has as raw under key. It is valid while raw is, and the view that it comes from.
func (s *disk) value(key, raw []byte) (Value, error) {
	inline, e, isExtent, err := decodeValue(raw)
	if err != nil {
		return Value{}, fmt.Errorf("key %s: %w", quote(key), err)
	}
	if !isExtent {
		return Value{size: len(inline), load: func() ([]byte, error) { return slices.Clone(inline), nil }}, nil
	}
	load := func() ([]byte, error) {
		val, err := s.segs.read(e)
		if err != nil {
			return nil, fmt.Errorf("%s, offset %d, value of key %s: %w", s.segs.path(e.segment), e.off, quote(key), err)
		}
		return val, nil
	}
	return Value{size: int(e.size), load: load}, nil
}
