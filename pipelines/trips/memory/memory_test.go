package memory_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/jdbcio"
	"github.com/millrace-io/millrace/io/kafkaio"
	"github.com/millrace-io/millrace/io/parquetio"
	"github.com/millrace-io/millrace/pipelines/trips/tlc"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/runners/direct"
	"github.com/millrace-io/millrace/transforms/clean"
)

const (
	budget = 256 << 20
	// bound is what a process may take in all with that budget.
	bound = budget + 100<<20
	// childEnv holds the orders of TestChild.
	childEnv = "MILLRACE_MEMORY_CHILD"
)

// orders say what the child runs.
type orders struct {
	Rows    int64
	Dir     string
	History string
	Brokers []string
}

// A dump of many rows goes to files, by day and vendor.
func TestDump(t *testing.T) {
	o := newOrders(t)
	if os.Getenv("MILLRACE_NIGHTLY") != "" {
		o.Rows *= 10
	}
	o.History = filepath.Join(o.Dir, "trips.db")
	fillHistory(t, o.History, o.Rows)
	o.run(t)
}

// A stream outruns its sink: the step in front of it takes nothing unless the queue is full.
func TestFastStream(t *testing.T) {
	o := newOrders(t)
	if os.Getenv("MILLRACE_NIGHTLY") != "" {
		o.Rows *= 3
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "trips"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.Brokers = c.ListenAddrs()
	fillTopic(t, o.Brokers, o.Rows)
	o.run(t)
}

func newOrders(t *testing.T) orders {
	t.Helper()
	if testing.Short() || raceDetector {
		t.Skip("a million rows")
	}
	return orders{Rows: 1_000_000, Dir: t.TempDir()}
}

// fillHistory makes a database of that many trips: those of some months, over and over.
func fillHistory(t *testing.T, path string, rows int64) {
	t.Helper()
	if err := tlc.WriteSQLite(path, 1, "2019-01", "2019-02", "2019-03"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for n := int64(0); n < rows; {
		if err := db.QueryRow("SELECT count(*) FROM trips").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO trips SELECT * FROM trips LIMIT ?", max(rows-n, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

// fillTopic produces that many trips: those of a month, over and over.
func fillTopic(t *testing.T, brokers []string, rows int64) {
	t.Helper()
	month, err := tlc.Stream("2019-03", tlc.StreamOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic("trips"), kgo.MaxVersions(kversion.V3_7_0()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i := range rows {
		cl.Produce(t.Context(), &kgo.Record{Value: month[i%int64(len(month))]}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// run runs the child.
func (o orders) run(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-test.run=^TestChild$", "-test.timeout=0", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestChild is the process of the tests above.
func TestChild(t *testing.T) {
	text := os.Getenv(childEnv)
	if text == "" {
		t.Skip("runs as a child of the other tests")
	}
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	debug.SetMemoryLimit(budget) // as --memory does
	slow := &slowStep{rows: o.Rows, engine: &direct.Control{}, control: &flow.Control{}}
	res, err := runners.Run(t.Context(), func(p *flow.Pipeline) { o.pipeline(p, slow) }, runners.Options{
		Name: "memory", Job: filepath.Join(o.Dir, "job"), Memory: budget, UntilIdle: 200 * time.Millisecond,
		Engine: slow.engine, Control: slow.control,
	})
	if err != nil {
		t.Fatal(err)
	}
	a := res.Sinks[0]
	if a.Read != o.Rows || a.Balanced == nil || !*a.Balanced || a.Waiting != 0 || a.Written < o.Rows*9/10 {
		t.Errorf("the account: %+v", a)
	}
	if o.History == "" && slow.most.Load() < queueBound {
		t.Errorf("the queue was never full: at most %d MiB", slow.most.Load()>>20)
	}
	took := peak(t)
	if took > bound {
		t.Errorf("the process took %d MiB, of %d", took>>20, bound>>20)
	}
	t.Logf("%d rows, %d written in %d files, queued at most %d MiB, took at most %d MiB",
		o.Rows, a.Written, a.Files, slow.most.Load()>>20, took>>20)
}

// peak gives the most that this process has had in memory. (What the kernel tells the parent would include the parent's own
// size at the fork.)
func peak(t *testing.T) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("only Linux tells what a process took at most: ", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		t.Fatal("VmHWM: ", err)
	}
	return bytes << 10
}

// schema is that of tlc's trips.
func schema() *arrow.Schema {
	types := map[string]arrow.DataType{
		"INTEGER": arrow.PrimitiveTypes.Int64, "REAL": arrow.PrimitiveTypes.Float64, "TEXT": arrow.BinaryTypes.String,
	}
	var fields []arrow.Field
	for _, c := range tlc.Columns {
		f := arrow.Field{Name: c[0], Type: types[c[1]], Nullable: true}
		if strings.HasSuffix(c[0], "_datetime") {
			f.Type = arrow.FixedWidthTypes.Timestamp_us
		}
		fields = append(fields, f)
	}
	return arrow.NewSchema(fields, nil)
}

// pipeline is that of trips without the steps that keep rows in their state.
func (o orders) pipeline(p *flow.Pipeline, slow *slowStep) {
	const at = "pickup_datetime"
	var in flow.Input
	if o.History != "" {
		in = jdbcio.Read(p, "history", jdbcio.Options{URL: "jdbc:sqlite:" + o.History, Table: "trips", Schema: schema(), EventTime: at})
	} else {
		in = kafkaio.Read(p, "live", kafkaio.Options{Brokers: o.Brokers, Topics: []string{"trips"}, Schema: schema(), EventTime: at})
	}
	rows := clean.Rows("clean", in.Rows, clean.Required("dropoff_datetime"), clean.Positive("fare_amount")).Rows
	if o.History == "" {
		rows = flow.Apply("keyed", rows, flow.Operator{
			Kind: "pass", Keys: []string{}, Schema: rows.Schema(), Open: func() flow.Group { return passGroup{} },
		}).Rows
		rows = flow.Transform("slow", rows, flow.Step{
			Kind: "slow", Schema: rows.Schema(), Open: func() (flow.StepFunc, error) { return slow.pass, nil },
		}).Rows
	}
	parquetio.Write("trips", rows, parquetio.Options{
		URL: filepath.Join(o.Dir, "lake"), PartitionBy: []string{"day(pickup_datetime)", "vendor_id"},
	})
}

// passGroup hands rows on and keeps nothing.
type passGroup struct{}

func (passGroup) Restore([]byte, []*batch.Batch) error { return nil }
func (passGroup) Process(in *batch.Batch, out *flow.Out) error {
	out.Emit(in)
	return nil
}
func (passGroup) Close(int64, *flow.Out) error { return nil }
func (passGroup) Closes() []flow.Closing       { return nil }
func (passGroup) Header() []byte               { return nil }

// queueBound is how full the queue has to be before the slow step takes anything: the engine lets sources rest at half of the
// budget.
const queueBound = budget/2 - 16<<20

// slowStep passes batches as long as the queue in front of it is full or there is nothing more to read.
type slowStep struct {
	rows    int64
	engine  *direct.Control
	control *flow.Control
	most    atomic.Int64
}

func (s *slowStep) pass(in *batch.Batch, out *flow.StepOut) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !s.full() {
		<-tick.C
	}
	out.Emit(in)
	return nil
}

func (s *slowStep) full() bool {
	var queued, read int64
	for _, st := range s.engine.Progress() {
		queued += st.QueuedBytes
	}
	for _, p := range s.control.Partitions() {
		read += p.Records
	}
	s.most.Store(max(s.most.Load(), queued))
	return queued >= queueBound || read >= s.rows
}
