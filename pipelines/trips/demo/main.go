// Command demo shows the trips pipeline at work: two months of history from a database, a third one live from Kafka, a
// kill -9 in the middle, and one lake in which every trip stands once.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	d := demo{began: time.Now()}
	flag.StringVar(&d.trips, "trips", "build/bin/trips", "the pipeline's command")
	flag.StringVar(&d.dir, "dir", "build/demo", "where everything is put; it is emptied first")
	flag.Parse()
	if err := d.run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is one showing.
type demo struct {
	trips, dir string
	began      time.Time
	brokers    string
	produced   int
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) say(format string, args ...any) {
	fmt.Printf("[%5.1fs] %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) run() error {
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	kafka, err := d.prepare()
	if err != nil {
		return err
	}
	defer kafka.close()
	first, err := d.start("first run")
	if err != nil {
		return err
	}
	producing := kafka.produce()
	if err := d.waitForCommit(first); err != nil {
		return err
	}
	d.say("kill -9 of process %d, in the middle of the work", first.cmd.Process.Pid)
	if err := first.kill(); err != nil {
		return err
	}
	second, err := d.start("second run")
	if err != nil {
		return err
	}
	if err := <-producing; err != nil {
		return err
	}
	d.say("the stream has ended: %d records", d.produced)
	if err := second.wait(45 * time.Second); err != nil {
		return err
	}
	return d.report()
}
