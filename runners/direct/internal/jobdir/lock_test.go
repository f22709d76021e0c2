package jobdir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const holdEnv = "JOBDIR_TEST_HOLD"

// hold is the process that others find in a directory.
func hold(dir string) {
	d, err := Open(dir, Options{Name: "orders"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	fmt.Println(d.Close())
	os.Exit(0)
}

// holder starts a process that holds dir.
func holder(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, 5)
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "held\n" {
		t.Fatalf("the holder says %q: %v", line, err)
	}
	return cmd
}

func TestHeld(t *testing.T) {
	dir := t.TempDir()
	cmd := holder(t, dir)
	_, err := Open(dir, Options{Name: "orders"})
	var held *HeldError
	if !errors.As(err, &held) || held.Holder.PID != cmd.Process.Pid || held.Holder.Epoch != 1 {
		t.Fatalf("got %v, want a HeldError of %d", err, cmd.Process.Pid)
	}
	host, _ := os.Hostname()
	for _, part := range []string{dir, fmt.Sprint("process ", cmd.Process.Pid), host, "since 2"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if err := Reset(dir, "orders"); !errors.As(err, &held) {
		t.Errorf("reset of a held directory: %v", err)
	}
	s, err := Inspect(dir)
	if err != nil || !s.Exists || !s.Held || s.Holder.PID != cmd.Process.Pid {
		t.Errorf("%+v, %v", s, err)
	}

	// Killed, it leaves nothing to clean up.
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if s, err = Inspect(dir); err != nil || s.Held {
		t.Errorf("%+v, %v", s, err)
	}
	d := mustOpen(t, dir)
	if d.Epoch() != 2 {
		t.Errorf("epoch %d", d.Epoch())
	}
	mustClose(t, d)
}

func TestTakeover(t *testing.T) {
	dir := t.TempDir()
	cmd := holder(t, dir)
	d, err := Open(dir, Options{Name: "orders", Takeover: true})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, d)
	if err := cmd.Wait(); cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the holder ended with %v", err)
	}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
}

// TestTakeoverRefused signs the lock of a living process as various others.
func TestTakeoverRefused(t *testing.T) {
	for want, change := range map[string]func(*Holder){
		"end it there":                        func(h *Holder) { h.Host = "elsewhere" },
		"this is host":                        func(h *Holder) { h.Boot = "before" },
		"another one has its number now":      func(h *Holder) { h.Began = "1" },
		"it is not known which process it is": func(h *Holder) { h.PID = 0 },
		"not known which process":             func(h *Holder) { h.Began = "" },
		"this process itself":                 func(h *Holder) { *h = self() },
	} {
		dir := t.TempDir()
		cmd := holder(t, dir)
		h := readHolder(dir)
		change(&h)
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, lockName), string(b))
		_, err = Open(dir, Options{Name: "orders", Takeover: true})
		var held *HeldError
		if !errors.As(err, &held) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a HeldError with %q", err, want)
		}
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("the holder is gone: %v", err)
		}
	}
}

// TestInspectDisturbsNobody opens a directory while others look at it.
func TestInspectDisturbsNobody(t *testing.T) {
	dir := t.TempDir()
	mustClose(t, mustOpen(t, dir))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if s, err := Inspect(dir); err != nil || !s.Exists {
					t.Errorf("%+v, %v", s, err)
				}
			}
		})
	}
	for range 50 {
		mustClose(t, mustOpen(t, dir))
	}
	stop()
	wg.Wait()
}

func TestStartOfAProcess(t *testing.T) {
	line := "7 (a name) R) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 424242 20 21"
	if got := parseBegan([]byte(line)); got != "424242" {
		t.Errorf("got %q", got)
	}
	if began(os.Getpid()) == "" || began(1<<30) != "" {
		t.Errorf("own %q, nobody's %q", began(os.Getpid()), began(1<<30))
	}
}
