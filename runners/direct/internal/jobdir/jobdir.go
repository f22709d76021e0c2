// Package jobdir is a job's directory: who holds it, how often it was started, what it belongs to, and what is asked of the
// process that runs it.
//
//	lock      flock(2) of the living holder; its text names the last one
//	epoch     how often the job was started
//	job.json  Meta
//	request   what another process asks of the one that runs the job
//	state/    the store
package jobdir

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	lockName    = "lock"
	epochName   = "epoch"
	metaName    = "job.json"
	requestName = "request"
	stateName   = "state"
)

// Options of Open.
type Options struct {
	// Name is the job's name. Required.
	Name string
	// Pipeline is the pipeline's name, for people.
	Pipeline string
	// Takeover kills the process on this host that holds the directory.
	Takeover bool
}

// Dir is a directory that this process holds. Its methods may be called from any goroutine.
type Dir struct {
	path      string
	lock      *os.File
	epoch     int64
	signature []byte // what the lock says as long as the directory is ours

	mu   sync.Mutex
	meta Meta
}

// ErrForeign: the directory is not empty and no job's, or another job's.
var ErrForeign = errors.New("the directory does not belong to this job")

// Open takes the directory, and makes it if it is not there. A *HeldError names the living process that holds it. What a
// process leaves that was killed needs no cleaning: its lock died with it.
func Open(path string, o Options) (*Dir, error) {
	if err := checkPlace(path, o.Name); err != nil {
		return nil, err
	}
	if err := makeDir(path); err != nil {
		return nil, fmt.Errorf("job directory %s: %w; choose another one with --job", path, err)
	}
	lock, err := take(path, o.Takeover)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock}
	if err := d.begin(o); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

// checkPlace refuses a directory with foreign content before anything is written to it.
func checkPlace(path, name string) error {
	m, found, err := readMeta(path)
	switch {
	case err != nil:
		return err
	case found && m.Name != name:
		return fmt.Errorf("%w: %s holds job %q of pipeline %q, not %q", ErrForeign, path, m.Name, m.Pipeline, name)
	case found:
		return nil
	}
	if _, err := os.Stat(filepath.Join(path, epochName)); err == nil {
		return nil // a job was here, and was reset
	}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("job directory %s: %w", path, err)
	}
	for _, e := range entries {
		// An Open that was interrupted leaves a lock, and every new ext4 file system has a lost+found.
		if !slices.Contains([]string{lockName, "lost+found"}, e.Name()) && !strings.HasPrefix(e.Name(), tempPrefix) {
			return fmt.Errorf("%w: %s is no job directory, it holds %q; choose an empty one with --job", ErrForeign, path, e.Name())
		}
	}
	return nil
}

// begin makes a directory of which the lock is ours this process's own.
func (d *Dir) begin(o Options) error {
	if err := checkPlace(d.path, o.Name); err != nil { // another process may have been here before the lock was ours
		return err
	}
	if err := d.sweep(); err != nil {
		return err
	}
	if err := d.raiseEpoch(); err != nil {
		return err
	}
	if err := d.sign(); err != nil {
		return err
	}
	m, found, err := readMeta(d.path)
	if err != nil {
		return err
	}
	if d.meta = m; found {
		return nil
	}
	if err := os.RemoveAll(d.StatePath()); err != nil { // left by a reset that was interrupted
		return fmt.Errorf("job directory %s: %w", d.path, err)
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	d.meta = Meta{Version: version, Name: o.Name, Pipeline: o.Pipeline, Incarnation: hex.EncodeToString(id[:])}
	return d.meta.write(d.path)
}

// sweep removes requests to earlier processes and files that were not finished.
func (d *Dir) sweep() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("job directory %s: %w", d.path, err)
	}
	for _, e := range entries {
		if e.Name() != requestName && !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if err := os.Remove(d.file(e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("job directory %s: %w", d.path, err)
		}
	}
	return nil
}

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// Path gives the directory.
func (d *Dir) Path() string { return d.path }

// StatePath gives the place of the store.
func (d *Dir) StatePath() string { return d.file(stateName) }

// Epoch counts the starts of the job, this one included.
func (d *Dir) Epoch() int64 { return d.epoch }

// Meta gives what the directory says of its job.
func (d *Dir) Meta() Meta {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.meta.clone()
}

// Update changes Meta, durably. Name and incarnation stay as they are.
func (d *Dir) Update(change func(*Meta)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.Check(); err != nil {
		return err
	}
	m := d.meta.clone()
	change(&m)
	m.Version, m.Name, m.Incarnation = version, d.meta.Name, d.meta.Incarnation
	if err := m.write(d.path); err != nil {
		return err
	}
	d.meta = m
	return nil
}

// Close gives the directory up.
func (d *Dir) Close() error {
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("give up job directory %s: %w", d.path, err)
	}
	return nil
}

// ErrFenced: another process has taken the directory.
var ErrFenced = errors.New("another process has taken the job (FENCED)")

// Check says whether this process still holds the directory. It reads two small files, since flock(2) does not hold on every
// shared volume, nor for a directory that was removed and made anew.
func (d *Dir) Check() error {
	e, err := readEpoch(d.path)
	if err != nil {
		return err
	}
	if e != d.epoch {
		return fmt.Errorf("%w: job directory %s is at start %d, this process is start %d", ErrFenced, d.path, e, d.epoch)
	}
	b, err := os.ReadFile(d.file(lockName))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFenced, err)
	}
	if !bytes.Equal(b, d.signature) {
		return fmt.Errorf("%w: job directory %s is held by %s", ErrFenced, d.path, parseHolder(b))
	}
	return nil
}

func (d *Dir) raiseEpoch() error {
	e, err := readEpoch(d.path)
	if err != nil {
		return err
	}
	d.epoch = e + 1
	return replace(d.file(epochName), []byte(strconv.FormatInt(d.epoch, 10)+"\n"))
}

func readEpoch(path string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(path, epochName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("job directory %s: %w", path, err)
	}
	e, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil || e < 0 {
		return 0, fmt.Errorf("job directory %s: the file %s is damaged: %.40q", path, epochName, b)
	}
	return e, nil
}
