package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrDamaged marks errors about bytes on disk that are not those that were written.
var ErrDamaged = errors.New("the state on disk is damaged")

// maxInline is the size above which a value lies in a segment file and its key holds a reference.
const maxInline = 64 << 10

// dataKey is the first byte of every key in Pebble. It makes an end for each prefix: no key of a user is the last possible.
const dataKey = 'k'

func storedKey(key []byte) []byte { return append([]byte{dataKey}, key...) }

// A value in Pebble starts with its form: tagInline and the value itself, or tagExtent and a reference.
const (
	tagInline = 0
	tagExtent = 1

	extentSize = 1 + 8 + 8 + 8 + 4
)

// A record in a segment file is a header and the value. The header repeats what the reference says of the value.
const (
	recordMagic  = 0x4d524543 // "MREC"
	recordHeader = 4 + 4 + 8  // magic, checksum, length
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// extent says where in the segment files a value lies.
type extent struct {
	segment uint64
	off     int64 // of the record's header
	size    int64 // of the value
	sum     uint32
}

func (e extent) end() int64 { return e.off + recordHeader + e.size }

func (e extent) encode() []byte {
	b := make([]byte, 0, extentSize)
	b = append(b, tagExtent)
	b = binary.LittleEndian.AppendUint64(b, e.segment)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.off))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.size))
	return binary.LittleEndian.AppendUint32(b, e.sum)
}

// decodeValue takes a value of Pebble apart: either inline bytes, which alias b, or an extent.
func decodeValue(b []byte) (inline []byte, e extent, isExtent bool, err error) {
	switch {
	case len(b) > 0 && b[0] == tagInline:
		return b[1:], extent{}, false, nil
	case len(b) == extentSize && b[0] == tagExtent:
		e = extent{
			segment: binary.LittleEndian.Uint64(b[1:]),
			off:     int64(binary.LittleEndian.Uint64(b[9:])),
			size:    int64(binary.LittleEndian.Uint64(b[17:])),
			sum:     binary.LittleEndian.Uint32(b[25:]),
		}
		if e.off < 0 || e.size <= maxInline || e.end() < e.off {
			return nil, extent{}, false, fmt.Errorf("reference to offset %d, length %d: %w", e.off, e.size, ErrDamaged)
		}
		return nil, e, true, nil
	default:
		return nil, extent{}, false, fmt.Errorf("value of %d bytes in an unknown form: %w", len(b), ErrDamaged)
	}
}

// header returns the bytes before the value of a record.
func (e extent) header() []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, recordHeader), recordMagic)
	b = binary.LittleEndian.AppendUint32(b, e.sum)
	return binary.LittleEndian.AppendUint64(b, uint64(e.size))
}

// verify checks a record read from e and returns its value.
func (e extent) verify(record []byte) ([]byte, error) {
	if string(record[:recordHeader]) != string(e.header()) {
		return nil, fmt.Errorf("no record of %d bytes begins here: %w", e.size, ErrDamaged)
	}
	val := record[recordHeader:]
	// Guarantee 8: what was not written like this is not given out.
	if sum := crc32.Checksum(val, castagnoli); sum != e.sum {
		return nil, fmt.Errorf("the checksum of %d bytes is %08x instead of %08x: %w", e.size, sum, e.sum, ErrDamaged)
	}
	return val, nil
}

// quote prints a key for an error message.
func quote(key []byte) string {
	const most = 64
	if len(key) > most {
		return fmt.Sprintf("%q... (%d bytes)", key[:most], len(key))
	}
	return fmt.Sprintf("%q", key)
}
