package kafkaio

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func says(t *testing.T, err, want error, parts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v is not %v", err, want)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q is not said in: %v", p, err)
		}
	}
}

func TestATopicCreatedAnewIsAnotherOne(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	c.produce(rec(topic, `{"id":1}`, 1))
	s := mustSource(t, c.options(topic))
	r := open(t, s, topic+"/0", nil)
	got := drain(t, r, 1)
	if _, err := c.adm.DeleteTopics(ctx(t), topic); err != nil {
		t.Fatal(err)
	}
	c.create(topic, 1)
	old, _, _ := decodePosition(got.next)
	found, err := s.c.topics(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{"partition " + topic + "/0", "topic id " + old.Topic, "topic id " + found[topic].id.String()}
	if old.Topic == found[topic].id.String() {
		t.Fatal("the id is the same")
	}
	says(t, failure(t, r), flow.ErrIdentity, ids...)
	_, err = s.Open(ctx(t), flow.Assignment{Partition: flow.Partition{ID: topic + "/0"}, Position: got.next})
	says(t, err, flow.ErrIdentity, ids...)

	old.Topic, old.Cluster = found[topic].id.String(), "elsewhere"
	_, err = s.Open(ctx(t), flow.Assignment{Partition: flow.Partition{ID: topic + "/0"}, Position: old.encode()})
	says(t, err, flow.ErrIdentity, "cluster id elsewhere", "cluster id kfake")
}

func TestDeletedRecordsAreAGap(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	for i := range 10 {
		c.produce(rec(topic, fmt.Sprintf(`{"id":%d}`, i), 1))
	}
	s := mustSource(t, c.options(topic))
	r := open(t, s, topic+"/0", nil)
	pos, _, _ := decodePosition(drain(t, r, 10).next)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var to kadm.Offsets
	to.AddOffset(topic, 0, 7, -1)
	if _, err := c.adm.DeleteRecords(ctx(t), to); err != nil {
		t.Fatal(err)
	}
	pos.Offset = 3
	says(t, failure(t, open(t, s, topic+"/0", pos.encode())), flow.ErrGap, "partition "+topic+"/0", "offsets 3 to 6", "oldest one is 7")
	pos.Offset = 12
	says(t, failure(t, open(t, s, topic+"/0", pos.encode())), flow.ErrGap, "position is 12", "ends at 10")
	wantRows(t, c.read(c.options(topic)).rows, "0:7 1 7 (null)", "0:8 1 8 (null)", "0:9 1 9 (null)")
}

// The beginning may move between the question where it is and the first fetch.
func TestABeginningThatMovesIsNoGap(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	for i := range 4 {
		c.produce(rec(topic, fmt.Sprintf(`{"id":%d}`, i), 1))
	}
	moved := false
	c.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.fake.KeepControl()
		f := req.(*kmsg.FetchRequest)
		if f.Topics[0].Partitions[0].FetchOffset != 0 {
			return nil, nil, false
		}
		resp := answer(f, nil, 4, 4)
		resp.Topics[0].Partitions[0].ErrorCode = 1 // OFFSET_OUT_OF_RANGE
		moved = true
		return resp, nil, true
	})
	c.fake.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.fake.KeepControl()
		l := req.(*kmsg.ListOffsetsRequest)
		if !moved || l.Topics[0].Partitions[0].Timestamp != askEarliest {
			return nil, nil, false
		}
		return listed(l, 2), nil, true
	})
	wantRows(t, c.read(c.options(topic)).rows, "0:2 1 2 (null)", "0:3 1 3 (null)")
}

func TestLeadersMove(t *testing.T) {
	c := fake(t, kfake.NumBrokers(3))
	topic := c.topic(2)
	s := mustSource(t, c.options(topic))
	r := open(t, s, topic+"/0", nil)
	var got out
	for i := range 20 {
		c.produce(rec(topic, fmt.Sprintf(`{"id":%d}`, i), 1))
		if i%5 == 0 {
			if err := c.fake.MoveTopicPartition(topic, 0, int32(i/5%3)); err != nil {
				t.Fatal(err)
			}
		}
		for until := ctx(t); got.records <= int64(i); {
			p, err := r.Read(until)
			if err != nil || until.Err() != nil {
				t.Fatal(err, until.Err())
			}
			got.page(t, p)
		}
	}
	for i, row := range got.rows {
		if want := fmt.Sprintf("0:%d 1 %d (null)", i, i); row != want {
			t.Errorf("%s is not %s", row, want)
		}
	}
}

// refuse lets the cluster break connections instead of answering n requests of a kind; -1 is all of them.
func (c *cluster) refuse(key kmsg.Key, n int) {
	c.fake.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		if n != 0 {
			c.fake.KeepControl()
			n--
			return nil, errors.New("broken on purpose"), true
		}
		return nil, nil, false
	})
}

func TestBrokersGoAndComeBack(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	c.produce(rec(topic, `{"id":0}`, 1))
	r := open(t, mustSource(t, c.options(topic)), topic+"/0", nil)
	drain(t, r, 1)
	c.refuse(kmsg.Fetch, 4)
	c.produce(rec(topic, `{"id":1}`, 1))
	wantRows(t, drain(t, r, 1).rows, "0:1 1 1 (null)")
}

func TestBrokersStayAway(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	c.produce(rec(topic, `{"id":0}`, 1))
	o := c.options(topic)
	o.Timeout = 200 * time.Millisecond
	s := mustSource(t, o)
	r := open(t, s, topic+"/0", nil)
	got := drain(t, r, 1)
	c.refuse(kmsg.Fetch, -1)
	says(t, failure(t, r), ErrAway, "partition "+topic+"/0", "check Options.Brokers", "nothing is lost")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c.fake.Close()
	_, err := s.Open(ctx(t), flow.Assignment{Partition: flow.Partition{ID: topic + "/0"}, Position: got.next})
	says(t, err, ErrAway, "list the partitions of topic", "check Options.Brokers")
	_, err = s.Partitions(ctx(t))
	says(t, err, ErrAway)
}

func TestATopicThatIsNotThere(t *testing.T) {
	c := fake(t)
	o := c.options("nowhere")
	o.Timeout = 100 * time.Millisecond
	_, err := mustSource(t, o).Partitions(ctx(t))
	says(t, err, ErrAway, `topic "nowhere" does not exist`)
}

func TestSASL(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.SeedTopics(1, "secrets"),
		kfake.Superuser("PLAIN", "anna", "pa55"), kfake.Superuser("SCRAM-SHA-256", "anna", "pa55"), kfake.Superuser("SCRAM-SHA-512", "anna", "pa55"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("MILLRACE_TEST_PASSWORD", "pa55")
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		o := Options{
			Brokers: c.ListenAddrs(), Topics: []string{"secrets"}, Schema: schema,
			SASL: &SASL{Mechanism: mechanism, User: "anna", Password: "env:MILLRACE_TEST_PASSWORD"},
		}
		if parts, err := mustSource(t, o).Partitions(ctx(t)); err != nil || len(parts) != 1 {
			t.Errorf("%s: %v, %v", mechanism, parts, err)
		}
		o.SASL.Password = "env:MILLRACE_TEST_NOWHERE"
		_, err = mustSource(t, o).Partitions(ctx(t))
		says(t, err, ErrSecret, "MILLRACE_TEST_NOWHERE is not set")
	}
}

func TestAWrongPasswordIsToldAtOnce(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.SeedTopics(1, "secrets"), kfake.Superuser("PLAIN", "anna", "pa55"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode, resp.ErrorMessage = 58, kmsg.StringPtr("no")
		return resp, nil, true
	})
	t.Setenv("MILLRACE_TEST_PASSWORD", "w0ng")
	o := Options{
		Brokers: c.ListenAddrs(), Topics: []string{"secrets"}, Schema: schema,
		SASL: &SASL{Mechanism: "PLAIN", User: "anna", Password: "env:MILLRACE_TEST_PASSWORD"},
	}
	_, err = mustSource(t, o).Partitions(ctx(t))
	says(t, err, kerr.SaslAuthenticationFailed, "check Options.SASL")
	if strings.Contains(err.Error(), "w0ng") {
		t.Error("the password is printed")
	}
}

func TestOneClientForAllReaders(t *testing.T) {
	c := fake(t)
	topic := c.topic(2)
	for part := range int32(2) {
		r := rec(topic, `{"id":1}`, 1)
		r.Partition = part
		c.produce(r)
	}
	s := mustSource(t, c.options(topic))
	a, b := open(t, s, topic+"/0", nil), open(t, s, topic+"/1", nil)
	drain(t, a, 1)
	first := s.c
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	drain(t, b, 1)
	if s.c != first || len(first.parts) != 1 {
		t.Error("the client changed, or still fetches a closed partition")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if s.c != nil {
		t.Error("the client outlives its readers")
	}
}

func TestBuffersAreBounded(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	value := `{"id":1,"x":"` + strings.Repeat("x", 10<<10) + `"}`
	for range 100 {
		c.produce(rec(topic, value, 1), rec(topic, value, 1), rec(topic, value, 1))
	}
	o := c.options(topic)
	o.MaxBufferedBytes = 64 << 10
	s := mustSource(t, o)
	r := open(t, s, topic+"/0", nil)
	var p *part
	s.c.mu.Lock()
	for p = range s.c.parts {
		break
	}
	s.c.mu.Unlock()
	for full := false; !full; { // nobody reads: no answer comes any more
		select {
		case <-p.ready:
		case <-time.After(2 * maxWait):
			full = true
		}
	}
	s.c.mu.Lock()
	bytes := p.bytes
	s.c.mu.Unlock()
	if bytes < 64<<10 || bytes > 64<<10+32<<10 {
		t.Errorf("%d bytes are buffered", bytes)
	}
	if got := drain(t, r, 300); got.records != 300 {
		t.Errorf("%d records", got.records)
	}
}
