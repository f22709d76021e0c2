// Package jobdir is a job's directory: who holds it, how often it was started, what it belongs to, and what is asked of the
// process that runs it.
//
//	lock      flock(2) of the living holder; its text names the last one
//	epoch     how often the job was started
//	job.json  Meta
//	request   a verb for the process that runs the job
//	state/    the store
package jobdir

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// Meta is what the directory says of its job.
type Meta struct {
	Version     int    `json:"version"`
	Name        string `json:"name"`
	Pipeline    string `json:"pipeline"`
	Incarnation string `json:"incarnation"`
	// Fingerprint is the graph's. Recorded are the answers that the graph was built with.
	Fingerprint string            `json:"fingerprint,omitempty"`
	Recorded    map[string][]byte `json:"recorded,omitempty"`
	// State is what the last process to hold the job said: "", running, stopped or finished.
	State string `json:"state,omitempty"`
	// Started says that the job was attached to its sinks, so that its state may hold work.
	Started bool `json:"started,omitempty"`
}

const version = 1

// Dir is a directory that this process holds.
type Dir struct {
	path  string
	lock  *os.File
	epoch int64
	meta  Meta
}

// ErrForeign: the directory is not empty and no job's, or another job's.
var ErrForeign = errors.New("the directory does not belong to this job")

// Open takes the directory, and makes it if it is not there. A *HeldError names the living process that holds it. What a
// process leaves that was killed needs no cleaning: its lock died with it.
func Open(path string, o Options) (*Dir, error) {
	if err := checkPlace(path, o.Name); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
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
	if _, err := os.Stat(filepath.Join(path, "epoch")); err == nil {
		return nil // a job was here, and was reset
	}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("job directory %s: %w", path, err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{"lock", "request"}, e.Name()) && !strings.HasSuffix(e.Name(), tmpSuffix) {
			return fmt.Errorf("%w: %s is no job directory, it holds %q; choose an empty one with --job", ErrForeign, path, e.Name())
		}
	}
	return nil
}

func (d *Dir) begin(o Options) error {
	if err := d.raiseEpoch(); err != nil {
		return err
	}
	if err := d.sign(); err != nil {
		return err
	}
	if err := os.Remove(d.file("request")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("job directory %s: %w", d.path, err)
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
	return d.writeMeta()
}

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// Path gives the directory, StatePath the place of the store in it.
func (d *Dir) Path() string { return d.path }

// StatePath gives the place of the store.
func (d *Dir) StatePath() string { return d.file("state") }

// Epoch counts the starts of the job, this one included.
func (d *Dir) Epoch() int64 { return d.epoch }

// Meta gives what the directory says of its job.
func (d *Dir) Meta() Meta { return d.meta }

// Update changes Meta, durably.
func (d *Dir) Update(change func(*Meta)) error {
	change(&d.meta)
	return d.writeMeta()
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

// Check says whether this process still holds the directory.
func (d *Dir) Check() error {
	e, err := readEpoch(d.path)
	if err != nil {
		return err
	}
	if e != d.epoch {
		return fmt.Errorf("%w: job directory %s is at start %d, this process is start %d", ErrFenced, d.path, e, d.epoch)
	}
	return nil
}

func (d *Dir) raiseEpoch() error {
	e, err := readEpoch(d.path)
	if err != nil {
		return err
	}
	d.epoch = e + 1
	return replace(d.file("epoch"), []byte(strconv.FormatInt(d.epoch, 10)+"\n"))
}

func readEpoch(path string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(path, "epoch"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("job directory %s: %w", path, err)
	}
	e, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("job directory %s: the file epoch is damaged: %q", path, b)
	}
	return e, nil
}

func readMeta(path string) (m Meta, found bool, err error) {
	b, err := os.ReadFile(filepath.Join(path, "job.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, false, fmt.Errorf("job directory %s: the file job.json cannot be read: %w", path, err)
	}
	if m.Version != version {
		return m, false, fmt.Errorf("job directory %s: version %d is not known; use the program that wrote it or a newer one", path, m.Version)
	}
	return m, true, nil
}

func (d *Dir) writeMeta() error {
	b, err := json.MarshalIndent(d.meta, "", "  ")
	if err != nil {
		return err
	}
	return replace(d.file("job.json"), append(b, '\n'))
}

const tmpSuffix = ".tmp"

// replace writes a file whole or not at all, durably.
func replace(path string, data []byte) error {
	f, err := os.OpenFile(path+tmpSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+tmpSuffix, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
