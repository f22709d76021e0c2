package fileio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// record is one record as it stands in the file.
type record struct {
	raw          []byte // without the end of its last line; the first bytes if it is larger than allowed
	line, offset int64  // of its beginning
	fault        string // why it cannot be read
}

// scanState is where in a CSV record a byte stands.
type scanState int8

const (
	fieldStart scanState = iota
	plain                // in a field without quotes, or anywhere in a JSON line
	quoted               // in a field with quotes
	closed               // behind a quote in such a field
	closedCR             // behind that, a carriage return
	stray                // behind a quote at a place that has none
)

var faults = map[scanState]string{
	stray:    "a quote stands inside a field, or something behind the quote that closes one",
	closedCR: "a carriage return stands behind the quote that closes a field",
	quoted:   "the file ends inside a field with quotes",
}

// splitter finds the records of a stream. What it has of a record stays when its context ends.
type splitter struct {
	in    *bufio.Reader
	csv   bool
	comma byte
	max   int

	line, offset int64 // of the byte that comes next
	state        scanState
	rec          record
	size         int64 // of the record so far
}

// next gives the next record, io.EOF behind the last one, and errPaused when ctx ends. The record holds until the next call.
func (s *splitter) next(ctx context.Context) (record, error) {
	for {
		if ctx.Err() != nil {
			return record{}, errPaused
		}
		if _, err := s.in.Peek(1); errors.Is(err, io.EOF) {
			if s.size == 0 {
				return record{}, io.EOF
			}
			if rec, ok := s.end(true); ok {
				return rec, nil
			}
			continue
		} else if err != nil {
			return record{}, err
		}
		chunk, _ := s.in.Peek(s.in.Buffered())
		n, ended := s.scan(chunk)
		s.take(chunk[:n])
		if !ended {
			continue
		}
		if rec, ok := s.end(false); ok {
			return rec, nil
		}
	}
}

// take adds bytes to the record, and keeps them as far as it may grow.
func (s *splitter) take(b []byte) {
	if s.size == 0 {
		s.rec = record{raw: s.rec.raw[:0], line: s.line, offset: s.offset}
	}
	s.size += int64(len(b))
	s.offset += int64(len(b))
	s.line += int64(bytes.Count(b, []byte{'\n'}))
	// Two bytes more than allowed are kept: they may be the end of the line.
	s.rec.raw = append(s.rec.raw, b[:min(len(b), max(s.max+2-len(s.rec.raw), 0))]...)
	_, _ = s.in.Discard(len(b)) // they are buffered
}

// end makes a record of what was taken; false if it is an empty line.
func (s *splitter) end(eof bool) (record, bool) {
	rec, whole, state := s.rec, s.size == int64(len(s.rec.raw)), s.state
	s.rec.raw, s.size, s.state = rec.raw[:0], 0, fieldStart
	if whole {
		if !eof {
			rec.raw = bytes.TrimSuffix(rec.raw, []byte{'\n'})
		}
		if state != quoted {
			rec.raw = bytes.TrimSuffix(rec.raw, []byte{'\r'})
		}
	}
	switch {
	case len(rec.raw) > s.max:
		rec.raw = rec.raw[:min(s.max, headBytes)]
		rec.fault = "the record is larger than MaxRecordBytes; its first bytes are kept"
	case s.csv && !(eof && state == closedCR):
		rec.fault = faults[state]
	}
	return rec, len(rec.raw) > 0 && (s.csv || len(bytes.TrimSpace(rec.raw)) > 0)
}

// scan gives the number of bytes up to the end of the record, and whether that is reached.
func (s *splitter) scan(chunk []byte) (n int, ended bool) {
	if !s.csv {
		if i := bytes.IndexByte(chunk, '\n'); i >= 0 {
			return i + 1, true
		}
		return len(chunk), false
	}
	for i, c := range chunk {
		if c == '\n' && s.state != quoted {
			if s.state == closedCR {
				s.state = closed
			}
			return i + 1, true
		}
		s.state = s.after(c)
	}
	return len(chunk), false
}

// after gives the state behind a byte that does not end the record.
func (s *splitter) after(c byte) scanState {
	switch s.state {
	case stray, closedCR:
		return stray
	case quoted:
		if c == '"' {
			return closed
		}
		return quoted
	case closed:
		switch c {
		case '"':
			return quoted
		case s.comma:
			return fieldStart
		case '\r':
			return closedCR
		}
		return stray
	}
	switch {
	case c == s.comma:
		return fieldStart
	case c != '"':
		return plain
	case s.state == plain:
		return stray
	}
	return quoted
}
