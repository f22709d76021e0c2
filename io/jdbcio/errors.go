package jdbcio

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Sentinels that callers branch on.
var (
	// ErrNoTable: the table or view does not exist.
	ErrNoTable = errors.New("no such table or view")
	// ErrNoFile: the database file does not exist or cannot be read.
	ErrNoFile = errors.New("no database file")
	// ErrBusy: other programs write to the database and leave no gap for a read.
	ErrBusy = errors.New("the database is locked")
	// ErrUnfinished: a program ended in the middle of a write, and only one that may write can take that back.
	ErrUnfinished = errors.New("a write is unfinished")

	errNoColumn = errors.New("there is no column")
)

// explain says what failed, why, and what to do.
func (s *sqliteFile) explain(what string, err error) error {
	where := what + " SQLite file " + s.path
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w: there was no answer within %v, most likely since another program writes; try again when its write has ended: %w", where, ErrBusy, s.o.Timeout, err)
	}
	e := new(sqlite.Error)
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", where, err)
	}
	if e.Code() == lib.SQLITE_READONLY_ROLLBACK {
		return fmt.Errorf("%s: %w: a program ended in the middle of it; open the file once with one that may write, such as sqlite3, which takes the write back: %w", where, ErrUnfinished, err)
	}
	switch e.Code() & 0xff { // the higher bits tell kinds of one fault apart
	case lib.SQLITE_BUSY:
		return fmt.Errorf("%s: %w: another program has held it for longer than %v; try again when its write has ended: %w", where, ErrBusy, s.o.Timeout, err)
	case lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY:
		return fmt.Errorf("%s: %w: check that the file may be read and, if it has a write-ahead log, that its folder may be written, since the log's index lies there; or read a copy after PRAGMA journal_mode=DELETE: %w", where, ErrNoFile, err)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fmt.Errorf("%s: %w: the file is damaged or no database; PRAGMA integrity_check says more", where, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}
