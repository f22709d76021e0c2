package jobdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Holder is the process that holds a directory.
type Holder struct {
	PID  int    `json:"pid"`
	Host string `json:"host"`
	// Boot tells starts of the host apart; Began is the process's start in clock ticks since then. With both, a pid
	// that was given to another process is not taken for the holder.
	Boot    string    `json:"boot"`
	Began   string    `json:"began"`
	Epoch   int64     `json:"epoch"`
	Since   time.Time `json:"since"`
	Program string    `json:"program"`
}

// String names the process.
func (h Holder) String() string {
	return fmt.Sprintf("process %d (%s) on host %s since %s", h.PID, h.Program, h.Host, h.Since.Format(time.RFC3339))
}

// HeldError says which living process holds the directory.
type HeldError struct {
	Path   string
	Holder Holder
}

// Error names the holder and says what to do.
func (e *HeldError) Error() string {
	return fmt.Sprintf("job directory %s is held by %s; wait for it, stop it with `cancel`, or end it with --takeover", e.Path, e.Holder)
}

// take locks the directory. Source: flock(2): the lock goes with the process, however it ends.
func take(path string, takeover bool) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("job directory %s: %w", path, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("lock job directory %s: %w", path, err), f.Close())
	}
	h, err := readHolder(f)
	if err == nil && !takeover {
		err = &HeldError{Path: path, Holder: h}
	}
	if err == nil {
		err = kill(path, h)
	}
	if err == nil { // the lock is free as soon as the process is gone
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func readHolder(f *os.File) (h Holder, err error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<16))
	if err != nil {
		return h, err
	}
	_ = json.Unmarshal(b, &h) // a holder that has not signed yet is named by nothing
	return h, nil
}

// kill ends the holder, if it is a process of this host that is provably the one that signed.
func kill(path string, h Holder) error {
	me := self()
	if h.Host != me.Host || h.Boot != me.Boot {
		return fmt.Errorf("%w; it cannot be ended from here, since this is host %s: end it there", &HeldError{path, h}, me.Host)
	}
	if began(h.PID) != h.Began {
		return fmt.Errorf("%w; its process is gone or another one has its number now: end the one that has the file lock open", &HeldError{path, h})
	}
	if err := syscall.Kill(h.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end %s, which holds job directory %s: %w", h, path, err)
	}
	return nil
}

// sign writes into the lock who holds it.
func (d *Dir) sign() error {
	h := self()
	h.Epoch, h.Since = d.epoch, time.Now().UTC().Truncate(time.Second)
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	err = d.lock.Truncate(0)
	if err == nil {
		_, err = d.lock.WriteAt(append(b, '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("job directory %s: sign the lock: %w", d.path, err)
	}
	return nil
}

func self() Holder {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	exe, _ := os.Executable()
	return Holder{PID: os.Getpid(), Host: host, Boot: strings.TrimSpace(string(boot)), Began: began(os.Getpid()), Program: filepath.Base(exe)}
}

// began gives a process's start time in clock ticks since boot; "" if there is no such process. Source: proc(5),
// /proc/pid/stat, field 22; the second field may hold blanks and parentheses.
func began(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	rest := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(rest) < 20 {
		return ""
	}
	return rest[19]
}
