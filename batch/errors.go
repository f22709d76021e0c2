package batch

import (
	"errors"
	"fmt"
)

// ErrDamaged marks bytes that are no encoded batch, or no longer.
var ErrDamaged = errors.New("damaged batch")

// RowError is a row that does not fit the struct.
type RowError struct {
	Row    int    // in the batch
	Column string // the column whose value does not fit
	Reason string
}

// Error says what is wrong with the row.
func (e *RowError) Error() string {
	return fmt.Sprintf("batch: row %d, column %q: %s", e.Row, e.Column, e.Reason)
}
