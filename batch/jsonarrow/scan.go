package jsonarrow

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON tokens (RFC 8259) from one record.
type scanner struct {
	data []byte
	pos  int
	buf  []byte // the last string that had escapes
}

func (s *scanner) fail(at int, format string, args ...any) *RowError {
	return &RowError{Offset: at, Reason: fmt.Sprintf(format, args...)}
}

// peek skips white space and gives the next byte without taking it, or 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		s.pos++
	}
	return 0
}

// expect takes the byte c, after white space.
func (s *scanner) expect(c byte) *RowError {
	if s.peek() != c {
		return s.unexpected(fmt.Sprintf("%q", c))
	}
	s.pos++
	return nil
}

// unexpected says what stands at the present place instead of want.
func (s *scanner) unexpected(want string) *RowError {
	rest := s.data[s.pos:]
	if len(rest) == 0 {
		return s.fail(s.pos, "the record ends where %s is expected", want)
	}
	for _, word := range []string{"NaN", "-NaN", "Infinity", "+Infinity", "-Infinity", "-Inf", "Inf"} {
		if len(rest) >= len(word) && string(rest[:len(word)]) == word {
			return s.fail(s.pos, "%s is not JSON", word)
		}
	}
	r, size := utf8.DecodeRune(rest)
	if r == utf8.RuneError && size <= 1 {
		return s.fail(s.pos, "byte 0x%02X where %s is expected", rest[0], want)
	}
	return s.fail(s.pos, "%q where %s is expected", r, want)
}

// word takes a literal such as null if it stands here.
func (s *scanner) word(w string) bool {
	if end := s.pos + len(w); end <= len(s.data) && string(s.data[s.pos:end]) == w {
		s.pos = end
		return true
	}
	return false
}

// Masks for eight bytes at a time.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks the high bit of every byte that is a quote, a backslash or a control character. Marks above the lowest
// one may be wrong.
func special(w uint64) uint64 {
	quote, slash := w^('"'*ones), w^('\\'*ones)
	return ((w - ' '*ones) | (quote - ones) | (slash - ones)) &^ w & highs
}

// str takes the string whose opening quote stands here. The bytes are valid UTF-8, and valid until the next call.
func (s *scanner) str() ([]byte, *RowError) {
	d, start := s.data, s.pos+1
	i, high := start, uint64(0)
	for i+8 <= len(d) {
		w := binary.LittleEndian.Uint64(d[i:])
		high |= w & highs
		if m := special(w); m != 0 {
			i += bits.TrailingZeros64(m) >> 3
			return s.stop(start, i, high != 0)
		}
		i += 8
	}
	for ; i < len(d); i++ {
		c := d[i]
		if c == '"' || c == '\\' || c < ' ' {
			return s.stop(start, i, high != 0)
		}
		high |= uint64(c & 0x80)
	}
	return nil, s.fail(start-1, "the string has no end")
}

// stop ends str at the first byte that is not plain text.
func (s *scanner) stop(start, end int, high bool) ([]byte, *RowError) {
	switch s.data[end] {
	case '"':
		text := s.data[start:end]
		if high && !utf8.Valid(text) {
			return nil, s.invalid(start, text)
		}
		s.pos = end + 1
		return text, nil
	case '\\':
		return s.escaped(start, end)
	}
	return nil, s.fail(end, "control character 0x%02X in a string", s.data[end])
}

func (s *scanner) invalid(start int, text []byte) *RowError {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size <= 1 {
			return s.fail(start+i, "byte 0x%02X is not valid UTF-8", text[i])
		}
		i += size
	}
	return s.fail(start, "the string is not valid UTF-8")
}

// escaped goes on with a string from its first backslash.
func (s *scanner) escaped(start, i int) ([]byte, *RowError) {
	d := s.data
	s.buf = append(s.buf[:0], d[start:i]...)
	for i < len(d) {
		c := d[i]
		switch {
		case c == '"':
			if !utf8.Valid(s.buf) {
				return nil, s.invalid(start, d[start:i])
			}
			s.pos = i + 1
			return s.buf, nil
		case c == '\\':
			next, err := s.escape(i)
			if err != nil {
				return nil, err
			}
			i = next
		case c < ' ':
			return nil, s.fail(i, "control character 0x%02X in a string", c)
		default:
			s.buf = append(s.buf, c)
			i++
		}
	}
	return nil, s.fail(start-1, "the string has no end")
}

// escape adds the character of the escape at i to buf and gives the place behind it.
func (s *scanner) escape(i int) (int, *RowError) {
	if i+1 >= len(s.data) {
		return 0, s.fail(i, "the string has no end")
	}
	c := s.data[i+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return s.unicode(i)
	default:
		return 0, s.fail(i, "unknown escape in a string")
	}
	s.buf = append(s.buf, c)
	return i + 2, nil
}

// unicode handles \uXXXX, and the pair of them that makes one character beyond the basic plane.
func (s *scanner) unicode(i int) (int, *RowError) {
	r, ok := s.hex4(i)
	if !ok {
		return 0, s.fail(i, "\\u needs four hexadecimal digits")
	}
	if !utf16.IsSurrogate(r) {
		s.buf = utf8.AppendRune(s.buf, r)
		return i + 6, nil
	}
	low, ok := s.hex4(i + 6)
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, s.fail(i, "half of a surrogate pair in a string")
	}
	s.buf = utf8.AppendRune(s.buf, r)
	return i + 12, nil
}

func (s *scanner) hex4(i int) (rune, bool) {
	if i+6 > len(s.data) || s.data[i] != '\\' || s.data[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s.data[i+2 : i+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// skip takes a whole value and checks its grammar; depth is how many levels it may nest.
func (s *scanner) skip(depth int) *RowError {
	switch c := s.peek(); {
	case c == '"':
		_, err := s.str()
		return err
	case c == '-' || c >= '0' && c <= '9':
		var n number
		return s.number(&n)
	case c == '{' || c == '[':
		if depth <= 0 {
			return s.fail(s.pos, "values are nested too deeply")
		}
		if c == '{' {
			return s.members(func(_ []byte, _ int) *RowError { return s.skip(depth - 1) })
		}
		return s.elements(func(int) *RowError { return s.skip(depth - 1) })
	case s.word("null"), s.word("true"), s.word("false"):
		return nil
	}
	return s.unexpected("a value")
}

// members takes an object and calls value in front of each value, with its key and the place of the key. The key is
// valid until the next string is read.
func (s *scanner) members(value func(key []byte, at int) *RowError) *RowError {
	s.pos++
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.unexpected("a field name")
		}
		at := s.pos
		key, err := s.str()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := value(key, at); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.unexpected("',' or '}'")
		}
	}
}

// elements takes an array and calls value in front of each element.
func (s *scanner) elements(value func(i int) *RowError) *RowError {
	s.pos++
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := value(i); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.unexpected("',' or ']'")
		}
	}
}
