package kafkaio

import (
	"bytes"
	"context"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Attributes of record batches.
const (
	logAppend     = 1 << 3
	transactional = 1 << 4
	control       = 1 << 5
)

// wire describes a record batch as a broker sends it.
type wire struct {
	first  int64
	attrs  int16
	last   int32 // delta of the last offset
	pid    int64
	times  []int64 // of each record, milliseconds
	max    int64
	values []string // of the records at the first offsets
	key    []byte
}

func (w wire) encode() []byte {
	var records []byte
	for i, v := range w.values {
		r := kmsg.Record{OffsetDelta: int32(i), Key: w.key, Value: []byte(v)}
		if w.times != nil {
			r.TimestampDelta64 = w.times[i] - w.times[0]
		}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		records = r.AppendTo(records)
	}
	b := kmsg.RecordBatch{
		FirstOffset: w.first, Magic: 2, Attributes: w.attrs, LastOffsetDelta: w.last, MaxTimestamp: w.max,
		ProducerID: w.pid, NumRecords: int32(len(w.values)), Records: records,
	}
	if w.times != nil {
		b.FirstTimestamp = w.times[0]
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	b.CRC = int32(crc32.Checksum(b.AppendTo(nil)[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}

// answer answers a fetch request for its first partition.
func answer(req *kmsg.FetchRequest, batches []byte, stable, high int64) *kmsg.FetchResponse {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	t := kmsg.NewFetchResponseTopic()
	t.Topic, t.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.LastStableOffset, p.HighWatermark, p.RecordBatches = req.Topics[0].Partitions[0].Partition, stable, high, batches
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	return resp
}

func listed(req *kmsg.ListOffsetsRequest, offset int64) *kmsg.ListOffsetsResponse {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	t := kmsg.NewListOffsetsResponseTopic()
	t.Topic = req.Topics[0].Topic
	p := kmsg.NewListOffsetsResponseTopicPartition()
	p.Partition, p.Offset = req.Topics[0].Partitions[0].Partition, offset
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	return resp
}

// serve lets the cluster answer every fetch with the batches from the offset asked for on, and aborted transactions.
func (c *cluster) serve(stable, high int64, aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction, batches ...wire) {
	c.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.fake.KeepControl()
		f := req.(*kmsg.FetchRequest)
		var b []byte
		for _, w := range batches {
			if w.first+int64(w.last) >= f.Topics[0].Partitions[0].FetchOffset {
				b = append(b, w.encode()...)
			}
		}
		resp := answer(f, b, stable, high)
		for _, a := range aborted { // only those that end in the answer, as a broker does it
			if a.FirstOffset >= f.Topics[0].Partitions[0].FetchOffset {
				resp.Topics[0].Partitions[0].AbortedTransactions = append(resp.Topics[0].Partitions[0].AbortedTransactions, a)
			}
		}
		return resp, nil, true
	})
}

var (
	abortMarker  = []byte{0, 0, 0, 0}
	commitMarker = []byte{0, 0, 0, 1}
)

// BR-043: what transactions and compaction leave out is neither waited for nor counted.
func TestHolesInTheOffsets(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	aborted := []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 5, FirstOffset: 0}}
	c.serve(12, 12, aborted,
		wire{first: 0, attrs: transactional, pid: 5, last: 2, values: []string{`{"id":0}`, `{"id":1}`, `{"id":2}`}},
		wire{first: 3, attrs: transactional | control, pid: 5, key: abortMarker, values: []string{"000000"}},
		wire{first: 4, attrs: transactional, pid: 5, last: 1, values: []string{`{"id":4}`, `{"id":5}`}},
		wire{first: 6, attrs: transactional | control, pid: 5, key: commitMarker, values: []string{"000000"}},
		wire{first: 7, pid: -1, last: 2, values: []string{`{"id":7}`}}, // 8 and 9 are compacted away
		wire{first: 10, pid: -1, last: 1}, // all of it is
	)
	got := c.read(c.options(topic))
	wantRows(t, got.rows, "0:4 0 4 (null)", "0:5 0 5 (null)", "0:7 0 7 (null)")
	pos, _, _ := decodePosition(got.next)
	if pos.Offset != 12 || got.records != 3 || pos.Records != 3 || got.lag != 0 {
		t.Errorf("%+v %+v", pos, got)
	}

	pos.Offset = 5 // in the middle of a batch
	got = drain(t, open(t, mustSource(t, c.options(topic)), topic+"/0", pos.encode()), 0)
	wantRows(t, got.rows, "0:5 0 5 (null)", "0:7 0 7 (null)")
}

// An open transaction is not the end, however long it stays open, and neither is a place behind which there is more.
func TestAnOpenTransactionIsNoEnd(t *testing.T) {
	for name, stable := range map[string]int64{"open transaction": 1, "not fetched": 4} {
		c := fake(t)
		topic := c.topic(1)
		c.serve(stable, 4, nil, wire{first: 0, pid: -1, values: []string{`{"id":0}`}})
		r := open(t, mustSource(t, c.options(topic)), topic+"/0", nil)
		var got out
		for range 20 {
			brief, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			p, err := r.Read(brief)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			got.page(t, p)
			if p.State == flow.CaughtUp {
				t.Fatalf("%s: it is taken for the end", name)
			}
		}
		if len(got.rows) != 1 || got.lag != 3 || got.state != flow.Waiting {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// BR-046
func TestLogAppendTime(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	three := []string{`{"id":0}`, `{"id":1}`, `{"id":2}`}
	c.serve(7, 7, nil,
		wire{first: 0, attrs: logAppend, pid: -1, last: 2, times: []int64{-1, -1, -1}, max: 9000, values: three},
		wire{first: 3, pid: -1, last: 2, times: []int64{1000, 3000, 2000}, max: 3000, values: three},
		wire{first: 6, pid: -1, times: []int64{1 << 62}, max: 1 << 62, values: []string{"{}"}})
	got := c.read(c.options(topic))
	wantRows(t, got.rows, "0:0 9 0 (null)", "0:1 9 1 (null)", "0:2 9 2 (null)", "0:3 1 0 (null)", "0:4 3 1 (null)", "0:5 2 2 (null)")
	wantRows(t, got.rejected, `6 : the timestamp of the record, or of one in its batch, is beyond the year 2262: "{}"`)

	o := c.options(topic)
	o.Schema, o.EventTime = schema, "at"
	if got = c.read(o); len(got.rejected) != 7 || !strings.Contains(got.rejected[6], `column "at"`) {
		t.Errorf("%+v", got)
	}
}

func TestDamagedBatches(t *testing.T) {
	good := wire{first: 0, pid: -1, last: 1, values: []string{`{"id":0}`, `{"id":1}`}}.encode()
	crc := bytes.Clone(good)
	crc[len(crc)-1] ^= 1
	short := wire{first: 0, pid: -1, last: 1, values: []string{`{"id":0}`, `{"id":1}`}}
	for name, batches := range map[string][]byte{"check sum": crc, "a record less than said": fewer(short)} {
		c := fake(t)
		topic := c.topic(1)
		c.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.fake.KeepControl()
			return answer(req.(*kmsg.FetchRequest), batches, 2, 2), nil, true
		})
		err := failure(t, open(t, mustSource(t, c.options(topic)), topic+"/0", nil))
		if !strings.Contains(err.Error(), "of offsets 0 to ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What lies before a damaged batch comes out; what lies behind it does not.
func TestADamagedBatchStopsTheReader(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	c.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.fake.KeepControl()
		f := req.(*kmsg.FetchRequest)
		from := f.Topics[0].Partitions[0].FetchOffset
		b := wire{first: from, pid: -1, values: []string{`{"id":7}`}}.encode()
		if from == 1 {
			b[len(b)-1] ^= 1
		}
		return answer(f, b, 100, 100), nil, true
	})
	r := open(t, mustSource(t, c.options(topic)), topic+"/0", nil)
	var got out
	for until := ctx(t); until.Err() == nil; {
		p, err := r.Read(until)
		if err != nil {
			break
		}
		got.page(t, p)
	}
	wantRows(t, got.rows, "0:0 0 7 (null)")
	if pos, _, _ := decodePosition(got.next); pos.Offset != 1 {
		t.Errorf("%+v", pos)
	}
	if _, err := r.Read(ctx(t)); err == nil {
		t.Error("it goes on behind the damage")
	}
}

// fewer says that there is one record more than there is.
func fewer(w wire) []byte {
	var b kmsg.RecordBatch
	if err := b.ReadFrom(w.encode()); err != nil {
		return nil
	}
	b.NumRecords++
	b.LastOffsetDelta++
	b.CRC = int32(crc32.Checksum(b.AppendTo(nil)[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}

func FuzzSpan(f *testing.F) {
	one := wire{first: 5, pid: -1, last: 3, values: []string{"x"}}.encode()
	two := append(bytes.Clone(one), wire{first: 9, pid: -1, values: []string{"y"}}.encode()...)
	f.Add(one)
	f.Add(two)
	f.Add(two[:len(two)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, next := span(b, 7)
		if whole < 0 || whole > len(b) || next < 7 || whole == 0 && next != 7 {
			t.Errorf("%d of %d, %d", whole, len(b), next)
		}
	})
}

func TestSpan(t *testing.T) {
	one := wire{first: 5, pid: -1, last: 3, values: []string{"x"}}.encode()
	two := append(bytes.Clone(one), wire{first: 9, pid: -1, values: []string{"y"}}.encode()...)
	for _, tc := range []struct {
		b     []byte
		whole int
		next  int64
	}{{nil, 0, 5}, {one, len(one), 9}, {two, len(two), 10}, {two[:len(two)-1], len(one), 9}, {one[:len(one)-1], 0, 5}, {one[:20], 0, 5}} {
		if whole, next := span(tc.b, 5); whole != tc.whole || next != tc.next {
			t.Errorf("%d bytes: %d, %d", len(tc.b), whole, next)
		}
	}
}
