package jdbcio

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// state is what tells one state of a SQLite file from every other: two states that are equal hold the same rows.
//
// A file with a rollback journal counts its transactions. With a write-ahead log it does not, but then every transaction
// appends frames to the log, and whatever moves them into the file changes the file's time. The time and the inode also
// tell a file from another one that was put in its place.
type state struct {
	size    int64
	inode   uint64
	written time.Time
	change  uint32
	log     logState
}

// logState is the last transaction in a write-ahead log: the number of its last frame and the checksum of all frames up
// to it. Both are zero if there is none. Source: SQLite file format, section 4.
type logState struct {
	frame int64
	sum   uint64
}

// String prints it; it is what positions keep.
func (s state) String() string {
	out := fmt.Sprintf("size %d, change %d, inode %d, written %s", s.size, s.change, s.inode, s.written.UTC().Format(time.RFC3339Nano))
	if s.log.frame > 0 {
		out += fmt.Sprintf(", log frame %d sum %016x", s.log.frame, s.log.sum)
	}
	return out
}

// stateOf asks for the state that conn sees. It begins a read there if none has begun. The file is not opened a second
// time: closing that would drop the locks that SQLite holds for this process.
func (s *sqliteFile) stateOf(ctx context.Context, conn *sql.Conn) (state, error) {
	var st state
	// The bytes 24 to 27 of the first page count the transactions. Source: SQLite file format, section 1.3.7.
	var count []byte
	err := conn.QueryRowContext(ctx, "SELECT substr(data, 25, 4) FROM sqlite_dbpage WHERE pgno = 1").Scan(&count)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return st, s.explain("begin to read", err)
	}
	if len(count) == 4 {
		st.change = binary.BigEndian.Uint32(count)
	}
	err = s.fileState(&st)
	return st, err
}

// fileState fills in what is seen from outside.
func (s *sqliteFile) fileState(st *state) error {
	path, err := filepath.EvalSymlinks(s.path) // the log lies beside the file itself
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoFile, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoFile, err)
	}
	st.size, st.written = info.Size(), info.ModTime()
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.inode = sys.Ino
	}
	if st.log, err = readLog(path + "-wal"); err != nil {
		return fmt.Errorf("read the write-ahead log of SQLite file %s: %w", s.path, err)
	}
	return nil
}

// readLog finds the last transaction in a log. What lies behind it is left from before the log began anew, or belongs to a
// transaction that has not ended.
func readLog(path string) (logState, error) {
	var last logState
	f, err := os.Open(path) // SQLite locks the file and its index, not the log
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err != nil {
		return last, err
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	var head [32]byte
	if ok, err := readAt(f, head[:], 0); !ok {
		return last, err
	}
	page := int64(binary.BigEndian.Uint32(head[8:]))
	if page < 512 || page > 65536 {
		return last, nil // SQLite takes it for no log either
	}
	var frame [24]byte
	for n := int64(1); ; n++ {
		ok, err := readAt(f, frame[:], 32+(n-1)*(24+page))
		if !ok || string(frame[8:16]) != string(head[16:24]) {
			return last, err
		}
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // only the last frame of a transaction has the size of the file
			last = logState{n, binary.BigEndian.Uint64(frame[16:])}
		}
	}
}

func readAt(f io.ReaderAt, b []byte, at int64) (bool, error) {
	n, err := f.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n == len(b), err
}

// settled gives the state as it is seen from outside, after a wait: whatever is written behind that gets another time. File
// systems keep times in steps of up to 10 ms, and of up to 2 s if they keep whole seconds.
func (s *sqliteFile) settled(ctx context.Context) (state, error) {
	var st state
	if err := s.fileState(&st); err != nil {
		return st, err
	}
	step := 20 * time.Millisecond
	if st.written.Nanosecond() == 0 {
		step = 2 * time.Second
	}
	select {
	case <-time.After(min(step-time.Since(st.written), step)):
		return st, nil
	case <-ctx.Done():
		return st, ctx.Err()
	}
}
