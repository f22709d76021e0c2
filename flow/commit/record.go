package commit

import (
	"encoding/json"
	"fmt"
)

// encodeRecord gives one JSON object and a line feed, so that a person can read the ledger with any tool.
func encodeRecord[T any](what string, v T) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("commit: encode %s: %w", what, err)
	}
	return append(data, '\n'), nil
}

func decodeRecord[T any](what string, data []byte, v *T) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("commit: the %s is damaged or of another version: %w", what, err)
	}
	return nil
}
