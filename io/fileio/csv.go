package fileio

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch/jsonarrow"
)

// cell is one field of a CSV record.
type cell struct {
	text   []byte
	quoted bool
}

// cells parts a record that has no fault. The cells hold until buf is used again.
func cells(raw []byte, comma byte, out []cell) []cell {
	out = out[:0]
	for {
		if len(raw) == 0 || raw[0] != '"' {
			text, rest, more := bytes.Cut(raw, []byte{comma})
			if out = append(out, cell{text: text}); !more {
				return out
			}
			raw = rest
			continue
		}
		end, pairs := 1, false
		for ; end < len(raw); end++ {
			if raw[end] != '"' {
				continue
			}
			if end+1 == len(raw) || raw[end+1] != '"' {
				break
			}
			end, pairs = end+1, true
		}
		text := raw[1:end]
		if pairs {
			text = bytes.ReplaceAll(text, []byte(`""`), []byte(`"`))
		}
		out = append(out, cell{text: text, quoted: true})
		if raw = raw[min(end+1, len(raw)):]; len(raw) == 0 {
			return out
		}
		raw = raw[1:] // the comma
	}
}

// column says how the cells of one place are read.
type column struct {
	key      []byte // its name as JSON, with a colon; nil if it is left out
	text     bool
	nullable bool
	fix      func([]byte) []byte // brings a cell into the form that JSON has
}

// table makes JSON objects of CSV records, so that both formats are read by the same rules.
type table struct {
	o     Options
	cols  []column
	fault string // why no record of this file can be read
	cells []cell
	out   []byte
}

// name sets the columns, in the order of the file.
func (t *table) name(names []string) {
	t.cols = nil
	for i, name := range names {
		at := t.o.Schema.FieldIndices(name)
		if slices.Contains(names[:i], name) {
			t.fault = fmt.Sprintf("the header names the column %q twice", name)
		}
		col := column{key: append(quote(nil, []byte(name)), ':'), text: true, nullable: true}
		switch {
		case len(at) > 0:
			f := t.o.Schema.Field(at[0])
			col.nullable = f.Nullable
			col.text, col.fix = formOf(f.Type)
		case t.o.Unknown == "" || t.o.Unknown == jsonarrow.Ignore:
			col.key = nil
		}
		t.cols = append(t.cols, col)
	}
}

// header takes the names of the columns from the first record.
func (t *table) header(rec record) {
	if rec.fault != "" {
		t.fault = "the header cannot be read: " + rec.fault
		return
	}
	var names []string
	for _, c := range cells(rec.raw, t.o.Comma, nil) {
		names = append(names, string(c.text))
	}
	t.name(names)
}

// object gives a record as a JSON object, or why it is none.
func (t *table) object(raw []byte) (object []byte, fault string) {
	if t.fault != "" {
		return nil, t.fault
	}
	t.cells = cells(raw, t.o.Comma, t.cells)
	if len(t.cells) != len(t.cols) {
		return nil, fmt.Sprintf("the record has %d fields, want %d", len(t.cells), len(t.cols))
	}
	t.out = append(t.out[:0], '{')
	for i, c := range t.cells {
		col := &t.cols[i]
		if col.key == nil {
			continue
		}
		if len(t.out) > 1 {
			t.out = append(t.out, ',')
		}
		t.out = append(t.out, col.key...)
		if !col.text {
			c.text = bytes.Trim(c.text, " \t")
		}
		switch {
		case col.nullable && !(col.text && c.quoted) && slices.Contains(t.o.Null, string(c.text)):
			t.out = append(t.out, "null"...)
		case col.fix != nil:
			t.out = quote(t.out, col.fix(c.text))
		default:
			t.out = quote(t.out, c.text)
		}
	}
	t.out = append(t.out, '}')
	return t.out, ""
}

// quote adds text as a JSON string. Bytes that are not UTF-8 stay, for the decoder to refuse.
func quote(out, text []byte) []byte {
	const digits = "0123456789abcdef"
	out = append(out, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// formOf says whether a type is text, and what brings its cells into JSON's form.
func formOf(t arrow.DataType) (text bool, fix func([]byte) []byte) {
	switch id := t.ID(); {
	case id == arrow.STRING || id == arrow.LARGE_STRING || id == arrow.BINARY || id == arrow.LARGE_BINARY:
		return true, nil
	case id == arrow.BOOL:
		return false, fixBool
	case arrow.IsInteger(id) || arrow.IsFloating(id) || arrow.IsDecimal(id):
		return false, fixNumber
	}
	return false, nil
}

// fixBool takes the forms of strconv.ParseBool: 1, t, T, TRUE, true, True and their opposites.
func fixBool(text []byte) []byte {
	if v, err := strconv.ParseBool(string(text)); err == nil {
		return strconv.AppendBool(nil, v)
	}
	return text
}

// fixNumber takes what JSON has not: a plus, zeros in front, and a point without digits on one side.
func fixNumber(text []byte) []byte {
	sign, digits := "", text
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		sign, digits = string(digits[:1]), digits[1:]
	}
	whole := 0
	for whole < len(digits) && digits[whole]-'0' <= 9 {
		whole++
	}
	point := whole < len(digits) && digits[whole] == '.'
	fraction := point && whole+1 < len(digits) && digits[whole+1]-'0' <= 9
	if whole == 0 && !fraction {
		return text
	}
	zeros := 0
	for zeros < whole-1 && digits[zeros] == '0' {
		zeros++
	}
	var out []byte
	if sign == "-" {
		out = append(out, '-')
	}
	if whole == 0 {
		out = append(out, '0')
	}
	out = append(out, digits[zeros:whole]...)
	if point && !fraction {
		whole++
	}
	return append(out, digits[whole:]...)
}
