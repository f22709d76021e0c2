package jobdir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	if h.PID == 0 {
		return "a process that has not signed yet"
	}
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

// How long take waits: for an Inspect, which has the lock for a moment, and for a killed process to end.
const (
	retryEvery     = 20 * time.Millisecond
	triesInspected = 10
	triesKilled    = 500
)

// take locks the directory. Source: flock(2): the lock goes with the process, however it ends.
func take(path string, takeover bool) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("job directory %s: %w", path, err)
	}
	err = lockWithin(f, triesInspected)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = contend(path, f, takeover)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// contend takes a lock that another process has, or says why not.
func contend(path string, f *os.File, takeover bool) error {
	h := readHolder(path)
	if !takeover {
		return &HeldError{Path: path, Holder: h}
	}
	if err := kill(path, h); err != nil {
		return err
	}
	err := lockWithin(f, triesKilled)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w; it was killed and does not end", &HeldError{path, h})
	}
	return err
}

func lockWithin(f *os.File, tries int) error {
	err := tryLock(f, syscall.LOCK_EX)
	for i := 1; i < tries && errors.Is(err, syscall.EWOULDBLOCK); i++ {
		time.Sleep(retryEvery)
		err = tryLock(f, syscall.LOCK_EX)
	}
	return err
}

func tryLock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// readHolder says who signed the lock last.
func readHolder(path string) Holder {
	b, err := os.ReadFile(filepath.Join(path, lockName))
	if err != nil {
		return Holder{}
	}
	return parseHolder(b)
}

// parseHolder gives nothing for a lock that nobody has signed, or only half.
func parseHolder(b []byte) Holder {
	var h Holder
	if json.Unmarshal(b, &h) != nil {
		return Holder{}
	}
	return h
}

// kill ends the holder, if it is a process of this host that is provably the one that signed.
func kill(path string, h Holder) error {
	me, held := self(), &HeldError{path, h}
	switch {
	case h.PID <= 0 || h.Began == "" || h.Boot == "":
		return fmt.Errorf("%w; it cannot be ended, since it is not known which process it is", held)
	case h.Host != me.Host || h.Boot != me.Boot:
		return fmt.Errorf("%w; it cannot be ended from here, since this is host %s: end it there", held, me.Host)
	case h.PID == me.PID:
		return fmt.Errorf("%w; that is this process itself", held)
	}
	p, err := os.FindProcess(h.PID) // from here on the number cannot come to mean another process
	if err != nil {
		return fmt.Errorf("%w; it cannot be ended: %w", held, err)
	}
	defer p.Release() //nolint:errcheck // frees a descriptor
	if began(h.PID) != h.Began {
		return fmt.Errorf("%w; its process is gone or another one has its number now: end the one that has the file lock open", held)
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%w; it cannot be ended: %w", held, err)
	}
	return nil
}

// sign writes into the lock who holds it.
func (d *Dir) sign() error {
	h := self()
	h.Epoch, h.Since = d.epoch, time.Now().UTC()
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	d.signature = append(b, '\n')
	err = d.lock.Truncate(0)
	if err == nil {
		_, err = d.lock.WriteAt(d.signature, 0)
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

// began gives a process's start time in clock ticks since boot; "" if there is no such process.
func began(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return parseBegan(b)
}

// parseBegan takes field 22 out of /proc/pid/stat. Source: proc(5); the second field may hold blanks and parentheses.
func parseBegan(b []byte) string {
	rest := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(rest) < 20 {
		return ""
	}
	return string(rest[19])
}
