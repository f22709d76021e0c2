package jobdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
)

// Meta is what the directory says of its job.
type Meta struct {
	Version     int    `json:"version"`
	Name        string `json:"name"`
	Pipeline    string `json:"pipeline"`
	Incarnation string `json:"incarnation"`
	// Fingerprint is the graph's. Recorded are the answers that the graph was built with.
	Fingerprint string            `json:"fingerprint,omitempty"`
	Recorded    map[string][]byte `json:"recorded,omitempty"`
	// State is what the last process to hold the job said: "", running, stopped, failed or finished.
	State string `json:"state,omitempty"`
	// Failure says why it failed.
	Failure string `json:"failure,omitempty"`
	// Started says that the job was attached to its sinks, so that its state may hold work.
	Started bool `json:"started,omitempty"`
}

const version = 1

func (m Meta) clone() Meta {
	m.Recorded = maps.Clone(m.Recorded)
	return m
}

func (m Meta) write(path string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(path, metaName), append(b, '\n'))
}

func readMeta(path string) (m Meta, found bool, err error) {
	b, err := os.ReadFile(filepath.Join(path, metaName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err == nil {
		m, err = parseMeta(b)
	}
	if err != nil {
		return Meta{}, false, fmt.Errorf("job directory %s: the file %s cannot be read: %w", path, metaName, err)
	}
	return m, true, nil
}

func parseMeta(b []byte) (Meta, error) {
	var m Meta
	if err := json.Unmarshal(b, &m); err != nil {
		return Meta{}, err
	}
	if m.Version != version {
		return Meta{}, fmt.Errorf("version %d is not known; use the program that wrote it or a newer one", m.Version)
	}
	if m.Name == "" || m.Incarnation == "" {
		return Meta{}, errors.New("it names no job or no incarnation")
	}
	return m, nil
}
