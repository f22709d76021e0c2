package jdbcio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errShort: the rest of the row has not come yet.
var errShort = errors.New("the stream ends within a row")

const (
	copySignature = "PGCOPY\n\xff\r\n\x00"
	maxField      = 1 << 30 // PostgreSQL's own limit of a value
)

// copyStream cuts what COPY ... (FORMAT binary) writes into rows. Source: PostgreSQL manual, COPY, "Binary Format".
type copyStream struct {
	buf    []byte
	off    int // of the first byte that is not used
	need   int // the bytes from there that the next row has at least
	begun  bool
	fields [][]byte
}

// rest gives the bytes that are not used, moved to the buffer's start.
func (s *copyStream) rest() []byte {
	s.buf = s.buf[:copy(s.buf, s.buf[s.off:])]
	s.off = 0
	return s.buf
}

// next gives the fields of the next row, nil for null; they hold until buf is changed. The end is io.EOF. Behind errShort it
// begins the row again, once buf holds more.
func (s *copyStream) next() ([][]byte, error) {
	if !s.begun {
		if err := s.header(); err != nil {
			return nil, err
		}
	}
	b := s.buf[s.off:]
	if len(b) < max(s.need, 2) {
		return nil, errShort
	}
	n := int(int16(binary.BigEndian.Uint16(b)))
	if n == -1 {
		return nil, io.EOF
	}
	if n < 0 {
		return nil, fmt.Errorf("the COPY stream is damaged: a row has %d fields", n)
	}
	s.fields = s.fields[:0]
	at := 2
	for range n {
		if len(b) < at+4 {
			return nil, s.short(at + 4)
		}
		size := int(int32(binary.BigEndian.Uint32(b[at:])))
		at += 4
		switch {
		case size == -1:
			s.fields = append(s.fields, nil)
			continue
		case size < 0 || size > maxField:
			return nil, fmt.Errorf("the COPY stream is damaged: a field has %d bytes", size)
		case len(b) < at+size:
			return nil, s.short(at + size)
		}
		s.fields = append(s.fields, b[at:at+size:at+size])
		at += size
	}
	s.off, s.need = s.off+at, 0
	return s.fields, nil
}

func (s *copyStream) short(need int) error {
	s.need = need
	return errShort
}

func (s *copyStream) header() error {
	const fixed = len(copySignature) + 8
	b := s.buf[s.off:]
	if len(b) < fixed {
		return errShort
	}
	flags, more := binary.BigEndian.Uint32(b[len(copySignature):]), binary.BigEndian.Uint32(b[fixed-4:])
	if string(b[:len(copySignature)]) != copySignature || flags>>16 != 0 || more > maxField {
		return errors.New("the COPY stream is damaged: it does not begin as one, or in a form that is not known")
	}
	if len(b) < fixed+int(more) {
		return errShort
	}
	s.off, s.begun = s.off+fixed+int(more), true
	return nil
}
