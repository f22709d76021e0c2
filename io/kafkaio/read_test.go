package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/batch/jsonarrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kgo"
)

func wantRows(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadsInOrderAndResumes(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	for i := range 10 {
		c.produce(rec(topic, fmt.Sprintf(`{"id":%d}`, i), int64(100+i)))
	}
	s := mustSource(t, c.options(topic))
	r := open(t, s, topic+"/0", nil)
	got := drain(t, r, 10)
	if len(got.rows) != 10 || got.rows[9] != "0:9 109 9 (null)" || got.records != 10 || got.wm != 109e6 || got.lag != 0 {
		t.Errorf("%+v", got)
	}
	if d := s.Describe(got.next); d != "offset 10 (10 records read)" {
		t.Error(d)
	}
	c.produce(rec(topic, `{"id":10}`, 50))
	more := drain(t, r, 1)
	again := drain(t, open(t, s, topic+"/0", got.next), 1) // as after a crash
	wantRows(t, more.rows, "0:10 50 10 (null)")
	wantRows(t, again.rows, more.rows...)
	if again.wm != 50e6 || string(again.next) != string(more.next) {
		t.Errorf("%+v\n%+v", more, again)
	}
}

func TestPagesAreBounded(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	var rs []*kgo.Record
	for i := range 1000 {
		rs = append(rs, rec(topic, fmt.Sprintf(`{"id":%d}`, i), 1), rec(topic, "x", 1))
	}
	c.produce(rs...)
	o := c.options(topic)
	o.BatchRows = 100
	r := open(t, mustSource(t, o), topic+"/0", nil)
	for n := 0; n < 20; {
		p, err := r.Read(ctx(t))
		if err != nil || p.Records > 100 {
			t.Fatal(p.Records, err)
		}
		if p.Records > 0 {
			n++
		}
	}
	if got := drain(t, r, 0); got.records != 0 {
		t.Errorf("%d records were left", got.records)
	}
}

// BR-041, BR-049, BR-050
func TestWhatBecomesOfARecord(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	at := time.Unix(7, 0)
	c.produce(
		&kgo.Record{Topic: topic, Timestamp: at, Key: []byte("k1"), Value: []byte(`{"id":1}`)},
		&kgo.Record{Topic: topic, Timestamp: at, Key: []byte("k1")},
		&kgo.Record{Topic: topic, Timestamp: at, Key: []byte("k2"), Value: []byte{}},
		&kgo.Record{Topic: topic, Timestamp: at, Key: []byte("k3"), Value: []byte("null")},
		rec(topic, "\xEF\xBB\xBF{\"id\":2}", 8), rec(topic, "\xEF\xBB\xBF", 8), rec(topic, `{"id":NaN}`, 8), rec(topic, `{"id":1e400}`, 8),
		rec(topic, `{"id":712345678901234567,"more":[1]}`, 9), rec(topic, "{\"id\":3,\"s\":\"\xFF\"}", 9), rec(topic, `{"id":0.5}`, 9),
	)
	got := c.read(c.options(topic))
	wantRows(t, got.rows, "0:0 7 1 (null)", "0:4 8 2 (null)", "0:8 9 712345678901234567 (null)")
	wantRows(t, got.rejected,
		`2 : the message is empty (at byte 0): ""`,
		`3 : null where an object is expected (at byte 0): "null"`,
		`5 : the message is empty (at byte 3): "\ufeff"`,
		`6 : column "id": NaN is not JSON (at byte 6): "{\"id\":NaN}"`,
		`7 : column "id": the number 1e400 is out of range for a column of type int64 (at byte 6): "{\"id\":1e400}"`,
		`9 : byte 0xFF is not valid UTF-8 (at byte 13): "{\"id\":3,\"s\":\"\xff\"}"`,
		`10 : column "id": the number 0.5 is not a whole number for a column of type int64 (at byte 6): "{\"id\":0.5}"`,
	)
	if got.dropped != 1 || got.records != 11 {
		t.Errorf("dropped %d of %d", got.dropped, got.records)
	}

	o := c.options(topic)
	o.Tombstones, o.Key, o.Unknown = Deletes, "key", jsonarrow.Capture
	got = c.read(o)
	wantRows(t, got.rows, "0:0 7 1 (null) (null) azE=", "0:1 7 delete (null) (null) (null) azE=",
		"0:4 8 2 (null) (null) (null)", `0:8 9 712345678901234567 (null) {"more":[1]} (null)`)
}

// BR-053
func TestKeysAndHeaders(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	r := func(key []byte, hs ...kgo.RecordHeader) *kgo.Record {
		return &kgo.Record{Topic: topic, Timestamp: time.Unix(1, 0), Key: key, Headers: hs, Value: []byte("{}")}
	}
	c.produce(r(nil), r([]byte{}), r([]byte{0xFF, 0},
		kgo.RecordHeader{Key: "h", Value: []byte("1")}, kgo.RecordHeader{Key: "h", Value: []byte("2")},
		kgo.RecordHeader{Key: "n"}, kgo.RecordHeader{Key: "e", Value: []byte{}}),
		r(nil, kgo.RecordHeader{Key: "\xFF"}))
	o := c.options(topic)
	o.Key, o.Headers = "key", "headers"
	got := c.read(o)
	wantRows(t, got.rows, `0:0 1 (null) (null) (null) []`, `0:1 1 (null) (null)  []`,
		`0:2 1 (null) (null) /wA= [{"name":"h","value":"MQ=="},{"name":"h","value":"Mg=="},{"name":"n","value":null},{"name":"e","value":""}]`)
	wantRows(t, got.rejected, `3 : the name of a header is not valid UTF-8: "{}"`)
}

// BR-046, BR-071
func TestEventTimes(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	h := func(values ...string) (hs []kgo.RecordHeader) {
		for _, v := range values {
			hs = append(hs, kgo.RecordHeader{Key: "at", Value: []byte(v)})
		}
		return hs
	}
	at := func(sec int64, value string, hs []kgo.RecordHeader) *kgo.Record {
		r := rec(topic, value, sec)
		r.Headers = hs
		return r
	}
	none := rec(topic, `{"id":1}`, 0)
	none.Timestamp = time.UnixMilli(-1)
	ahead := time.Now().Add(48 * time.Hour).Unix()
	c.produce(
		at(100, `{"id":0,"at":"1970-01-01 00:00:05"}`, h("x", "1970-01-01T00:00:06Z")),
		at(100, `{"id":1,"at":86500000}`, h("86500000")), at(100, `{"id":2,"at":86501000}`, h("86501000")),
		at(100, `{"id":3,"at":"9999-12-31T23:59:59Z"}`, nil), at(100, `{"id":4}`, h("nonsense")),
		at(100, `{"id":5,"at":"0001-01-01"}`, h("")), none, at(ahead, `{"id":7,"at":"1600-01-01"}`, h("7000")),
	)
	o := c.options(topic)
	o.EventTime, o.MaxOutOfOrder = "at", time.Second
	got := c.read(o)
	wantRows(t, got.rows, "0:0 5 0 1970-01-01T00:00:05Z", "0:1 86500 1 1970-01-02T00:01:40Z",
		"0:5 -62135596800 5 0001-01-01T00:00:00Z", "0:7 -11676096000 7 1600-01-01T00:00:00Z")
	wantRows(t, got.rejected,
		`2 MaxAhead: the event time 1970-01-02T00:01:41Z is later than 1970-01-02T00:01:40Z, which is the record's arrival plus MaxAhead: "{\"id\":2,\"at\":86501000}"`,
		`3 MaxAhead: the event time 9999-12-31T23:59:59Z is later than 1970-01-02T00:01:40Z, which is the record's arrival plus MaxAhead: "{\"id\":3,\"at\":\"9999-12-31T23:59:59Z\"}"`,
		`4 : column "at", which holds the event time, is null: "{\"id\":4}"`, `6 : column "at", which holds the event time, is null: "{\"id\":1}"`)
	if got.wm != 86499e6 {
		t.Errorf("watermark %d", got.wm)
	}

	o.EventTime, o.MaxAhead = HeaderTime("at"), Never
	got = c.read(o)
	wantRows(t, got.rows, "0:0 6 0 1970-01-01T00:00:05Z", "0:1 86500 1 1970-01-02T00:01:40Z", "0:2 86501 2 1970-01-02T00:01:41Z", "0:7 7 7 1600-01-01T00:00:00Z")
	wantRows(t, got.rejected[:3],
		`3 : there is no header "at", which holds the event time: "{\"id\":3,\"at\":\"9999-12-31T23:59:59Z\"}"`,
		`4 : the header "at" is "nonsense", which is no time: "{\"id\":4}"`, `5 : the header "at" is "", which is no time: "{\"id\":5,\"at\":\"0001-01-01\"}"`)

	o.EventTime, o.MaxAhead = RecordTime, 0
	got = c.read(o)
	if len(got.rows) != 6 || len(got.rejected) != 2 || got.rejected[0] != `6 : the record has no timestamp: "{\"id\":1}"` ||
		!strings.HasPrefix(got.rejected[1], "7 MaxAhead: ") || got.wm != 99e6 {
		t.Errorf("%+v", got)
	}
}

// BR-044
func TestPartitionsFoundLaterStartAtTheirBeginning(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	c.produce(rec(topic, `{"id":1}`, 1))
	o := c.options(topic)
	o.Start = Latest
	s := mustSource(t, o)
	recorded, err := s.starts()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.adm.UpdatePartitions(ctx(t), 3, topic); err != nil {
		t.Fatal(err)
	}
	later := rec(topic, `{"id":2}`, 2)
	later.Partition = 2
	connect(t, c) // a client that knows of them
	c.produce(rec(topic, `{"id":3}`, 3), later)

	s = mustSource(t, o) // a second run has what the first one recorded
	if err := s.restore(recorded); err != nil {
		t.Fatal(err)
	}
	parts, err := s.Partitions(ctx(t))
	if err != nil || len(parts) != 3 {
		t.Fatal(parts, err)
	}
	wantRows(t, drain(t, open(t, s, parts[0].ID, nil), 0).rows, "0:1 3 3 (null)")
	wantRows(t, drain(t, open(t, s, parts[1].ID, nil), 0).rows)
	wantRows(t, drain(t, open(t, s, parts[2].ID, nil), 0).rows, "2:0 2 2 (null)")
}

func TestStart(t *testing.T) {
	c := fake(t)
	topic := c.topic(2)
	for i := range 4 {
		c.produce(rec(topic, fmt.Sprintf(`{"id":%d}`, i), int64(1000*i)))
	}
	for start, want := range map[string]int64{Earliest: 0, Latest: 4, "1970-01-01T00:33:20Z": 2, "1970-01-01T00:30:00Z": 2, "2070-01-01T00:00:00Z": 4} {
		o := c.options(topic)
		o.Start = start
		s := mustSource(t, o)
		if start != Earliest {
			recorded, err := s.starts()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.restore(recorded); err != nil {
				t.Fatal(err)
			}
		}
		if got := drain(t, open(t, s, topic+"/0", nil), 0); got.records != 4-want {
			t.Errorf("%s: %d records", start, got.records)
		}
	}
	o := c.options(topic)
	o.Offsets = map[string]int64{topic + "/0": 3}
	wantRows(t, c.read(o).rows, "0:3 3000 3 (null)")
}

func TestEndsAndReached(t *testing.T) {
	c := fake(t)
	topic := c.topic(2)
	c.produce(rec(topic, `{"id":0}`, 1), rec(topic, `{"id":1}`, 1))
	s := mustSource(t, c.options(topic))
	var _ flow.Ender = s
	end, err := s.Ends(ctx(t), flow.Partition{ID: topic + "/0"})
	if err != nil {
		t.Fatal(err)
	}
	c.produce(rec(topic, `{"id":2}`, 1))
	o := c.options(topic)
	o.BatchRows = 1
	r := open(t, mustSource(t, o), topic+"/0", nil)
	for i, want := range []bool{false, true, true} {
		p, err := r.Read(ctx(t))
		if err != nil || p.Records != 1 || s.Reached(p.Next, end) != want {
			t.Errorf("page %d: %d records, %v", i, p.Records, err)
		}
	}
	none, err := s.Ends(ctx(t), flow.Partition{ID: topic + "/1"})
	if err != nil || s.Reached(nil, none) {
		t.Error("a partition that was not opened has reached its end", err)
	}
	if got := drain(t, open(t, s, topic+"/1", nil), 0); !s.Reached(got.next, none) || got.wm != batch.NoTime {
		t.Errorf("%+v", got)
	}
}

func TestReadReturnsWithItsContext(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	o := c.options(topic)
	r := open(t, mustSource(t, o), topic+"/0", nil)
	drain(t, r, 0)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	c.produce(rec(topic, `{"id":0}`, 1))
	var n int64
	for until := ctx(t); n == 0; { // what is fetched comes out, with a context that has ended as well
		p, err := r.Read(gone)
		if err != nil || until.Err() != nil {
			t.Fatal(err, until.Err())
		}
		n += p.Records
	}
}

func TestOptionFaultsComeTogether(t *testing.T) {
	err := Options{
		Topics: []string{"a", "a", ""}, Decode: "avro", EventTime: "@now", Start: "tomorrow", Tombstones: "keep", MaxOutOfOrder: -1,
		Offsets: map[string]int64{"b/0": 1, "a/1": -1}, BatchRows: -1, SASL: &SASL{Mechanism: "GSSAPI", Password: "hunter2"}, TLS: &TLS{Cert: "x"},
	}.Validate()
	for _, want := range []string{
		"Brokers is", `"a" is named twice`, `"" is no name`, `Decode is "avro"`, `Start is "tomorrow"`, `Tombstones is "keep"`,
		"MaxOutOfOrder", `"b/0" is no partition`, `-1 of "a/1"`, "BatchRows", `Mechanism is "GSSAPI"`, "User is required", "must be a reference", "Cert and Key", "Schema is",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the password is printed")
	}
	o := Options{Brokers: []string{"x:1"}, Topics: []string{"a"}, Schema: schema, Key: "id", Tombstones: Deletes}
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), `column "id" is there twice`) {
		t.Error(err)
	}
	o = Options{Brokers: []string{"x:1"}, Topics: []string{"a"}, Schema: schema, EventTime: "id"}
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), `no timestamp column "id"`) {
		t.Error(err)
	}
	if errors.Join(Options{Brokers: []string{"x:1"}, Topics: []string{"a"}, Schema: schema}.Validate()) != nil {
		t.Error("good options are refused")
	}
}

// Another broker to start from is no other job: what the topic is says the cluster, by its ids in the positions.
func TestBrokersAreNoPartOfTheJob(t *testing.T) {
	build := func(brokers ...string) *flow.Graph {
		g, err := flow.Build("p", func(p *flow.Pipeline) {
			in := Read(p, "trips", Options{Brokers: brokers, Topics: []string{"trips"}, Schema: schema})
			flow.Collect[struct{ ID int64 }]("out", in.Rows)
		})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	one, two := build("a:1"), build("b:1", "a:1")
	got := []string{two.Fingerprint(), two.DefaultJob()}
	if diff := cmp.Diff([]string{one.Fingerprint(), one.DefaultJob()}, got); diff != "" {
		t.Errorf("fingerprint and name with another broker (-want +got):\n%s", diff)
	}
}
