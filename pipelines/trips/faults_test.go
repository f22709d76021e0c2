package main

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/kafkaio"
	"github.com/millrace-io/millrace/runners"
)

// write makes a file of the site.
func (s *site) write(path, content string) {
	s.t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// sql changes the database.
func (s *site) sql(statements ...string) {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.history)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			s.t.Fatalf("%s: %v", q, err)
		}
	}
}

// A database that is not there or is none is a mistake in the arguments; nothing is started.
func TestNoDatabase(t *testing.T) {
	s := newSite(t)
	url := "--history=jdbc:sqlite:" + s.history
	s.must(runners.ExitUsage, s.history+" does not exist", url)
	s.write(s.history, "a text of more than one hundred bytes, "+strings.Repeat("which is no database at all ", 8))
	s.must(runners.ExitUsage, "file is not a database")
	if err := os.Remove(s.history); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{s.lake, filepath.Join(s.dir, "job")} {
		if _, err := os.Stat(place); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was made: %v", place, err)
		}
	}
	s.withHistory("2019-01")
	tr := newTruth(t, []string{"2019-01"}, nil)
	s.must(runners.ExitOK, "finished")
	s.equal(tr)
}

// A value of a wrong type and a record that is no JSON are dead letters that say where they came from and why, and everything
// else goes its way.
func TestUnreadableRows(t *testing.T) {
	s := newSite(t).withHistory("2019-01").withKafka()
	tr := newTruth(t, []string{"2019-01"}, nil)
	s.sql("INSERT INTO trips (vendor_id, pickup_datetime, fare_amount) VALUES (1, '2019-01-05 00:00:00', 'much')")
	s.produce([][]byte{[]byte(`{"fare_amount": 3,`), []byte(`{"fare_amount": "much"}`), []byte("\xff\xfe"), nil})
	out := s.must(runners.ExitOK, "finished", "--until-idle=500ms")
	if strings.Contains(out, "DOES NOT BALANCE") {
		t.Error(out)
	}
	s.equal(tr)
	letters := s.letters()
	for _, words := range []string{`"step":"history"`, "much", `"step":"live"`, `{\"fare_amount\": 3,`} {
		if !strings.Contains(letters, words) {
			t.Errorf("no dead letter has %s:\n%s", words, letters)
		}
	}
}

// letters gives all dead letters.
func (s *site) letters() string {
	s.t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(s.dead, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".jsonl") {
			return err
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all.String()
}

// A dump goes on over an unchanged file alone. With the old file it goes on.
func TestSchemaChangesBetweenRuns(t *testing.T) {
	s := newSite(t).withHistory("2019-01", "2019-02")
	tr := newTruth(t, []string{"2019-01", "2019-02"}, nil)
	change := func() (back func()) {
		old := s.history + ".old"
		s.system("mv", s.history, old)
		s.system("cp", old, s.history)
		s.sql("ALTER TABLE trips RENAME COLUMN fare_amount TO fare")
		return func() { s.system("mv", old, s.history) }
	}
	s.ends(s.child([]string{"MILLRACE_FAILPOINT=publish/after-claim"}), -1, "") // nothing is read
	back := change()
	s.must(runners.ExitRefused, "the source's schema has changed: Columns: there is no column \"fare_amount\"")
	back()
	s.ends(s.child([]string{"MILLRACE_FAILPOINT=stage/before-sync"}, "--workers=1"), -1, "") // a part is read
	back = change()
	s.must(runners.ExitRefused, "the source is not the one the job has read before")
	s.must(runners.ExitOK, "failed (when the cause is gone the next run goes on)", "status")
	back()
	s.must(runners.ExitOK, "finished")
	s.equal(tr)
}

// A changed graph is refused before anything is read.
func TestAnotherGraph(t *testing.T) {
	s := newSite(t).withHistory("2019-01")
	tr := newTruth(t, []string{"2019-01"}, nil)
	s.ends(s.child([]string{"MILLRACE_FAILPOINT=stage/after-sync"}), -1, "")
	s.must(runners.ExitRefused, "the pipeline has changed", "--horizon=1h")
	s.must(runners.ExitOK, "finished")
	s.equal(tr)
}

// A job directory that is none, or another job's, is left alone.
func TestForeignJobDirectory(t *testing.T) {
	s := newSite(t).withHistory("2019-01")
	s.write(filepath.Join(s.dir, "job", "thesis.txt"), "precious")
	s.must(runners.ExitRefused, `is no job directory, it holds "thesis.txt"; choose an empty one with --job`)
	s.must(runners.ExitRefused, "is no job directory", "reset", "--replace")
	if data, err := os.ReadFile(filepath.Join(s.dir, "job", "thesis.txt")); string(data) != "precious" {
		t.Errorf("%q, %v", data, err)
	}
	job := "--job=" + filepath.Join(s.dir, "job2")
	s.must(runners.ExitOK, "finished", job)
	s.must(runners.ExitRefused, `holds job "trips-test" of pipeline`, job, "--name=other")
	s.must(runners.ExitOK, "nothing new", job)
}

// mount mounts a tmpfs and gives a function that changes its size.
func (s *site) mount(dir, size string) (resize func(size string)) {
	s.t.Helper()
	s.system("mkdir", "-p", dir)
	if os.Getuid() != 0 || exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).Run() != nil {
		s.t.Skip("file systems cannot be mounted here")
	}
	s.unmounts(dir)
	return func(size string) { s.system("mount", "-o", "remount,size="+size, dir) }
}

// unmounts unmounts what is still mounted at the end of the test.
func (s *site) unmounts(dir string) {
	s.t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
}

func (s *site) system(name string, args ...string) {
	s.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// Where a disk is full, the run says so and fails; nothing is torn or lost, and when there is room the next run goes on.
func TestDiskFull(t *testing.T) {
	for place, size := range map[string]string{"lake": "1m", "job": "1m", "dead-letter": "8k"} {
		t.Run(place, func(t *testing.T) {
			s := newSite(t).withHistory("2019-01", "2019-02")
			tr := newTruth(t, []string{"2019-01", "2019-02"}, nil)
			dir := s.dir
			if place == "dead-letter" { // with its staging place beside it
				dir = filepath.Join(s.dir, "dead")
				s.dead = filepath.Join(dir, place)
			} else {
				dir = filepath.Join(dir, place)
			}
			resize := s.mount(dir, size)
			s.ends(s.child(nil), runners.ExitFailed, "no space left on device")
			if files, _ := filepath.Glob(s.lake + "/trips/*/*/*.parquet"); len(files) > 0 {
				if _, doubled := tr.diffTrips(s.lake); doubled != 0 {
					t.Errorf("%d rows too many", doubled)
				}
			}
			resize("200m")
			s.must(runners.ExitOK, "finished")
			s.equal(tr)
		})
	}
}

// Staging must be writable, and on the file system of what is published.
func TestStagingPlace(t *testing.T) {
	s := newSite(t).withHistory("2019-01")
	tr := newTruth(t, []string{"2019-01"}, nil)
	trips := filepath.Join(s.lake, "trips")
	s.mount(trips, "10m")
	s.must(runners.ExitRefused, "choose places on one file system")
	s.system("umount", trips)
	staging := filepath.Join(s.lake, ".millrace")
	s.system("mkdir", "-p", staging)
	s.system("mount", "--bind", staging, staging)
	s.unmounts(staging)
	s.system("mount", "-o", "remount,bind,ro", staging)
	s.must(runners.ExitFailed, "mount it writable or choose another place")
	s.system("umount", staging)
	s.must(runners.ExitOK, "finished")
	s.equal(tr)
}

// flaky are brokers that go away and come back.
type flaky struct {
	away    atomic.Bool
	refused atomic.Int64
}

func (s *site) flaky() *flaky {
	s.t.Helper()
	f := &flaky{}
	s.cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		if f.away.Load() {
			f.refused.Add(1)
			return nil, errors.New("away"), true
		}
		return nil, nil, false
	})
	return f
}

// While brokers are away for less than the source's patience the job waits, and goes on by itself.
func TestBrokersAwayForAWhile(t *testing.T) {
	s := newSite(t).withKafka()
	stream := marchStream(t)
	tr := newTruth(t, nil, stream)
	brokers := s.flaky()
	p := s.child(nil)
	s.awaitCommit("")
	before := s.through()
	s.produceFrom(stream, 0, len(stream)/2)
	s.awaitCommit(before)
	brokers.away.Store(true)
	s.await("refused requests", func() bool { return brokers.refused.Load() > 10 })
	s.must(runners.ExitOK, "running in process", "status")
	brokers.away.Store(false)
	s.produceFrom(stream, len(stream)/2, len(stream))
	s.awaitTrips(tr)
	s.must(runners.ExitOK, "finished", "drain", "--close")
	s.ends(p, runners.ExitOK, "finished")
	s.equal(tr)
}

// Beyond that the run fails, says what to do, and the next one goes on.
func TestBrokersAwayForLong(t *testing.T) {
	s := newSite(t).withKafka()
	brokers := s.flaky()
	s.produce([][]byte{[]byte(`{"id": 1, "at": "2024-01-01T00:00:00Z"}`)})
	var got *flow.Collection[struct{ ID int64 }]
	stores := &flow.Stores{}
	run := func() error {
		_, err := runners.Run(context.Background(), func(p *flow.Pipeline) {
			in := kafkaio.Read(p, "in", kafkaio.Options{
				Brokers: []string{s.brokers}, Topics: []string{s.topic}, Schema: rides, EventTime: "at", Timeout: time.Second,
			})
			got = flow.Collect[struct{ ID int64 }]("out", in.Rows)
		}, runners.Options{Pipeline: "rides", Job: filepath.Join(s.dir, "job"), UntilIdle: 300 * time.Millisecond, Stores: stores})
		return err
	}
	brokers.away.Store(true)
	err := run()
	if !errors.Is(err, kafkaio.ErrAway) || !strings.Contains(err.Error(), "nothing is lost, the job goes on when it is started again") {
		t.Fatalf("got %v", err)
	}
	brokers.away.Store(false)
	if err := run(); err != nil {
		t.Fatal(err)
	}
	rows, err := got.Rows(context.Background())
	if err != nil || len(rows) != 1 {
		t.Errorf("rows %v, %v", rows, err)
	}
}

// Another cluster at the same address is not the one that was read.
func TestAnotherCluster(t *testing.T) {
	s := newSite(t).withKafka()
	stream := marchStream(t)
	s.produceFrom(stream, 0, 100)
	s.must(runners.ExitOK, "stopped", "--until=now")
	s.replaceCluster()
	s.produceFrom(stream, 0, 100)
	s.must(runners.ExitRefused, "start a new job for the new topic, or reset this one")
}

// replaceCluster puts a new cluster in the place of the site's.
func (s *site) replaceCluster() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.brokers)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		s.t.Fatal(err)
	}
	s.client.Close()
	s.cluster.Close()
	s.connect(kfake.Ports(n))
}

var rides = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us},
}, nil)
