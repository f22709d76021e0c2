package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace-io/millrace/pipelines/trips/tlc"
)

const (
	topic      = "trips"
	partitions = 4
	// streamTime is how long the stream takes.
	streamTime = 12 * time.Second
)

// kafka is the in-process broker and what is to be produced.
type kafka struct {
	d       *demo
	cluster *kfake.Cluster
	client  *kgo.Client
	records [][]byte
}

// prepare makes the database and starts the broker.
func (d *demo) prepare() (*kafka, error) {
	if err := tlc.WriteSQLite(d.path("history.db"), 1, "2019-01", "2019-02"); err != nil {
		return nil, fmt.Errorf("make the history: %w", err)
	}
	d.say("history: January and February 2019 in %s", d.path("history.db"))
	recs, err := tlc.Stream("2019-03", tlc.StreamOptions{
		Seed: 7, Disorder: 5 * time.Minute, Doubled: 20, Broken: 5, Late: 5, LateBy: 20 * time.Hour, Vendors: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make the stream: %w", err)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return nil, fmt.Errorf("start Kafka in this process: %w", err)
	}
	d.brokers = cluster.ListenAddrs()[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(d.brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxVersions(kversion.V3_7_0()))
	if err != nil {
		cluster.Close()
		return nil, err
	}
	d.say("stream: March 2019, with disorder, doubled, broken and late records, in topic %s at %s", topic, d.brokers)
	return &kafka{d, cluster, client, recs}, nil
}

func (k *kafka) close() {
	k.client.Close()
	k.cluster.Close()
}

// produce writes the records over streamTime; the channel gives the outcome.
func (k *kafka) produce() <-chan error {
	done := make(chan error, 1)
	go func() {
		const pieces = 100
		tick := time.NewTicker(streamTime / pieces)
		defer tick.Stop()
		for i := range pieces {
			<-tick.C
			from, to := i*len(k.records)/pieces, (i+1)*len(k.records)/pieces
			for j, r := range k.records[from:to] {
				k.client.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: int32((from + j) % partitions), Value: r}, nil)
			}
			if err := k.client.Flush(context.Background()); err != nil {
				done <- fmt.Errorf("produce: %w", err)
				return
			}
			k.d.produced = to
		}
		done <- nil
	}()
	return done
}

// child is a run of the pipeline in a process of its own.
type child struct {
	cmd  *exec.Cmd
	done chan error
}

func (d *demo) start(what string) (*child, error) {
	c := &child{cmd: exec.Command(d.trips, //nolint:gosec // the program that the demo is told to show
		"--name=demo", "--job="+d.path("job"), "--history=jdbc:sqlite:"+d.path("history.db"), "--kafka="+d.brokers,
		"--lake="+d.path("lake"), "--dead-letter="+d.path("dead-letter"), "--summary="+d.path("summary.json"),
		"--roll-age=1s", "--idle-after=-1s", "--until-idle=2s"), done: make(chan error, 1)}
	c.cmd.Stdout, c.cmd.Stderr = os.Stdout, os.Stderr
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w; build it with make build", d.trips, err)
	}
	d.say("%s: process %d", what, c.cmd.Process.Pid)
	go func() { c.done <- c.cmd.Wait() }()
	return c, nil
}

// kill ends the process as a crash does.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return err
	}
	if err := <-c.done; err == nil {
		return errors.New("the process had ended by itself before it was killed")
	}
	return nil
}

func (c *child) wait(limit time.Duration) error {
	select {
	case err := <-c.done:
		return err
	case <-time.After(limit):
		return errors.Join(errors.New("the second run did not end in time"), c.kill())
	}
}

// waitForCommit waits until the lake has its first files and the stream is half over.
func (d *demo) waitForCommit(c *child) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for began := time.Now(); ; {
		select {
		case err := <-c.done:
			return fmt.Errorf("the first run ended by itself: %w", err)
		case <-limit:
			return errors.New("nothing was published within 30 s")
		case <-tick.C:
		}
		files, err := filepath.Glob(d.path("lake/trips/*/*/*.parquet"))
		if err != nil {
			return err
		}
		if len(files) > 0 && time.Since(began) > streamTime/2 {
			return nil
		}
	}
}
