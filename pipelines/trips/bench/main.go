// Command bench measures job J5: a topic of JSON records becomes typed, filtered rows in Parquet files (case sink), or sums
// per minute and zone (case window). Millrace runs durably, with its state in a job directory and each row exactly once in
// the files. It is measured against what is least possible, franz-go's consumer that throws the records away, and
// against plain Go programs in which nothing is durable.
//
// The broker runs in a process of its own, and so does every system: a system's CPU time is what the kernel charges to its
// process. The unit is CPU seconds per million records. What a system writes is read back by DuckDB (the command
// verify) and compared with the generator's truth; a run that fails that has no number.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	brokerRole = "broker"
	idleRole   = "idle"

	floorName    = "floor:franz-go discard"
	stdlibName   = "plain Go, encoding/json"
	arrowName    = "plain Go, jsonarrow"
	millraceName = "millrace"
)

func main() {
	if orders := os.Getenv(childEnv); orders != "" {
		end(asChild(orders))
	}
	var b bench
	flag.Int64Var(&b.rows, "rows", 1_000_000, "records in the topic")
	flag.IntVar(&b.runs, "runs", 5, "runs of each system; the figure is the median")
	flag.DurationVar(&b.idle, "idle", 10*time.Second, "how long an idle job is watched; 0: not at all")
	flag.StringVar(&b.dir, "dir", "build/bench", "where J5.jsonl is appended to")
	flag.StringVar(&b.profile, "profile", "", "folder for profiles of the systems")
	only := flag.String("only", "", "measure the systems whose case/name contains this")
	report := flag.Bool("report", false, "measure nothing: print the last figures in J5.jsonl as Markdown")
	flag.Parse()
	if *report {
		end(printReport(filepath.Join(b.dir, "J5.jsonl"), os.Stdout))
	}
	end(b.run(*only))
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is one call of the program.
type bench struct {
	rows    int64
	runs    int
	idle    time.Duration
	dir     string
	profile string

	tmp    string
	broker *exec.Cmd
	stdin  io.Closer
	filled filled
}

// system is one thing to measure, named case/system.
type system struct {
	role string
	runs []sample
}

// sample is one run of a system.
type sample struct {
	usage
	broker float64 // CPU seconds of the broker meanwhile
}

func (b *bench) run(only string) (err error) {
	if b.rows < 1 || b.rows > 5_000_000 || b.runs < 1 {
		return errors.New("-rows must lie between 1 and 5,000,000, since the broker holds them in memory, and -runs at 1 or above")
	}
	for _, dir := range []string{b.dir, b.profile} {
		if err := os.MkdirAll(dir, 0o755); dir != "" && err != nil {
			return err
		}
	}
	if b.tmp, err = os.MkdirTemp(b.dir, "run-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.tmp)) }()
	if err := b.startBroker(); err != nil {
		return err
	}
	defer b.stopBroker()
	systems := b.systems(only)
	for round := range b.runs {
		for i := range systems { // the order turns, so that no system always comes behind the same one
			if err := b.measure(systems[(i+round)%len(systems)]); err != nil {
				return err
			}
		}
	}
	lines := make([]line, len(systems))
	for i, s := range systems {
		lines[i] = b.line(s)
	}
	if b.idle > 0 {
		l, err := b.measureIdle()
		if err != nil {
			return err
		}
		lines = append(lines, l)
	}
	if err := appendLines(filepath.Join(b.dir, "J5.jsonl"), lines); err != nil {
		return err
	}
	return writeTable(os.Stdout, lines)
}

func (b *bench) systems(only string) (out []*system) {
	for _, c := range []string{"sink", "window"} {
		for _, name := range []string{floorName, arrowName, stdlibName, millraceName} {
			if role := c + "/" + name; strings.Contains(role, only) {
				out = append(out, &system{role: role})
			}
		}
	}
	return out
}

func (b *bench) startBroker() error {
	cmd, err := (&childRun{Role: brokerRole, Rows: b.rows}).command()
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Env, "GOMEMLIMIT="+fmt.Sprint(512<<20+1024*b.rows))
	if b.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.broker = cmd
	if err := json.NewDecoder(out).Decode(&b.filled); err != nil {
		return errors.Join(fmt.Errorf("the broker did not start: %w", err), cmd.Wait())
	}
	fmt.Fprintf(os.Stderr, "%d records of %d bytes are in the broker\n", b.rows, b.filled.Bytes/b.rows)
	return nil
}

func (b *bench) stopBroker() {
	_ = b.stdin.Close()
	_ = b.broker.Wait()
}

// measure runs a system once and has its output checked.
func (b *bench) measure(s *system) (err error) {
	c := &childRun{Role: s.role, Addr: b.filled.Addr, Profile: b.profile}
	if c.Out, err = os.MkdirTemp(b.tmp, "out-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.Out)) }()
	before, err := cpuOf(b.broker.Process.Pid)
	if err != nil {
		return err
	}
	var r sample
	if r.usage, err = runChild(c); err != nil {
		return err
	}
	after, err := cpuOf(b.broker.Process.Pid)
	if err != nil {
		return err
	}
	r.broker = after - before
	s.runs = append(s.runs, r)
	fmt.Fprintf(os.Stderr, "%-34s %6.2f CPU-s, %6.2f s, %4d MB\n", s.role, r.cpu, r.wall, r.rss>>20)
	if strings.HasSuffix(s.role, floorName) {
		return nil
	}
	return b.verify(s.role, c.Out)
}

// verify has the output read by DuckDB.
func (b *bench) verify(role, out string) error {
	checks := b.filled.Sink
	if strings.HasPrefix(role, "window/") {
		checks = b.filled.Window
	}
	orders, err := json.Marshal(checks)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	files := "*.parquet"
	if strings.HasSuffix(role, millraceName) {
		files = "lake/*.parquet"
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(exe), "verify"), filepath.Join(out, files)) //nolint:gosec // it lies beside this program
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(orders)), os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("what %s wrote is wrong: %w", role, err)
	}
	return nil
}

// measureIdle watches a durable job that has read all there is.
func (b *bench) measureIdle() (l line, err error) {
	c := &childRun{Role: idleRole, Addr: b.filled.Addr}
	if c.Out, err = os.MkdirTemp(b.tmp, "out-"); err != nil {
		return l, err
	}
	cmd, err := c.command()
	if err != nil {
		return l, err
	}
	if err := cmd.Start(); err != nil {
		return l, err
	}
	defer func() {
		err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
	}()
	time.Sleep(2 * time.Second) // it has started
	before, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return l, err
	}
	time.Sleep(b.idle)
	after, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return l, err
	}
	rss, err := rssOf(cmd.Process.Pid)
	l = b.newLine(idleRole + "/" + millraceName)
	l.Rows, l.Wall, l.RSS, l.Checked = 1, b.idle.Seconds(), float64(rss>>20), false
	l.IdlePercent = 100 * (after - before) / b.idle.Seconds()
	return l, err
}

// median gives the median, the least and the largest.
func median(v []float64) (mid, least, most float64) {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2], v[0], v[len(v)-1]
}
