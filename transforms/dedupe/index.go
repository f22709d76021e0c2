package dedupe

import (
	"math/bits"

	"github.com/zeebo/xxh3"
)

// index is an open-addressing hash table of rows that have passed. Equal rows may stand in it several times, with
// different times.
type index struct {
	hashes []xxh3.Uint128
	times  []int64 // microseconds
	slots  []uint64
	mask   uint64
}

// Half of a slot is taken from the hash, the other half is the number of the row + 1; 0 is free.
const tagMask = 0xffffffff00000000

// find says whether the index has a row of that hash whose time suits.
func (x *index) find(h xxh3.Uint128, suits func(time int64) bool) bool {
	if len(x.slots) == 0 {
		return false
	}
	for i := h.Lo & x.mask; ; i = (i + 1) & x.mask {
		s := x.slots[i]
		if s == 0 {
			return false
		}
		if s&tagMask != h.Hi&tagMask {
			continue
		}
		if row := s&^tagMask - 1; x.hashes[row] == h && suits(x.times[row]) {
			return true
		}
	}
}

// add adds a row.
func (x *index) add(h xxh3.Uint128, time int64) {
	x.hashes, x.times = append(x.hashes, h), append(x.times, time)
	if 4*len(x.hashes) <= 3*len(x.slots) {
		x.place(len(x.hashes) - 1)
		return
	}
	n := max(64, 2<<bits.Len(uint(len(x.hashes))))
	x.slots, x.mask = make([]uint64, n), uint64(n-1)
	for row := range x.hashes {
		x.place(row)
	}
}

func (x *index) place(row int) {
	h := x.hashes[row]
	i := h.Lo & x.mask
	for x.slots[i] != 0 {
		i = (i + 1) & x.mask
	}
	x.slots[i] = h.Hi&tagMask | uint64(row+1)
}
