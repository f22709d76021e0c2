package kafkaio

import (
	"encoding/binary"
	"math"
)

// The smallest message of the format before record batches, and the head of a record batch.
const (
	oldHead   = 26
	batchHead = 61
)

// wireBatch is what the head of a record batch says.
type wireBatch struct {
	first, last int64 // offsets
	size        int
	wild        bool
}

// head reads the head of the batch at the beginning of b; false if b does not hold all of the batch.
func head(b []byte) (w wireBatch, ok bool) {
	if len(b) < oldHead {
		return w, false
	}
	size := int64(int32(binary.BigEndian.Uint32(b[8:]))) + 12
	if size < oldHead || size > int64(len(b)) {
		return w, false
	}
	w.first = int64(binary.BigEndian.Uint64(b))
	w.last, w.size = w.first, int(size)
	if b[16] < 2 { // an old message, whose offset is its last one
		return w, true
	}
	if size < batchHead {
		return w, false
	}
	w.last += int64(int32(binary.BigEndian.Uint32(b[23:])))
	w.wild = beyond(b[27:]) || beyond(b[35:])
	return w, true
}

// beyond says whether the milliseconds at the beginning of b overflow as nanoseconds, which kgo makes of them.
func beyond(b []byte) bool {
	ms := int64(binary.BigEndian.Uint64(b))
	return ms > math.MaxInt64/1_000_000 || ms < math.MinInt64/1_000_000
}

// span gives the length of the whole batches at the beginning of b, and the offset behind them. A broker may cut the last
// one.
func span(b []byte, next int64) (whole int, behind int64) {
	for {
		w, ok := head(b[whole:])
		if !ok {
			return whole, next
		}
		whole += w.size
		next = max(next, w.last+1)
	}
}

// wild gives the batches with timestamps that kgo cannot hold.
func wild(b []byte) (out []wireBatch) {
	for {
		w, ok := head(b)
		if !ok {
			return out
		}
		if w.wild {
			out = append(out, w)
		}
		b = b[w.size:]
	}
}
