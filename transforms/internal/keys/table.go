// Package keys numbers the distinct rows of key columns. Nulls are equal to each other, and so are NaNs; -0 equals 0.
package keys

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// Table numbers distinct rows from 0, in the order in which they were first seen: an open-addressing hash table over
// columns that it keeps itself.
type Table struct {
	cols   []store
	hashes []uint64
	slots  []uint64 // upper half of the mixed hash, number + 1; 0 is free
	shift  uint     // 64 - log2(len(slots))
}

// New makes an empty table for columns of the given types.
func New(types ...arrow.DataType) *Table {
	t := &Table{cols: make([]store, len(types))}
	for i, typ := range types {
		t.cols[i] = store{typ: typ, kind: column.KindOf(typ), ends: []int32{0}}
	}
	return t
}

// Check says whether a type can be a key.
func Check(name string, t arrow.DataType) error {
	if column.KindOf(t) == column.Other {
		return fmt.Errorf("column %q of type %s cannot be a key", name, t)
	}
	return nil
}

// Len is the number of distinct rows.
func (t *Table) Len() int { return len(t.hashes) }

// Column gives the i-th column of the distinct rows. It shares memory with the table, to which nothing may be added
// afterwards.
func (t *Table) Column(i int) arrow.Array { return t.cols[i].array() }

// Words gives the words of the i-th column, for a type that has them. They must not be changed.
func (t *Table) Words(i int) []uint64 { return t.cols[i].words }

// Pick gives a table of some of the keys, in that order. It shares nothing with t. Its keys can be found after the next
// Add.
func (t *Table) Pick(ids []int32) *Table {
	out := &Table{cols: make([]store, len(t.cols)), hashes: column.Pick(t.hashes, 1, ids)}
	for i := range t.cols {
		out.cols[i] = t.cols[i].pick(ids)
	}
	return out
}

// Add gives for every row the number of its key in ids; new keys are added. Equal keys must have equal hashes.
func (t *Table) Add(hashes []uint64, rows []column.View, ids []int32) {
	for row, h := range hashes {
		if 4*len(t.hashes) >= 3*len(t.slots) {
			t.resize()
		}
		slot, id := t.find(h, rows, row)
		if id < 0 {
			id = int32(len(t.hashes))
			t.hashes = append(t.hashes, h)
			t.slots[slot] = tag(h) | uint64(id+1)
			for c := range t.cols {
				t.cols[c].add(&rows[c], row)
			}
		}
		ids[row] = id
	}
}

// Find gives for every row the number of its key in ids, -1 if the table does not have it. Several goroutines may call it
// at a time as long as none calls Add.
func (t *Table) Find(hashes []uint64, rows []column.View, ids []int32) {
	if len(t.slots) == 0 {
		for row := range ids {
			ids[row] = -1
		}
		return
	}
	for row, h := range hashes {
		_, ids[row] = t.find(h, rows, row)
	}
}

// find gives the number of a key, or -1 and the free slot where it belongs.
func (t *Table) find(h uint64, rows []column.View, row int) (int, int32) {
	mask := len(t.slots) - 1
	want := tag(h)
next:
	for slot := int(mix(h) >> t.shift); ; slot = (slot + 1) & mask {
		s := t.slots[slot]
		if s == 0 {
			return slot, -1
		}
		if s&tagMask != want {
			continue
		}
		id := int32(s&^tagMask) - 1
		for c := range t.cols {
			if !t.cols[c].equal(int(id), &rows[c], row) {
				continue next
			}
		}
		return slot, id
	}
}

// resize makes the slots anew, at most half of them taken.
func (t *Table) resize() {
	n := max(64, 2<<bits.Len(uint(len(t.hashes))))
	t.slots = make([]uint64, n)
	t.shift = uint(64 - bits.TrailingZeros(uint(n)))
	for id, h := range t.hashes {
		slot := int(mix(h) >> t.shift)
		for t.slots[slot] != 0 {
			slot = (slot + 1) & (n - 1)
		}
		t.slots[slot] = tag(h) | uint64(id+1)
	}
}

const tagMask = 0xffffffff00000000

// mix spreads hashes that have their low bits in common, as those of one key group do.
func mix(h uint64) uint64 { return h * 0x9e3779b97f4a7c15 }

func tag(h uint64) uint64 { return h & tagMask }

// store keeps one column of the distinct rows.
type store struct {
	typ   arrow.DataType
	kind  column.Kind
	words []uint64
	ends  []int32
	data  []byte
	nulls []bool
	some  bool // whether any row is null
}

func (s *store) equal(id int, v *column.View, row int) bool {
	null := v.Null(row)
	if s.nulls[id] || null {
		return s.nulls[id] && null
	}
	switch s.kind.Width() {
	case 1:
		return s.words[id] == v.Words[row]
	case 2:
		return s.words[2*id] == v.Words[2*row] && s.words[2*id+1] == v.Words[2*row+1]
	}
	return bytes.Equal(s.data[s.ends[id]:s.ends[id+1]], v.Bytes(row))
}

func (s *store) add(v *column.View, row int) {
	null := v.Null(row)
	s.nulls = append(s.nulls, null)
	s.some = s.some || null
	switch w := s.kind.Width(); {
	case w == 0 && !null:
		s.data = append(s.data, v.Bytes(row)...)
	case w == 0:
		s.data = append(s.data, make([]byte, column.Padding(s.typ))...)
	case null:
		s.words = append(s.words, make([]uint64, w)...)
	default:
		s.words = append(s.words, v.Words[w*row:w*(row+1)]...)
	}
	if s.kind == column.Bytes {
		s.ends = append(s.ends, int32(len(s.data)))
	}
}

func (s *store) pick(ids []int32) store {
	out := store{typ: s.typ, kind: s.kind, some: s.some, nulls: column.Pick(s.nulls, 1, ids), ends: []int32{0}}
	if w := s.kind.Width(); w > 0 {
		out.words = column.Pick(s.words, w, ids)
		return out
	}
	for _, id := range ids {
		out.data = append(out.data, s.data[s.ends[id]:s.ends[id+1]]...)
		out.ends = append(out.ends, int32(len(out.data)))
	}
	return out
}

func (s *store) array() arrow.Array {
	nulls := s.nulls
	if !s.some {
		nulls = nil
	}
	if s.kind == column.Bytes {
		return column.MakeBytes(s.typ, s.ends, s.data, nulls)
	}
	return column.Make(s.typ, s.words, nulls)
}
