package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/zeebo/xxh3"
)

// The encoding of a batch is a header of 16 bytes and an Arrow IPC stream of one record batch:
//
//	0      4          8                  16
//	+------+----------+------------------+--------------------------------------------------+
//	| MRB1 | reserved | xxh3 of the rest | schema, dictionaries, record batch, end of stream |
//	+------+----------+------------------+--------------------------------------------------+
//
// The numbers are little-endian. The stream begins at a multiple of 8 bytes, as its buffers do, so that it can be read
// in place.
const (
	magic     = "MRB1"
	headerLen = 16
)

// Encode gives the batch as bytes, schema and hidden columns included.
//
// Beside the values there are some 150 bytes, 105 for each column (name, type and the places of its buffers) and 550 for event time and
// position: 3 kB for 20 columns, and 20 to 40 us to write or read, however few the rows are.
func Encode(b *Batch) ([]byte, error) { return encode(b, nil) }

// EncodeLZ4 is Encode with buffers that are compressed, each on its own, where that makes them smaller.
// Decoding them copies.
func EncodeLZ4(b *Batch) ([]byte, error) { return encode(b, []ipc.Option{ipc.WithLZ4()}) }

func encode(b *Batch, options []ipc.Option) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(headerLen + int(b.Bytes()) + 1024 + 256*int(b.rec.NumCols()))
	buf.Write(make([]byte, headerLen))
	w := ipc.NewWriter(&buf, append(options, ipc.WithSchema(b.rec.Schema()))...)
	if err := w.Write(b.rec); err != nil {
		return nil, fmt.Errorf("batch: encode %d rows: %w", b.Rows(), err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("batch: encode %d rows: %w", b.Rows(), err)
	}
	out := buf.Bytes()
	copy(out, magic)
	binary.LittleEndian.PutUint64(out[8:], xxh3.Hash(out[headerLen:]))
	return out, nil
}

// Decode reads what Encode wrote. The batch refers to data, which must not be changed any more. Bytes that are cut off or
// changed give an error that wraps ErrDamaged. The checksum tells: Arrow's own reader believes the lengths in its metadata, and
// some would take all memory. So Decode is for bytes that Encode wrote, not for what a stranger sends.
func Decode(data []byte) (*Batch, error) {
	if len(data) < headerLen || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("batch: decode %d bytes: %w: they do not begin with %q", len(data), ErrDamaged, magic)
	}
	stream := data[headerLen:]
	if sum := xxh3.Hash(stream); sum != binary.LittleEndian.Uint64(data[8:]) {
		return nil, fmt.Errorf("batch: decode %d bytes: %w: their checksum differs", len(data), ErrDamaged)
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(stream)))%8 != 0 {
		stream = bytes.Clone(stream)
	}
	b, err := decodeStream(stream)
	if err != nil {
		return nil, fmt.Errorf("batch: decode %d bytes: %w: %w", len(data), ErrDamaged, err)
	}
	return b, nil
}

// decodeStream reads a stream of one record batch. Arrow panics on some streams that are no such thing.
func decodeStream(stream []byte) (b *Batch, err error) {
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("arrow: %v", p)
		}
	}()
	r, err := ipc.NewReaderFromMessageReader(&messages{rest: stream})
	if err != nil {
		return nil, err
	}
	rec, err := r.Read()
	if err != nil {
		return nil, err
	}
	rec.Retain() // for good: it belongs to the garbage collector
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one record batch")
	}
	return New(rec)
}

// messages cuts a stream into messages without copying.
type messages struct{ rest []byte }

// Message gives the next message.
func (m *messages) Message() (*ipc.Message, error) {
	const continuation = 0xffffffff
	if len(m.rest) < 8 || binary.LittleEndian.Uint32(m.rest) != continuation {
		return nil, io.ErrUnexpectedEOF
	}
	n := int(binary.LittleEndian.Uint32(m.rest[4:]))
	if n == 0 {
		return nil, io.EOF
	}
	if n > len(m.rest)-8 {
		return nil, io.ErrUnexpectedEOF
	}
	meta := memory.NewBufferBytes(m.rest[8 : 8+n])
	size := ipc.NewMessage(meta, memory.NewBufferBytes(nil)).BodyLen()
	m.rest = m.rest[8+n:]
	if size < 0 || size > int64(len(m.rest)) {
		return nil, io.ErrUnexpectedEOF
	}
	body := memory.NewBufferBytes(m.rest[:size:size])
	m.rest = m.rest[size:]
	return ipc.NewMessage(meta, body), nil
}

// Retain does nothing: the garbage collector keeps the bytes.
func (*messages) Retain() {}

// Release does nothing.
func (*messages) Release() {}
