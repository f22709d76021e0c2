package fnio

import (
	"encoding/binary"
	"errors"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"

	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// ErrWire is returned for bytes that are not what the SDK writes.
var ErrWire = errors.New("malformed element: the SDK's wire format is not the one this version knows")

// paneNone is the pane of elements that no trigger has fired.
const paneNone = 0x0f

// Header returns the timestamp of an encoded element of the global window and where its value begins:
//
//	8 bytes time (ms, big endian, sign flipped) | 4 bytes number of windows | pane | value
//
// The low half of the pane byte holds flags, the high half the number of varints that follow it.
func Header(elem []byte) (ts int64, value int, err error) {
	if len(elem) < 13 || binary.BigEndian.Uint32(elem[8:]) != 1 {
		return 0, 0, ErrWire
	}
	value = 13
	for k := elem[12] >> 4; k > 0; k-- {
		_, n := binary.Uvarint(elem[value:])
		if n <= 0 {
			return 0, 0, ErrWire
		}
		value += n
	}
	return timestamp(elem), value, nil
}

// AppendHeader appends the header of an element in the global window without a pane.
func AppendHeader(b []byte, ts int64) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(ts)^1<<63)
	return append(b, 0, 0, 0, 1, paneNone)
}

// ImpulseElement is the element of an Impulse: empty, at the beginning of time.
func ImpulseElement() []byte {
	return append(AppendHeader(nil, int64(mtime.MinTimestamp)), 0)
}

func timestamp(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ 1<<63) }

func clamp(ms int64) int64 {
	return min(max(ms, int64(mtime.MinTimestamp)), int64(mtime.MaxTimestamp))
}

// Timer is a timer as a bundle sets it. Record is its encoding, which is handed back when it fires.
type Timer struct {
	Family, Tag string
	Key         []byte
	Clear       bool
	Fire, Hold  int64 // ms
	Record      []byte
}

// ParseTimer reads a record that it keeps:
//
//	key | tag (varint length) | 4 bytes number of windows | clear | 8 bytes fire | 8 bytes hold | pane
func ParseTimer(family string, rec []byte, key graph.Skipper) (Timer, error) {
	t := Timer{Family: family, Record: rec}
	k := key(rec)
	if k < 0 {
		return t, ErrWire
	}
	t.Key = rec[:k]
	l, n := binary.Uvarint(rec[k:])
	o := k + n
	if n <= 0 || l > uint64(len(rec)-o) {
		return t, ErrWire
	}
	t.Tag = string(rec[o : o+int(l)])
	o += int(l)
	if len(rec) < o+5 || binary.BigEndian.Uint32(rec[o:]) != 1 {
		return t, ErrWire
	}
	t.Clear = rec[o+4] != 0
	o += 5
	if t.Clear {
		return t, nil
	}
	if len(rec) < o+16 {
		return t, ErrWire
	}
	t.Fire, t.Hold = timestamp(rec[o:]), timestamp(rec[o+8:])
	return t, nil
}
