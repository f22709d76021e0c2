package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// childEnv holds the orders of a process that this program starts of itself.
const childEnv = "MILLRACE_BENCH_CHILD"

// childRun are the orders of a child.
type childRun struct {
	Role    string    `json:"role"` // a system's name, or the broker
	Rows    int64     `json:"rows,omitempty"`
	Addr    string    `json:"addr,omitempty"`
	Out     string    `json:"out,omitempty"`     // a folder of its own
	Profile string    `json:"profile,omitempty"` // a folder for profiles
	Started time.Time `json:"started"`

	first sync.Once
}

// firstRow notes when the first record arrived.
func (c *childRun) firstRow() {
	c.first.Do(func() { fmt.Println(time.Since(c.Started).Seconds()) })
}

// asChild does a child's work.
func asChild(orders string) error {
	var c childRun
	if err := json.Unmarshal([]byte(orders), &c); err != nil {
		return err
	}
	if c.Role == brokerRole {
		return host(c.Rows)
	}
	if c.Role == idleRole {
		return c.idle()
	}
	run := map[string]func() error{
		"sink/" + floorName: c.discard, "window/" + floorName: c.discard,
		"sink/" + stdlibName: c.plainStdlib, "window/" + stdlibName: c.plainStdlibWindow,
		"sink/" + arrowName: c.plainArrow, "window/" + arrowName: c.plainArrowWindow,
		"sink/" + millraceName:   func() error { return c.durable(c.sink) },
		"window/" + millraceName: func() error { return c.durable(c.window) },
	}[c.Role]
	if run == nil {
		return fmt.Errorf("no role %q", c.Role)
	}
	if c.Profile == "" {
		return run()
	}
	return c.profiled(run)
}

// profiled writes a CPU profile and, at the end, one of all allocations.
func (c *childRun) profiled(run func() error) error {
	path := func(kind string) string {
		return filepath.Join(c.Profile, strings.NewReplacer("/", "-", " ", "-", ":", "-").Replace(c.Role)+"."+kind)
	}
	f, err := os.Create(path("cpu"))
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	err = run()
	pprof.StopCPUProfile()
	m, merr := os.Create(path("allocs"))
	if merr == nil {
		merr = errors.Join(pprof.Lookup("allocs").WriteTo(m, 0), m.Close())
	}
	return errors.Join(err, f.Close(), merr)
}

// command makes the child's process.
func (c *childRun) command() (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c.Started = time.Now()
	orders, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe) //nolint:gosec // this program itself
	cmd.Env = append(os.Environ(), childEnv+"="+string(orders))
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// usage is what a child took.
type usage struct {
	cpu, wall, first float64 // seconds
	rss              int64   // bytes, the peak
}

// runChild runs a child to its end and takes its own CPU time, user and system, from the kernel.
func runChild(c *childRun) (u usage, err error) {
	cmd, err := c.command()
	if err != nil {
		return u, err
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return u, fmt.Errorf("%s: %w", c.Role, err)
	}
	u.wall = time.Since(c.Started).Seconds()
	if u.first, err = strconv.ParseFloat(strings.TrimSpace(out.String()), 64); err != nil {
		return u, fmt.Errorf("%s met no row: %w", c.Role, err)
	}
	ru := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	u.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	u.rss = ru.Maxrss * 1024
	return u, nil
}

// cpuOf gives the CPU seconds that a running process has taken.
func cpuOf(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var ticks int64
	for _, f := range fields[11:13] { // user and system time
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return float64(ticks) / 100, nil // the kernel's USER_HZ
}

// rssOf gives the present size of a running process in bytes.
func rssOf(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(raw), &size, &resident); err != nil {
		return 0, err
	}
	return resident * int64(os.Getpagesize()), nil
}
