package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/kafkaio"
	"github.com/millrace-io/millrace/io/parquetio"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/window"
)

// fare is the column that the filter looks at.
type fare struct {
	Fare *float64 `millrace:"fare_amount"`
}

// read reads a topic and keeps the trips that cost something.
func (c *childRun) read(p *flow.Pipeline, from string, idleAfter time.Duration) flow.Rows {
	in := kafkaio.Read(p, "live", kafkaio.Options{
		Brokers: []string{c.Addr}, Topics: []string{from}, Schema: schema, EventTime: "pickup_datetime",
		MaxOutOfOrder: disorder, MaxAhead: kafkaio.Never, IdleAfter: idleAfter,
	})
	return flow.Filter("paid", in.Rows, func(f fare) bool {
		c.firstRow()
		return f.Fare != nil && *f.Fare > 0
	}).Rows
}

// sink is the case of rows that go to files as they are.
func (c *childRun) sink(p *flow.Pipeline) {
	parquetio.Write("trips", c.read(p, topic, kafkaio.Never), parquetio.Options{URL: c.lake()})
}

// window is the case of windows of one minute per pickup zone.
func (c *childRun) window(p *flow.Pipeline) {
	w := window.Fixed("minutes", c.read(p, topic, kafkaio.Never), minute, window.Options{
		Keys: []string{"pu_location_id"}, Start: "start",
		Values: window.Values{"trips": window.Count(), "total_amount": window.Sum("total_amount")},
	})
	parquetio.Write("windows", w.Rows, parquetio.Options{URL: c.lake()})
}

func (c *childRun) lake() string { return filepath.Join(c.Out, "lake") }

// durable runs a pipeline to the end of the topic, with its state in a job directory.
func (c *childRun) durable(build func(*flow.Pipeline)) error {
	return c.start(build, 200*time.Millisecond)
}

// idle runs the sink on a topic with one record, whose event time follows the clock, until it is told to stop.
func (c *childRun) idle() error {
	return c.start(func(p *flow.Pipeline) {
		parquetio.Write("trips", c.read(p, oneTopic, 0), parquetio.Options{URL: c.lake()})
	}, 0)
}

func (c *childRun) start(build func(*flow.Pipeline), untilIdle time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	_, err := runners.Run(ctx, build, runners.Options{
		Pipeline: "bench", Name: "bench", Job: filepath.Join(c.Out, "job"), UntilIdle: untilIdle,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	return err
}
