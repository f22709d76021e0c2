package commit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// encodeRecord gives one JSON object and a line feed, so that a person can read the ledger with any tool.
func encodeRecord[T any](what string, v T) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("commit: encode %s: %w", what, err)
	}
	return append(data, '\n'), nil
}

// decodeRecord reads exactly one JSON object without unknown fields.
func decodeRecord[T any](what string, data []byte, v *T) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("commit: the %s is damaged or of another version: %w", what, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("commit: the %s is damaged: bytes behind its end", what)
	}
	return nil
}
