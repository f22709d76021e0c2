package flow

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/millrace-io/millrace/batch"
)

// call is one call of readFn.
type call struct {
	g          *Graph
	src        *source
	part       Partition
	rest       restriction
	wm         int64 // milliseconds
	rows, dead func(beam.EventTime, *batch.Batch)
}

// run reads pages until the call's bounds are met, and returns the pause before the next call.
func (c *call) run(ctx context.Context) (time.Duration, error) {
	ctl := c.g.control
	if c.rest.End || ctl.Closing() && !c.src.spec.Bounded {
		c.end(ctx)
		return 0, nil
	}
	if pause, reached, err := c.until(ctx); reached || err != nil {
		return pause, err
	}
	r, err := c.g.readers.take(ctx, c.src, c.part, c.rest.Pos)
	if err != nil {
		return 0, err
	}
	last, err := c.read(ctx, r)
	if err != nil {
		return 0, errors.Join(err, r.Close())
	}
	if last.State == End {
		c.end(ctx)
		return 0, r.Close()
	}
	c.g.readers.put(c.src, c.part, entry{reader: r, pos: c.rest.Pos})
	switch last.State {
	case CaughtUp:
		c.idle()
		return cmp.Or(last.Pause, pollPause), nil
	case Waiting:
		return cmp.Or(last.Pause, pollPause), nil
	}
	return 0, nil
}

// read takes pages from r and gives the last one.
func (c *call) read(ctx context.Context, r Reader) (Page, error) {
	cctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var size int64
	for {
		var page Page
		if err := protect(func() (err error) { page, err = r.Read(cctx); return err }); err != nil {
			return page, err
		}
		letters, err := c.page(ctx, page)
		if err != nil {
			return page, err
		}
		for _, b := range []*batch.Batch{page.Rows, letters} {
			if b != nil {
				size += b.Bytes()
			}
		}
		c.g.control.page(c.src.n.name, c.part.ID, page)
		if page.State != More || size >= callBytes || cctx.Err() != nil || c.g.control.Stopping() {
			return page, nil
		}
	}
}

// page emits what a page holds and moves the restriction. It gives the letters that it has made of what was rejected.
func (c *call) page(ctx context.Context, page Page) (*batch.Batch, error) {
	step := c.src.n
	if page.Rows != nil && page.Rows.Rows() > 0 {
		c.rows(beamTime(page.Rows.MinTime()), page.Rows)
		step.count(ctx, "out", page.Rows.Weight())
	}
	// Guarantee 12: what the source could not decode goes on as a letter.
	for i := range page.Rejected {
		l := &page.Rejected[i]
		l.Step, l.Cause, l.Partition = step.name, CauseRejected, c.part.ID
		l.Weight = max(l.Weight, 1)
	}
	letters, err := DeadRows(page.Rejected)
	if err != nil {
		return nil, err
	}
	if letters != nil {
		c.dead(beamTime(batch.NoTime), letters)
		step.count(ctx, "rejected", letters.Weight())
	}
	for rule, n := range page.Dropped {
		step.count(ctx, "dropped", n)
		step.count(ctx, "dropped."+rule, n)
	}
	step.count(ctx, "in", page.Records)
	c.rest.Records += page.Records
	c.rest.Pos = page.Next
	if !c.src.spec.Bounded || c.src.spec.Ordered {
		c.wm = max(c.wm, int64(beamTime(page.Watermark)))
	}
	return letters, nil
}

// idleSteps is the number of steps in which an idle watermark passes IdleAfter: a partition that does not move between two looks
// leaves nothing to be stored.
const idleSteps = 32

// idle lets the watermark follow the clock; only a proof that everything was read leads here.
func (c *call) idle() {
	if c.src.spec.Bounded || c.src.spec.IdleAfter < 0 {
		return
	}
	c.wm = max(c.wm, c.g.now().Add(-c.src.spec.IdleAfter).Truncate(c.src.spec.IdleAfter/idleSteps).UnixMilli())
}

func (c *call) end(ctx context.Context) {
	c.rest.End = true
	c.wm = END
	c.g.readers.drop(c.src, c.part)
	c.g.control.ended(c.src.n.name, c.part.ID)
}

// until handles a run that goes up to the ends that the server named at its start.
func (c *call) until(ctx context.Context) (time.Duration, bool, error) {
	e, ok := c.src.Source.(Ender)
	if !ok || c.src.spec.Bounded || !c.g.control.untilNow() {
		return 0, false, nil
	}
	end, known := c.g.control.endOf(c.src.n.name, c.part.ID)
	if !known {
		var err error
		if end, err = e.Ends(ctx, c.part); err != nil {
			return 0, false, err
		}
		c.g.control.setEnd(c.src.n.name, c.part.ID, end)
	}
	if !e.Reached(c.rest.Pos, end) {
		return 0, false, nil
	}
	c.g.control.reached(c.src.n.name, c.part.ID)
	return pollPause, true, nil
}

// entry is an open reader and the position it stands at.
type entry struct {
	reader Reader
	pos    []byte
}

func (e entry) at(pos []byte) bool { return e.reader != nil && bytes.Equal(e.pos, pos) }
