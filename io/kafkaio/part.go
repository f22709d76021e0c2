package kafkaio

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// proofAge is how old an answer may be that proves a partition to be read to its end.
const proofAge = 2 * time.Second

// part is a partition that is being read: what was fetched of it and not taken yet. All fields behind ready are guarded
// by the client's mu.
type part struct {
	id    string
	num   int32
	topic topic
	ready chan struct{} // there is something to take

	leader leader
	next   int64 // offset to fetch from
	fresh  bool  // next is the beginning of the log and nothing was fetched
	chunks []chunk
	bytes  int
	end    ends
	err    error     // ends the reader
	since  time.Time // when fetching began to fail
	tries  int       // how often it has failed since then
	again  time.Time // when it may be tried again
}

// ends is what the last answer said of the partition's end.
type ends struct {
	asked  time.Time // when the request was sent
	stable int64     // last stable offset
	high   int64     // high watermark
}

// chunk is one answer for a partition.
type chunk struct {
	data kmsg.FetchResponseTopicPartition
	from int64 // the offset asked for
	next int64 // the offset behind it
}

func (p *part) signal() {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// stop ends the reader with err, behind what was fetched.
func (p *part) stop(err error) {
	if p.err == nil {
		p.err = err
		p.signal()
	}
}

// fail notes that the partition cannot be fetched at present.
func (p *part) fail(timeout time.Duration, err error) {
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	p.again = now.Add(min(firstPause<<min(p.tries, 10), lastPause))
	p.tries++
	p.end = ends{}
	what := "partition " + p.id
	switch waited := now.Sub(p.since); {
	case fatal(err):
		p.stop(refused(what, err))
	case waited > timeout:
		p.stop(away(what, waited, err))
	}
}

// put adds an answer.
func (p *part) put(ch chunk, e ends) {
	p.since, p.tries, p.end = time.Time{}, 0, e
	if len(ch.data.RecordBatches) > 0 {
		p.chunks = append(p.chunks, ch)
		p.bytes += len(ch.data.RecordBatches)
		p.next, p.fresh = ch.next, false
	}
	p.signal()
}

// read says whether all there is was read up to the offset next, by an answer that is still fresh. Behind the last stable
// offset there are open transactions: what they hold may come at any time, so they are no end.
func (p *part) read(next int64) bool {
	e := p.end
	return len(p.chunks) == 0 && p.since.IsZero() && next == e.stable && e.stable == e.high && time.Since(e.asked) < proofAge
}

// room is how many bytes may be fetched.
func (p *part) room(limit int) int {
	if p.err != nil || p.leader.broker < 0 {
		return 0
	}
	return limit - p.bytes
}
