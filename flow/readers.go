package flow

import (
	"context"
	"errors"
	"sync"
)

// readers keeps open readers between two calls. A call takes its reader out and owns it alone; it is used again only if it
// stands exactly at the committed position, so that a bundle that failed leaves nothing behind.
type readers struct {
	mu   sync.Mutex
	open map[string]entry
}

func (rs *readers) take(ctx context.Context, src *source, p Partition, pos []byte) (r Reader, err error) {
	e := rs.remove(src, p)
	if e.at(pos) {
		return e.reader, nil
	}
	if e.reader != nil {
		if err := e.reader.Close(); err != nil {
			return nil, err
		}
	}
	err = protect(func() (err error) {
		r, err = src.Open(ctx, Assignment{Partition: p, Position: pos, Epoch: epochOf(ctx)})
		return err
	})
	return r, err
}

func (rs *readers) put(src *source, p Partition, e entry) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.open == nil {
		rs.open = map[string]entry{}
	}
	rs.open[src.n.name+"\x00"+p.ID] = e
}

func (rs *readers) remove(src *source, p Partition) entry {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	key := src.n.name + "\x00" + p.ID
	e := rs.open[key]
	delete(rs.open, key)
	return e
}

func (rs *readers) drop(src *source, p Partition) {
	if e := rs.remove(src, p); e.reader != nil {
		_ = e.reader.Close() // the partition has ended: nothing of it is needed any more
	}
}

func (rs *readers) close() error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var errs []error
	for _, e := range rs.open {
		errs = append(errs, e.reader.Close())
	}
	rs.open = nil
	return errors.Join(errs...)
}
