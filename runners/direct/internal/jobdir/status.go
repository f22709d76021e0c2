package jobdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Status is how a directory stands.
type Status struct {
	// Exists says that a job was started here.
	Exists bool
	Meta   Meta
	// Held says that a living process holds it: Holder.
	Held   bool
	Holder Holder
}

// Inspect looks at a directory without taking it.
func Inspect(path string) (Status, error) {
	var s Status
	var err error
	if s.Meta, s.Exists, err = readMeta(path); err != nil {
		return s, err
	}
	f, err := os.Open(filepath.Join(path, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("job directory %s: %w", path, err)
	}
	defer f.Close() //nolint:errcheck // closing gives up the lock below, if it was had
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return s, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return s, fmt.Errorf("job directory %s: %w", path, err)
	}
	s.Held = true
	s.Holder, err = readHolder(f)
	return s, err
}

// Request asks the process that holds the directory for something.
func Request(path, verb string) error {
	return replace(filepath.Join(path, "request"), []byte(verb+"\n"))
}

// pollRequests is the time between two looks for a request.
const pollRequests = 200 * time.Millisecond

// Requests gives what other processes ask for, until ctx ends.
func (d *Dir) Requests(ctx context.Context) <-chan string {
	out := make(chan string)
	go func() {
		tick := time.NewTicker(pollRequests)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			b, err := os.ReadFile(d.file("request"))
			if err != nil || os.Remove(d.file("request")) != nil {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case out <- strings.TrimSpace(string(b)):
			}
		}
	}()
	return out
}

// Reset removes the job's state, so that the next Open begins a new incarnation. It refuses while the directory is held.
// The epoch goes on.
func Reset(path, name string) error {
	if err := checkPlace(path, name); err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := take(path, false)
	if err != nil {
		return err
	}
	// job.json goes first: without it, what is left of the state belongs to nobody and is never opened.
	err = os.Remove(filepath.Join(path, "job.json"))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.RemoveAll(filepath.Join(path, "state"))
	}
	if err != nil {
		err = fmt.Errorf("reset job directory %s: %w", path, err)
	}
	return errors.Join(err, lock.Close())
}
