package commit

import (
	"encoding/binary"
	"errors"
)

// wireVersion is the first byte of every compact form.
const wireVersion = 1

// encoder writes numbers as varints and each distinct string once, in a table before the body.
type encoder struct {
	index map[string]int
	names []string
	body  []byte
}

func newEncoder() *encoder { return &encoder{index: map[string]int{}} }

func (e *encoder) int(v int64)   { e.body = binary.AppendVarint(e.body, v) }
func (e *encoder) uint(v uint64) { e.body = binary.AppendUvarint(e.body, v) }

func (e *encoder) text(s string) {
	i, ok := e.index[s]
	if !ok {
		i = len(e.names)
		e.index[s] = i
		e.names = append(e.names, s)
	}
	e.uint(uint64(i))
}

func (e *encoder) bytes(b []byte) {
	e.uint(uint64(len(b)))
	e.body = append(e.body, b...)
}

func (e *encoder) bool(v bool) {
	if v {
		e.uint(1)
	} else {
		e.uint(0)
	}
}

func (e *encoder) counts(c Counts) {
	e.int(c.Rows)
	e.int(c.Weight)
}

func (e *encoder) manifest(m Manifest) {
	e.text(m.Piece)
	e.text(m.Dest)
	e.int(m.Off)
	e.int(m.Len)
	e.counts(m.Counts)
	e.body = binary.LittleEndian.AppendUint64(e.body, m.Sum)
	e.int(m.MinTime)
	e.int(m.MaxTime)
	e.uint(uint64(len(m.Parts)))
	for _, p := range m.Parts {
		e.text(p.Partition)
		e.counts(p.Counts)
		e.bytes(p.First)
		e.bytes(p.Last)
	}
}

func (e *encoder) finish() []byte {
	out := []byte{wireVersion}
	out = binary.AppendUvarint(out, uint64(len(e.names)))
	for _, s := range e.names {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	return append(out, e.body...)
}

var errWire = errors.New("the bytes are damaged or of another version")

// decoder reads what encoder wrote. After the first fault it gives zero values; finish tells. It allocates no more than a
// small multiple of its input.
type decoder struct {
	names []string
	rest  []byte
	bad   bool
}

func newDecoder(data []byte) (*decoder, error) {
	if len(data) == 0 || data[0] != wireVersion {
		return nil, errWire
	}
	d := &decoder{rest: data[1:]}
	d.names = make([]string, d.count(minName))
	for i := range d.names {
		d.names[i] = string(d.bytes())
	}
	return d, nil
}

func (d *decoder) fail() { d.bad, d.rest = true, nil }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// take gives the next n bytes, nil for none.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) text() string {
	i := d.uint()
	if i >= uint64(len(d.names)) {
		d.fail()
		return ""
	}
	return d.names[i]
}

// bytes gives a copy, nil for none.
func (d *decoder) bytes() []byte { return append([]byte(nil), d.take(d.uint())...) }

// count reads the length of a list whose items have at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.rest)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) bool() bool { return d.uint() != 0 }

func (d *decoder) counts() Counts { return Counts{Rows: d.int(), Weight: d.int()} }

// The fewest bytes that an item of a list has.
const (
	minName, minPart, minManifest, minPiece, minWaiting = 1, 5, 17, 3, 2
)

func (d *decoder) manifest() Manifest {
	m := Manifest{Piece: d.text(), Dest: d.text(), Off: d.int(), Len: d.int(), Counts: d.counts()}
	if b := d.take(8); b != nil {
		m.Sum = binary.LittleEndian.Uint64(b)
	}
	m.MinTime, m.MaxTime = d.int(), d.int()
	if n := d.count(minPart); n > 0 {
		m.Parts = make([]PartRange, n)
	}
	for i := range m.Parts {
		m.Parts[i] = PartRange{Partition: d.text(), Counts: d.counts(), First: d.bytes(), Last: d.bytes()}
	}
	return m
}

func (d *decoder) finish() error {
	if d.bad || len(d.rest) > 0 {
		return errWire
	}
	return nil
}
