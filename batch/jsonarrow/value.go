package jsonarrow

import (
	"encoding/base64"
	"math/big"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// value decodes the value that stands here into the column of n.
func (d *Decoder) value(n *node) *RowError {
	c := d.peek()
	if c == 'n' && d.word("null") {
		if n.required {
			return d.fail(d.pos-len("null"), "the field is null, and the column takes none")
		}
		n.col.Null()
		return nil
	}
	switch n.kind {
	case kindInt, kindUint, kindFloat32, kindFloat64, kindDecimal:
		if c == '"' && !d.o.Strict {
			return d.unquoted(n, (*Decoder).numeric)
		}
		return d.numeric(n)
	case kindString:
		return d.string(n, c)
	case kindTimestamp, kindDate, kindTime:
		return d.temporal(n, c)
	case kindBool:
		if c == '"' && !d.o.Strict {
			return d.unquoted(n, (*Decoder).bool)
		}
		return d.bool(n)
	case kindBinary:
		return d.binary(n, c)
	case kindList:
		return d.list(n, c)
	case kindStruct:
		if c != '{' {
			return d.mismatch("an object")
		}
		if err := d.object(n); err != nil {
			return err
		}
		n.col.EndStruct()
		return nil
	}
	return d.mismatch("null")
}

// mismatch says what stands here instead of want, which is the only thing that the column takes.
func (d *Decoder) mismatch(want string) *RowError {
	found := ""
	switch c := d.peek(); {
	case c == '"':
		found = "a string"
	case c == '{':
		found = "an object"
	case c == '[':
		found = "an array"
	case c == '-' || c-'0' <= 9:
		found = "a number"
	case c == 't' || c == 'f':
		found = "a boolean"
	case c == 'n':
		found = "null"
	}
	at := d.pos
	if found == "" || d.skip(d.o.MaxDepth) != nil { // no value at all
		d.pos = at
		return d.unexpected(want)
	}
	return d.fail(at, "%s where %s is expected", found, want)
}

// unquoted reads the text of the string that stands here as if it stood here without its quotes.
func (d *Decoder) unquoted(n *node, read func(*Decoder, *node) *RowError) *RowError {
	at := d.pos
	text, err := d.str()
	if err != nil {
		return err
	}
	outer := d.scanner
	d.scanner = scanner{data: text}
	blank := d.peek() == 0 || d.pos > 0
	err = read(d, n)
	whole := d.pos == len(text)
	d.scanner = outer
	if err != nil || !whole || blank {
		return d.fail(at, "the text %s is no %s that the column takes", shown(text), n.typ)
	}
	return nil
}

func (d *Decoder) bool(n *node) *RowError {
	switch {
	case d.word("true"):
		n.col.Bool(true)
	case d.word("false"):
		n.col.Bool(false)
	default:
		return d.mismatch("a boolean")
	}
	return nil
}

func (d *Decoder) numeric(n *node) *RowError {
	at := d.pos
	if c := d.peek(); c != '-' && c-'0' > 9 {
		return d.mismatch("a number")
	}
	var v number
	if err := d.number(&v); err != nil {
		return err
	}
	fault := ""
	switch n.kind {
	case kindInt:
		var i int64
		if i, fault = v.int64(0, false); fault == "" && (i < n.lo || i > int64(n.hi)) {
			fault = outOfRange
		}
		n.col.Int64(i)
	case kindUint:
		var u uint64
		if u, fault = v.uint64(); fault == "" && u > n.hi {
			fault = outOfRange
		}
		n.col.Uint64(u)
	case kindFloat64:
		var f float64
		f, fault = v.float64()
		n.col.Float64(f)
	case kindFloat32:
		var f float32
		f, fault = v.float32()
		n.col.Float64(float64(f))
	case kindDecimal:
		fault = d.decimal(n, &v)
	}
	if fault != "" {
		return d.fail(at, "the number %s %s for a column of type %s", strings.Trim(shown(v.text), `"`), fault, n.typ)
	}
	return nil
}

func (d *Decoder) decimal(n *node, v *number) string {
	t := n.typ.(*arrow.Decimal128Type)
	if hi, lo, ok := v.decimal128(t.Scale); ok {
		if num := decimal128.New(hi, lo); num.FitsInPrecision(t.Precision) {
			n.col.Decimal(num)
			return ""
		}
		return outOfRange
	}
	b, fault := v.scaled(int(t.Scale), false)
	switch {
	case fault == notWhole:
		return tooFine
	case fault != "":
		return fault
	case b.CmpAbs(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil)) >= 0:
		return outOfRange
	}
	n.col.Decimal(decimal128.FromBigInt(b))
	return ""
}

func (d *Decoder) string(n *node, c byte) *RowError {
	if c == '"' {
		text, err := d.str()
		if err != nil {
			return err
		}
		n.col.Bytes(text)
		return nil
	}
	if d.o.Strict {
		return d.mismatch("a string")
	}
	at := d.pos
	switch {
	case c == '-' || c-'0' <= 9:
		var v number
		if err := d.number(&v); err != nil {
			return err
		}
	case d.word("true"), d.word("false"):
	default:
		return d.mismatch("a string")
	}
	n.col.Bytes(d.data[at:d.pos])
	return nil
}

func (d *Decoder) binary(n *node, c byte) *RowError {
	if c != '"' {
		return d.mismatch("a string (base64)")
	}
	at := d.pos
	text, err := d.str()
	if err != nil {
		return err
	}
	out, bad := base64.StdEncoding.AppendDecode(d.text[:0], text)
	d.text = out
	if bad != nil {
		return d.fail(at, "the text %s is not base64 with padding", shown(text))
	}
	if n.width != 0 && len(out) != n.width {
		return d.fail(at, "the text holds %d bytes, and the column takes %d", len(out), n.width)
	}
	n.col.Bytes(out)
	return nil
}

func (d *Decoder) list(n *node, c byte) *RowError {
	if c != '[' {
		return d.mismatch("an array")
	}
	elem := &n.children[0]
	d.pos++
	if d.peek() == ']' {
		d.pos++
		n.col.EndList()
		return nil
	}
	for i := 0; ; i++ {
		n.elem = i
		if err := d.value(elem); err != nil {
			return err.element(i)
		}
		switch d.peek() {
		case ',':
			d.pos++
		case ']':
			d.pos++
			n.col.EndList()
			return nil
		default:
			return d.unexpected("',' or ']'")
		}
	}
}
