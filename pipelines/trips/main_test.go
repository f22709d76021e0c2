package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace-io/millrace/pipelines/trips/tlc"
	"github.com/millrace-io/millrace/runners"
)

// childEnv makes the test binary the pipeline's own command, so that tests can kill it.
const childEnv = "MILLRACE_TRIPS_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// site is the place where a test's pipeline runs.
type site struct {
	t                        *testing.T
	dir, lake, dead, history string
	brokers                  string
	topic                    string
	cluster                  *kfake.Cluster
	client                   *kgo.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	if raceDetector {
		t.Skip("runs whole jobs: left to the run without the race detector")
	}
	dir := t.TempDir()
	return &site{t: t, dir: dir, lake: filepath.Join(dir, "lake"), dead: filepath.Join(dir, "dead-letter"), history: filepath.Join(dir, "trips.db"), topic: "trips"}
}

// withHistory makes the database.
func (s *site) withHistory(months ...string) *site {
	s.t.Helper()
	if err := tlc.WriteSQLite(s.history, 1, months...); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// withKafka starts an in-process Kafka with a topic of 4 partitions.
func (s *site) withKafka() *site {
	s.t.Helper()
	s.connect()
	return s
}

// connect starts the Kafka and a client.
func (s *site) connect(more ...kfake.Opt) {
	s.t.Helper()
	var err error
	if s.cluster, err = kfake.NewCluster(append(more, kfake.NumBrokers(1), kfake.SeedTopics(4, s.topic))...); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.cluster.Close)
	s.brokers = s.cluster.ListenAddrs()[0]
	if s.client, err = kgo.NewClient(kgo.SeedBrokers(s.brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxVersions(kversion.V3_7_0())); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.client.Close)
}

// produce writes records round the partitions, in order.
func (s *site) produce(records [][]byte) { s.produceFrom(records, 0, len(records)) }

// produceFrom writes the records from i to j.
func (s *site) produceFrom(records [][]byte, i, j int) {
	s.t.Helper()
	for ; i < j; i++ {
		s.client.Produce(context.Background(), &kgo.Record{Topic: s.topic, Partition: int32(i % 4), Value: records[i]}, nil)
	}
	if err := s.client.Flush(context.Background()); err != nil {
		s.t.Error(err)
	}
}

// args are the command's arguments for this site.
func (s *site) args(more ...string) []string {
	a := []string{
		"--name=trips-test", "--job=" + filepath.Join(s.dir, "job"), "--lake=" + s.lake, "--dead-letter=" + s.dead,
		"--summary=" + filepath.Join(s.dir, "summary.json"), "--roll-age=200ms", "--idle-after=-1s",
	}
	if _, err := os.Stat(s.history); err == nil {
		a = append(a, "--history=jdbc:sqlite:"+s.history)
	}
	if s.brokers != "" {
		a = append(a, "--kafka="+s.brokers)
	} else {
		a = append(a, "--stream=false")
	}
	return append(a, more...)
}

// run runs the command in this process.
func (s *site) run(more ...string) (code int, out, errs string) {
	s.t.Helper()
	var o, e bytes.Buffer
	code = runners.Command(s.args(more...), build, runners.Streams{Out: &o, Err: &e})
	return code, o.String(), e.String()
}

// child starts the command in a process of its own.
func (s *site) child(env []string, more ...string) *child {
	s.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	c := &child{cmd: exec.Command(exe, s.args(more...)...), done: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), childEnv+"=1"), env...)
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	if err := c.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		c.err = c.cmd.Wait()
	}()
	return c
}

// child is a running command.
type child struct {
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{}
	err  error
}

// wait waits for the end and gives the exit code; -1 if a signal ended it.
func (c *child) wait(limit time.Duration) (int, error) {
	select {
	case <-c.done:
		return c.cmd.ProcessState.ExitCode(), nil
	case <-time.After(limit):
		_ = c.cmd.Process.Kill()
		<-c.done
		return 0, fmt.Errorf("not done after %s:\n%s", limit, c.out.String())
	}
}

// kill ends the process as a crash does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}
