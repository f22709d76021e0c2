package kafkaio

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// batchBytes is the size at which a batch is cut.
	batchBytes = 4 << 20
	// waitTime is how long Read waits for the first record.
	waitTime = 100 * time.Millisecond
	// awayPause is how long a partition rests that cannot be fetched.
	awayPause = 500 * time.Millisecond
)

// reader reads one partition.
type reader struct {
	s       *source
	c       *client
	p       *part
	codec   *codec
	pos     position
	records []*kgo.Record // decoded answers, from pos on
	err     error         // ends the reader
}

// Read gives the rows of the records that have been fetched. It waits for some only if it has nothing to say.
func (r *reader) Read(ctx context.Context) (flow.Page, error) {
	page := flow.Page{Watermark: batch.NoTime}
	for !r.full(&page) {
		if len(r.records) > 0 {
			r.codec.add(r.records[0], &page)
			r.pos.Offset = r.records[0].Offset + 1
			r.records = r.records[1:]
			continue
		}
		more := r.take(ctx, page.Records == 0)
		if r.err != nil && page.Records == 0 {
			return flow.Page{}, r.err
		}
		if !more {
			break
		}
	}
	return r.finish(page)
}

// full says whether a page is large enough. Records that gave no row count as well.
func (r *reader) full(page *flow.Page) bool {
	return page.Records >= int64(r.s.o.BatchRows) || r.codec.b.Bytes()+r.codec.rejected >= batchBytes
}

// take unpacks the next answer. If there is none it waits a little, if wait says so and the partition is neither known to be
// read to its end nor unreachable.
func (r *reader) take(ctx context.Context, wait bool) bool {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	for r.err == nil {
		ch, ok, done := r.next()
		if ok {
			r.err = r.open(ch)
			break
		}
		if done || !wait || ctx.Err() != nil {
			return false
		}
		select {
		case <-ctx.Done():
		case <-r.p.ready:
		}
	}
	return r.err == nil
}

// next takes an answer out of the buffer. done says that there is none, and no use in waiting.
func (r *reader) next() (ch chunk, ok, done bool) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	p := r.p
	if len(p.chunks) == 0 {
		r.pos.Offset = p.next
		r.err = p.err
		return ch, false, r.err != nil || p.read(r.pos.Offset) || !p.since.IsZero()
	}
	ch, p.chunks = p.chunks[0], p.chunks[1:]
	full := p.room(r.c.o.MaxBufferedBytes) <= 0
	if p.bytes -= len(ch.data.RecordBatches); full && p.leader.broker >= 0 {
		r.c.wake(p.leader.broker)
	}
	return ch, true, false
}

// open unpacks an answer. What lies before its first offset, aborted transactions and markers are left out.
func (r *reader) open(ch chunk) error {
	got, behind := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: ch.from, IsolationLevel: kgo.ReadCommitted(), Topic: r.p.topic.name, Partition: r.p.num,
	}, &ch.data, r.c.unpack, nil)
	if got.Err == nil && behind != ch.next {
		got.Err = fmt.Errorf("the records end before offset %d, their batches before %d", behind, ch.next)
	}
	if got.Err != nil {
		return fmt.Errorf("kafkaio: partition %s: among the record batches of offsets %d to %d one is damaged or packed in an unknown way: %w",
			r.p.id, ch.from, ch.next-1, got.Err)
	}
	r.records = got.Records
	for _, w := range wild(ch.data.RecordBatches) {
		for _, rec := range got.Records {
			if rec.Offset >= w.first && rec.Offset <= w.last {
				rec.Timestamp = time.Time{}
			}
		}
	}
	return nil
}

// finish ends a page.
func (r *reader) finish(page flow.Page) (flow.Page, error) {
	if r.codec.b.Rows() > 0 {
		rows, err := r.codec.b.Build()
		if err != nil {
			return flow.Page{}, fmt.Errorf("kafkaio: partition %s: %w", r.p.id, err)
		}
		page.Rows = rows
	}
	if r.codec.maxTime != batch.NoTime {
		page.Watermark = max(r.codec.maxTime-r.s.o.MaxOutOfOrder.Microseconds(), batch.NoTime)
	}
	r.pos.Records += page.Records
	r.codec.rejected = 0
	page.Next = r.pos.encode()
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	page.Lag = -1
	if end := r.p.end; !end.asked.IsZero() {
		page.Lag = max(end.high-r.pos.Offset, 0)
	}
	switch {
	case len(r.records) > 0 || len(r.p.chunks) > 0:
	case r.p.read(r.pos.Offset):
		page.State = flow.CaughtUp
	case !r.p.since.IsZero():
		page.State, page.Pause = flow.Waiting, awayPause
	case page.Records == 0:
		page.State = flow.Waiting
	}
	return page, nil
}

// Close ends the fetching of the partition.
func (r *reader) Close() error {
	r.c.remove(r.p)
	r.s.release()
	return nil
}
