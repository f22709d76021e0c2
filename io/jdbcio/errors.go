package jdbcio

import "errors"

// Sentinels that callers branch on.
var (
	// ErrNoTable: the table or view does not exist.
	ErrNoTable = errors.New("no such table or view")
	// ErrNoFile: the database file does not exist or cannot be read.
	ErrNoFile = errors.New("no database file")
)
