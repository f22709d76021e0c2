package store

import (
	"fmt"
	"slices"
	"sync"
)

// maxGroup is the size of all batches at which the committer leaves those that wait to the next group.
const maxGroup = 64 << 20

// commit is one batch on its way.
type commit struct {
	batch   *Batch
	pending *Pending
	extents []extent // of its large values, in their order
}

// committer passes batches through two steps, each of which takes everything that waits for it at once:
//
//	Commit -> waiting -> append large values, sync segment -> appended -> write to Pebble with sync, publish -> done
//
// While the second step syncs one group, the first syncs the values of the next. The first error ends both.
type committer struct {
	mu       sync.Mutex
	changed  sync.Cond
	waiting  []*commit
	appended []*commit
	open     map[*commit]bool // neither durable nor failed
	err      error            // what broke the store
	closing  bool             // no batch comes any more
	drained  bool             // and the first step has passed on all there were
	running  int              // steps
	stopped  chan struct{}    // closed when both steps have ended
}

func newCommitter() *committer {
	c := &committer{open: map[*commit]bool{}, running: 2, stopped: make(chan struct{})}
	c.changed.L = &c.mu
	return c
}

// start runs the steps until close or an error.
func (c *committer) start(appendGroup, writeGroup func([]*commit) error) {
	go c.run(&c.waiting, &c.closing, func(group []*commit) error {
		if err := appendGroup(group); err != nil {
			return err
		}
		c.pass(group)
		return nil
	})
	go c.run(&c.appended, &c.drained, func(group []*commit) error {
		if err := writeGroup(group); err != nil {
			return err
		}
		c.finish(group)
		return nil
	})
}

// run calls step for all that comes to a queue until it has ended.
func (c *committer) run(queue *[]*commit, ended *bool, step func([]*commit) error) {
	for group := c.take(queue, ended); group != nil; group = c.take(queue, ended) {
		if err := step(group); err != nil {
			c.fail(err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drained = true // of the second step nothing waits
	if c.running--; c.running == 0 {
		close(c.stopped)
	}
	c.changed.Broadcast()
}

// put hands over a batch.
func (c *committer) put(b *Batch) *Pending {
	p := newPending()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		p.resolve(c.err)
	case c.closing:
		p.resolve(ErrClosed)
	default:
		w := &commit{batch: b, pending: p}
		c.open[w] = true
		c.waiting = append(c.waiting, w)
		c.changed.Broadcast()
	}
	return p
}

// take waits for batches in a queue and takes them, nil when none can come any more.
func (c *committer) take(queue *[]*commit, ended *bool) []*commit {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(*queue) == 0 && !*ended && c.err == nil {
		c.changed.Wait()
	}
	if c.err != nil {
		return nil
	}
	n, bytes := 0, 0
	for n < len(*queue) && bytes < maxGroup {
		bytes += (*queue)[n].batch.Bytes()
		n++
	}
	if n == 0 {
		return nil
	}
	group := slices.Clone((*queue)[:n])
	*queue = slices.Delete(*queue, 0, n) // which also lets go of them
	return group
}

func (c *committer) pass(group []*commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appended = append(c.appended, group...)
	c.changed.Broadcast()
}

// finish reports the batches of a group as durable.
func (c *committer) finish(group []*commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range group {
		if c.open[w] {
			delete(c.open, w)
			w.pending.resolve(nil)
		}
	}
}

// fail ends the store: every batch that is not durable, and every later one, gets err. Only the first error counts.
func (c *committer) fail(err error) {
	// Guarantee 7: after the first error nothing is acknowledged.
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = fmt.Errorf("the state store is broken and takes no more commits (mend the disk and start the job again): %w", err)
	for w := range c.open {
		w.pending.resolve(c.err)
	}
	clear(c.open)
	c.waiting, c.appended = nil, nil
	c.changed.Broadcast()
}

// close lets the steps end once they have finished what was handed over.
func (c *committer) close() {
	c.mu.Lock()
	c.closing = true
	c.changed.Broadcast()
	c.mu.Unlock()
}

// broken returns the error that ended the steps, nil if there is none.
func (c *committer) broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
