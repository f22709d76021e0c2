package jsonarrow

import (
	"errors"
	"fmt"
	"strings"
)

// ErrEmpty is wrapped by the *RowError of a record that holds no document: no bytes at all, white space, or a byte
// order mark alone.
var ErrEmpty = errors.New("the message is empty")

// RowError says why a record does not fit the schema.
type RowError struct {
	// Column is the path of the value, such as "trip.stops[2].name"; empty if the record is no JSON object.
	Column string
	// Offset is where in the record the fault was found, in bytes from its start.
	Offset int
	// Reason says what is wrong, for a person.
	Reason string

	empty bool
}

// Error gives column, reason and offset in one line.
func (e *RowError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("%s (at byte %d)", e.Reason, e.Offset)
	}
	return fmt.Sprintf("column %q: %s (at byte %d)", e.Column, e.Reason, e.Offset)
}

// Unwrap gives ErrEmpty for an empty message.
func (e *RowError) Unwrap() error {
	if e.empty {
		return ErrEmpty
	}
	return nil
}

// in puts the name of an outer column in front of the path.
func (e *RowError) in(name string) *RowError {
	switch {
	case e.Column == "":
		e.Column = name
	case strings.HasPrefix(e.Column, "["):
		e.Column = name + e.Column
	default:
		e.Column = name + "." + e.Column
	}
	return e
}

// element puts the place in a list in front of the path.
func (e *RowError) element(i int) *RowError {
	sep := "."
	if e.Column == "" || strings.HasPrefix(e.Column, "[") {
		sep = ""
	}
	e.Column = fmt.Sprintf("[%d]%s%s", i, sep, e.Column)
	return e
}

// shown cuts text that goes into a reason, so that an error stays small whatever the record holds.
func shown(text []byte) string {
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%q...", text[:most])
	}
	return fmt.Sprintf("%q", text)
}
