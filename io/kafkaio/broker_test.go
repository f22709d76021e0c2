package kafkaio

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The tests of this file need a Kafka: MILLRACE_KAFKA=host:port go test ./io/kafkaio

func TestBrokerJob(t *testing.T) {
	c := broker(t)
	topic := c.topic(3)
	want := c.fill(topic, 3, 0, 100)
	job := runners.Options{Pipeline: "test", Name: "test", Job: t.TempDir(), Stores: &flow.Stores{}}
	got, rejected := c.run(c.options(topic), job, 3, 2)
	if diff := cmp.Diff(want, got); diff != "" || rejected != 20 {
		t.Errorf("%d rejected\n%s", rejected, diff)
	}
	if _, err := c.adm.UpdatePartitions(ctx(t), 5, topic); err != nil {
		t.Fatal(err)
	}
	connect(t, c)
	want = append(want, c.fill(topic, 5, 100, 100)...)
	got, rejected = c.run(c.options(topic), job)
	if diff := cmp.Diff(want, got); diff != "" || rejected != 40 {
		t.Errorf("second run: %d rejected\n%s", rejected, diff)
	}
}

// transact writes records in a transaction and ends it.
func (c *cluster) transact(end kgo.TransactionEndTry, records ...*kgo.Record) {
	c.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.TransactionalID(records[0].Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		c.t.Fatal(err)
	}
	defer cl.Close()
	err = errors.Join(cl.BeginTransaction(), cl.ProduceSync(ctx(c.t), records...).FirstErr(), cl.EndTransaction(ctx(c.t), end))
	if err != nil {
		c.t.Fatal(err)
	}
}

func TestBrokerTransactions(t *testing.T) {
	c := broker(t)
	topic := c.topic(1)
	some := func(first int) (rs []*kgo.Record) {
		for i := range 3 {
			rs = append(rs, rec(topic, fmt.Sprintf(`{"id":%d}`, first+i), 1))
		}
		return rs
	}
	c.transact(kgo.TryAbort, some(0)...)
	c.transact(kgo.TryCommit, some(10)...)
	c.transact(kgo.TryAbort, some(20)...)
	got := c.read(c.options(topic))
	wantRows(t, got.rows, "0:4 1 10 (null)", "0:5 1 11 (null)", "0:6 1 12 (null)")
	s := mustSource(t, c.options(topic))
	end, err := s.Ends(ctx(t), flow.Partition{ID: topic + "/0"})
	if pos, _, _ := decodePosition(got.next); err != nil || pos.Offset != 12 || pos.Records != 3 || !s.Reached(got.next, end) {
		t.Errorf("%+v, %s, %v", got, end, err)
	}
}

func TestBrokerFaults(t *testing.T) {
	c := broker(t)
	topic := c.topic(1)
	c.fill(topic, 1, 0, 4)
	s := mustSource(t, c.options(topic))
	r := open(t, s, topic+"/0", nil)
	pos, _, _ := decodePosition(drain(t, r, 4).next)
	var to kadm.Offsets
	to.AddOffset(topic, 0, 3, -1)
	if _, err := c.adm.DeleteRecords(ctx(t), to); err != nil {
		t.Fatal(err)
	}
	early := pos
	early.Offset = 1
	says(t, failure(t, open(t, s, topic+"/0", early.encode())), flow.ErrGap, "offsets 1 to 2", "oldest one is 3")
	if got := c.read(c.options(topic)); got.records != 1 {
		t.Errorf("%+v", got)
	}
	if _, err := c.adm.DeleteTopics(ctx(t), topic); err != nil {
		t.Fatal(err)
	}
	for { // the broker deletes in the background
		if resp, err := c.adm.CreateTopic(ctx(t), 1, 1, nil, topic); err == nil && resp.Err == nil {
			break
		}
	}
	says(t, failure(t, r), flow.ErrIdentity, "topic id "+pos.Topic)
	_, err := s.Open(ctx(t), flow.Assignment{Partition: flow.Partition{ID: topic + "/0"}, Position: pos.encode()})
	says(t, err, flow.ErrIdentity, "topic id "+pos.Topic)
}

func TestBrokerLogAppendTime(t *testing.T) {
	c := broker(t)
	topic := c.topic(1, "message.timestamp.type=LogAppendTime")
	c.produce(rec(topic, `{"id":1}`, 5), rec(topic, `{"id":2}`, 6))
	s := mustSource(t, c.options(topic))
	p := drain(t, open(t, s, topic+"/0", nil), 2)
	if p.wm < 1e15 || len(p.rejected) > 0 {
		t.Errorf("%+v", p)
	}
}

func TestBrokerPacksRecords(t *testing.T) {
	c := broker(t)
	for _, codec := range []kgo.CompressionCodec{kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		topic := c.topic(1)
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.ProducerBatchCompression(codec))
		if err != nil {
			t.Fatal(err)
		}
		var rs []*kgo.Record
		for i := range 1000 {
			rs = append(rs, rec(topic, fmt.Sprintf(`{"id":%d}`, i), 1))
		}
		err = cl.ProduceSync(ctx(t), rs...).FirstErr()
		cl.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.read(c.options(topic)); len(got.rows) != 1000 || got.rows[999] != "0:999 1 999 (null)" {
			t.Errorf("%v: %d rows", codec, len(got.rows))
		}
	}
}
