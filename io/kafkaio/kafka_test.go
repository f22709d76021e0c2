package kafkaio

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
}, nil)

// cluster is a Kafka to test with: kfake, or the one that MILLRACE_KAFKA names.
type cluster struct {
	t       testing.TB
	brokers []string
	fake    *kfake.Cluster
	cl      *kgo.Client
	adm     *kadm.Client
}

func fake(t testing.TB, opts ...kfake.Opt) *cluster {
	t.Helper()
	f, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(2)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return connect(t, &cluster{fake: f, brokers: f.ListenAddrs()})
}

// broker gives the real Kafka, if there is one.
func broker(t testing.TB) *cluster {
	t.Helper()
	addr := os.Getenv("MILLRACE_KAFKA")
	if addr == "" {
		t.Skip("MILLRACE_KAFKA=host:port is not set")
	}
	return connect(t, &cluster{brokers: []string{addr}})
}

func connect(t testing.TB, c *cluster) *cluster {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(10*time.Millisecond), kgo.MaxVersions(kversion.V3_7_0()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	c.t, c.cl, c.adm = t, cl, kadm.NewClient(cl)
	return c
}

func ctx(t testing.TB) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return c
}

// topic makes a topic of a name that no other test uses.
func (c *cluster) topic(parts int32, configs ...string) string {
	c.t.Helper()
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	c.create(name, parts, configs...)
	return name
}

func (c *cluster) create(name string, parts int32, configs ...string) {
	c.t.Helper()
	m := map[string]*string{}
	for _, kv := range configs {
		k, v, _ := strings.Cut(kv, "=")
		m[k] = &v
	}
	resp, err := c.adm.CreateTopic(ctx(c.t), parts, 1, m, name)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.Err != nil {
		c.t.Fatal(resp.Err)
	}
}

func (c *cluster) produce(records ...*kgo.Record) {
	c.t.Helper()
	if err := c.cl.ProduceSync(ctx(c.t), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// rec makes a record of partition 0 with a time in seconds.
func rec(topic, value string, sec int64) *kgo.Record {
	return &kgo.Record{Topic: topic, Value: []byte(value), Timestamp: time.Unix(sec, 0)}
}

func (c *cluster) options(topics ...string) Options {
	return Options{Brokers: c.brokers, Topics: topics, Schema: schema}
}

func mustSource(t testing.TB, o Options) *source {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := newSource(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// out is what readers gave, printed.
type out struct {
	rows     []string // "partition:offset time kind values"
	rejected []string // "offset rule: reason: payload"
	dropped  int64
	records  int64
	wm       int64
	lag      int64
	next     []byte
	state    flow.PageState
}

func (o *out) page(t testing.TB, p flow.Page) {
	t.Helper()
	if p.Rows != nil {
		o.rows = append(o.rows, printed(p.Rows)...)
	}
	for _, l := range p.Rejected {
		o.rejected = append(o.rejected, strings.TrimPrefix(fmt.Sprintf("%s %s: %s: %q", l.Position, l.Rule, l.Reason, l.Payload), " "))
	}
	for _, n := range p.Dropped {
		o.dropped += n
	}
	o.records += p.Records
	o.wm, o.lag, o.next, o.state = max(o.wm, p.Watermark), p.Lag, p.Next, p.State
}

func printed(b *batch.Batch) []string {
	part := b.Hidden(batch.PartColumn).(*array.Dictionary)
	off := b.Hidden(batch.OffsetColumn).(*array.Int64)
	var rows []string
	for i := range b.Rows() {
		id := part.Dictionary().(*array.String).Value(part.GetValueIndex(i))
		_, id, _ = strings.Cut(id, "/")
		row := fmt.Sprintf("%s:%d %d", id, off.Value(i), b.Times()[i]/1e6)
		if k, ok := b.Hidden(batch.KindColumn).(*array.Int8); ok && k.Value(i) != int8(batch.Insert) {
			row += " " + batch.Kind(k.Value(i)).String()
		}
		for c := range b.Columns() {
			row += " " + b.Column(c).ValueStr(i)
		}
		rows = append(rows, row)
	}
	return rows
}

// open opens a partition; the reader is closed at the end of the test.
func open(t testing.TB, s *source, id string, pos []byte) flow.Reader {
	t.Helper()
	r, err := s.Open(ctx(t), flow.Assignment{Partition: flow.Partition{ID: id}, Position: pos})
	if err != nil {
		t.Fatal(err)
	}
	c := &closer{Reader: r}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// drain reads at least n records and on until the partition is proved to be read.
func drain(t testing.TB, r flow.Reader, n int64) out {
	t.Helper()
	o := out{wm: batch.NoTime}
	for c := ctx(t); ; {
		p, err := r.Read(c)
		if err != nil {
			t.Fatal(err)
		}
		o.page(t, p)
		if p.State == flow.CaughtUp && o.records >= n {
			return o
		}
		if c.Err() != nil {
			t.Fatalf("not at the end: %+v", o)
		}
	}
}

// read reads partition 0 of a topic as a new job would.
func (c *cluster) read(o Options) out {
	c.t.Helper()
	s := mustSource(c.t, o)
	r := open(c.t, s, o.Topics[0]+"/0", nil)
	got := drain(c.t, r, 0)
	if err := r.Close(); err != nil {
		c.t.Fatal(err)
	}
	return got
}

// failure reads until there is an error.
func failure(t testing.TB, r flow.Reader) error {
	t.Helper()
	for c := ctx(t); ; {
		if _, err := r.Read(c); err != nil {
			return err
		}
		if c.Err() != nil {
			t.Fatal("no error came")
		}
	}
}

// closer lets a test close a reader early.
type closer struct {
	flow.Reader
	closed bool
}

func (c *closer) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.Reader.Close()
}
