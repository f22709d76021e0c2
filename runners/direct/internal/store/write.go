package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/millrace-io/millrace/flow/failpoint"
)

// appendGroup writes the large values of a group and makes them durable.
func (s *disk) appendGroup(group []*commit) error {
	for _, c := range group {
		for _, o := range c.batch.ops {
			if !o.large() {
				continue
			}
			e, err := s.segs.append(o.val)
			if err != nil {
				return err
			}
			c.extents = append(c.extents, e)
		}
	}
	failpoint.Hit("store/before-segment-sync")
	synced, err := s.segs.sync()
	if err != nil {
		return err
	}
	if synced {
		s.syncs.Add(1)
	}
	failpoint.Hit("store/after-segment-sync")
	return nil
}

// writeGroup makes a group durable and visible with one batch of Pebble.
func (s *disk) writeGroup(group []*commit) error {
	size := 0
	for _, c := range group {
		size += c.batch.Bytes() + 16*c.batch.Len()
	}
	b := s.db.NewBatchWithSize(min(size, maxGroup))
	for _, c := range group {
		if err := c.write(b); err != nil {
			return err
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("write a group of %d commits: %w", len(group), err)
	}
	failpoint.Hit("store/after-batch")
	s.syncs.Add(1)
	s.commits.Add(int64(len(group)))
	s.publish(s.reindex(group))
	return b.Close()
}

// write adds the changes of a commit to a batch of Pebble.
func (c *commit) write(b *pebble.Batch) error {
	extents := c.extents
	for _, o := range c.batch.ops {
		var err error
		switch {
		case o.kind == opDelete:
			err = b.Delete(storedKey(o.key), nil)
		case o.kind == opDeletePrefix:
			first := storedKey(o.key)
			err = b.DeleteRange(first, prefixEnd(first), nil)
		case o.large():
			err = b.Set(storedKey(o.key), extents[0].encode(), nil)
			extents = extents[1:]
		default:
			d := b.SetDeferred(1+len(o.key), 1+len(o.val))
			d.Key[0], d.Value[0] = dataKey, tagInline
			copy(d.Key[1:], o.key)
			copy(d.Value[1:], o.val)
			err = d.Finish()
		}
		if err != nil {
			return fmt.Errorf("key %s: %w", quote(o.key), err)
		}
	}
	return nil
}

// reindex brings the index up to date with a group that is durable, and returns the extents no key refers to any more.
func (s *disk) reindex(group []*commit) (dropped []extent) {
	for _, c := range group {
		extents := c.extents
		for _, o := range c.batch.ops {
			if o.kind == opDeletePrefix {
				kept, removed := s.index.cut(o.key)
				_ = removed.ascend(nil, func(_ []byte, e extent) error {
					dropped = append(dropped, e)
					return nil
				})
				s.index = kept
				continue
			}
			old, had := s.index.get(o.key)
			if had {
				dropped = append(dropped, old)
			}
			if o.large() {
				s.index = s.index.set(o.key, extents[0])
				extents = extents[1:]
			} else if had {
				s.index = s.index.remove(o.key)
			}
		}
	}
	return dropped
}
