package kafkaio

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxWait is how long a broker keeps a request open while there is nothing new; maxAnswer is about the most it sends then.
const (
	maxWait   = 500 * time.Millisecond
	maxAnswer = 16 << 20
)

// fetch asks one broker again and again for all partitions it leads that have room, until the client ends.
func (c *client) fetch(broker int32, wake <-chan struct{}) {
	for turn, pause := 0, firstPause; ; turn++ {
		req, parts := c.request(broker, turn)
		if len(parts) == 0 {
			select {
			case <-c.ctx.Done():
				return
			case <-wake:
				continue
			}
		}
		asked := time.Now()
		resp, err := req.RequestWith(c.ctx, c.kgo.Broker(int(broker)))
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if c.ctx.Err() != nil {
			return
		}
		if err == nil {
			pause = firstPause
			if !c.deliver(resp, parts, asked) {
				c.refresh()
			}
			continue
		}
		c.failAll(func(p *part) bool { return slices.Contains(parts, p) }, fmt.Errorf("broker %d: %w", broker, err))
		c.refresh()
		if !wait(c.ctx, pause) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// request makes the next request to a broker. The order of the partitions turns, since a broker fills its answer in that
// order.
func (c *client) request(broker int32, turn int) (*kmsg.FetchRequest, []*part) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(maxWait/time.Millisecond), 1, maxAnswer
	req.IsolationLevel, req.SessionEpoch = 1, -1
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []*part
	for p := range c.parts {
		if p.leader.broker == broker && p.room(c.o.MaxBufferedBytes) > 0 {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b *part) int { return strings.Compare(a.id, b.id) })
	if n := len(parts); n > 0 {
		parts = slices.Concat(parts[turn%n:], parts[:turn%n])
	}
	asked := map[string]bool{} // a partition may have an older reader, which is about to be closed
	parts = slices.DeleteFunc(parts, func(p *part) bool {
		twice := asked[p.id]
		asked[p.id] = true
		return twice
	})
	for _, p := range parts {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.topic.name {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = p.topic.name, p.topic.id
			req.Topics = append(req.Topics, t)
		}
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.CurrentLeaderEpoch, rp.FetchOffset = p.num, p.leader.epoch, p.next
		rp.PartitionMaxBytes = int32(max(c.o.MaxBufferedBytes/2, 32<<10))
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, rp)
	}
	return req, parts
}

// deliver hands an answer to the partitions, and says whether it was good for all of them.
func (c *client) deliver(resp *kmsg.FetchResponse, parts []*part, asked time.Time) bool {
	filled := 0
	for i := range resp.Topics {
		for k := range resp.Topics[i].Partitions {
			filled += min(1, len(resp.Topics[i].Partitions[k].RecordBatches))
		}
	}
	good := true
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for k := range t.Partitions {
			rp := &t.Partitions[k]
			at := slices.IndexFunc(parts, func(p *part) bool {
				return p.num == rp.Partition && (p.topic.name == t.Topic || t.Topic == "" && p.topic.id == t.TopicID)
			})
			if at < 0 {
				continue
			}
			if filled > 1 { // do not keep the whole answer for the sake of one partition
				rp.RecordBatches = bytes.Clone(rp.RecordBatches)
			}
			good = c.accept(parts[at], rp, asked) && good
		}
	}
	return good
}

// accept takes the answer for one partition, and says whether it was good.
func (c *client) accept(p *part, rp *kmsg.FetchResponseTopicPartition, asked time.Time) bool {
	err := kerr.ErrorForCode(rp.ErrorCode)
	if errors.Is(err, kerr.OffsetOutOfRange) {
		err = c.explain(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var gap *GapError
	switch {
	case errors.As(err, &gap):
		p.stop(err)
	case err != nil:
		p.leader.broker = -1
		p.fail(c.o.Timeout, err)
		return p.err != nil
	default:
		whole, next := span(rp.RecordBatches, p.next)
		if whole == 0 && len(rp.RecordBatches) > 0 { // the answer was full: another turn begins with this partition
			p.fail(c.o.Timeout, errors.New("the broker sends only a part of a record batch"))
			return true
		}
		rp.RecordBatches = rp.RecordBatches[:whole]
		p.put(chunk{data: *rp, from: p.next, next: next}, ends{asked: asked, stable: rp.LastStableOffset, high: rp.HighWatermark})
	}
	return true
}

// explain says what is wrong with the offset that a broker does not have.
func (c *client) explain(p *part) error {
	first, err := c.listOffset(c.ctx, p.topic.name, p.num, askEarliest)
	if err != nil {
		return err
	}
	end, err := c.listOffset(c.ctx, p.topic.name, p.num, askLatest)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.fresh && p.next < first { // the beginning has moved since it was asked for
		p.next = first
	}
	if p.next >= first && p.next <= end {
		return kerr.OffsetNotAvailable // it is there now: ask again
	}
	return &GapError{Partition: p.id, Next: p.next, First: first, End: end}
}
