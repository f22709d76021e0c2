package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

const (
	topic = "trips"
	// oneTopic holds a single record, for the figures of a job that has nothing to do.
	oneTopic   = "one"
	partitions = 4
)

// filled says where the broker listens and what the systems under test must make of its records.
type filled struct {
	Addr   string  `json:"addr"`
	Bytes  int64   `json:"bytes"` // of the values
	Sink   []check `json:"sink"`
	Window []check `json:"window"`
}

// host runs the broker in this process, fills it, says so on standard output, and ends with standard input.
func host(rows int64) error {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic, oneTopic))
	if err != nil {
		return err
	}
	defer c.Close()
	out := filled{Addr: c.ListenAddrs()[0]}
	g := newGenerator()
	if out.Bytes, err = fill(out.Addr, g, rows); err != nil {
		return err
	}
	out.Sink, out.Window = g.sinkChecks(), g.windowChecks()
	debug.FreeOSMemory()
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func fill(addr string, g *generator, rows int64) (size int64, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.MaxVersions(kversion.V3_7_0()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(20*time.Millisecond), kgo.MaxBufferedRecords(20_000))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	failed := func(_ *kgo.Record, err error) {
		if err != nil {
			cancel(err)
		}
	}
	for i := range rows {
		key, value, err := g.next()
		if err != nil {
			return 0, err
		}
		size += int64(len(value))
		cl.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: value}, failed)
		if i == 0 {
			cl.Produce(ctx, &kgo.Record{Topic: oneTopic, Key: []byte(key), Value: value}, failed)
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return 0, fmt.Errorf("fill the broker: %w", context.Cause(ctx))
	}
	return size, context.Cause(ctx)
}
