package jobdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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
	f, err := os.Open(filepath.Join(path, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("job directory %s: %w", path, err)
	}
	defer f.Close() //nolint:errcheck // closing gives up the lock below, if it was had
	err = tryLock(f, syscall.LOCK_SH)
	if err == nil {
		return s, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return s, err
	}
	s.Held, s.Holder = true, readHolder(path)
	return s, nil
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
	err = os.Remove(filepath.Join(path, metaName))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = syncDir(path)
	}
	if err == nil {
		err = os.RemoveAll(filepath.Join(path, stateName))
	}
	if err != nil {
		err = fmt.Errorf("reset job directory %s: %w", path, err)
	}
	return errors.Join(err, lock.Close())
}
