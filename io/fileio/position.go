package fileio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow"
)

// identity says which file was read. Two files with the same one are taken to be the same.
type identity struct {
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // nanoseconds since 1970; 0 where the store has no such time
	Head     string `json:"head"`     // xxh3 of the first 64 KiB
}

func (i identity) same(now identity) error {
	if i == now {
		return nil
	}
	return fmt.Errorf("fileio: %w: %s had %d bytes, time of change %d, head %s; now %d, %d, %s: "+
		"put the file back as it was, or reset the job to read the new one",
		flow.ErrIdentity, i.Name, i.Size, i.Modified, i.Head, now.Size, now.Modified, now.Head)
}

// position is where the next record begins.
type position struct {
	File   identity `json:"file"`
	Record int64    `json:"record"` // records before it
	Line   int64    `json:"line"`   // from 1 on
	Offset int64    `json:"offset"` // in decompressed bytes
	Done   bool     `json:"done,omitempty"`
}

func decodeStrict(raw []byte, into *position) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() || into.File.Name == "" || into.Record < 0 || into.Line < 1 || into.Offset < 0 {
		return errors.New("its fields make no sense")
	}
	return nil
}

func decodePosition(raw []byte) (pos position, err error) {
	if err := decodeStrict(raw, &pos); err != nil {
		return pos, fmt.Errorf("fileio: the position is damaged: %w: reset the job", err)
	}
	return pos, nil
}

// startOf gives where an assignment begins.
func startOf(a flow.Assignment) (position, error) {
	if len(a.Position) > 0 {
		return decodePosition(a.Position)
	}
	pos := position{Line: 1}
	if err := json.Unmarshal(a.Data, &pos.File); err != nil {
		return pos, fmt.Errorf("fileio: partition %q has damaged data: %w: reset the job", a.ID, err)
	}
	return pos, nil
}
