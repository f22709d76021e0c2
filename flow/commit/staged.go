package commit

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Manifest describes the rows of one destination in one staged piece.
type Manifest struct {
	// Piece is the object's name in the staging store.
	Piece string
	// Dest is the destination that the sink's router gave.
	Dest string
	// Off and Len are the byte range of the rows in the piece.
	Off, Len int64
	Counts
	// Sum is Sum of the range's bytes.
	Sum uint64
	// Parts counts the rows by source partition, sorted by partition. Rows without a position are in none.
	Parts []PartRange
	// MinTime and MaxTime bound the event times, in microseconds.
	MinTime, MaxTime int64
}

// Staged is what one bundle staged for one sink: the element between stage and roll.
type Staged struct {
	Piece string
	// NumRanges is the number of ranges in the piece. The manifests may come in several elements.
	NumRanges int
	Manifests []Manifest
}

// Encode gives a compact form, the same bytes for the same value.
func (s Staged) Encode() []byte {
	e := newEncoder()
	e.text(s.Piece)
	e.int(int64(s.NumRanges))
	e.uint(uint64(len(s.Manifests)))
	for _, m := range s.Manifests {
		e.manifest(m)
	}
	return e.finish()
}

// DecodeStaged reads what Encode gave and checks it.
func DecodeStaged(data []byte) (Staged, error) {
	d, err := newDecoder(data)
	if err != nil {
		return Staged{}, fmt.Errorf("commit: staged element: %w", err)
	}
	s := Staged{Piece: d.text(), NumRanges: int(d.int()), Manifests: make([]Manifest, d.count(minManifest))}
	for i := range s.Manifests {
		s.Manifests[i] = d.manifest()
	}
	if err := d.finish(); err != nil {
		return Staged{}, fmt.Errorf("commit: staged element: %w", err)
	}
	return s, s.check()
}

func (s Staged) check() error {
	if s.Piece == "" || len(s.Manifests) == 0 || s.NumRanges < len(s.Manifests) || s.NumRanges > math.MaxInt32 {
		return fmt.Errorf("commit: piece %q with %d of %d ranges is no staged piece", s.Piece, len(s.Manifests), s.NumRanges)
	}
	for _, m := range s.Manifests {
		if m.Piece != s.Piece || m.Off < 0 || m.Len < 1 || m.Rows < 1 || m.Weight < 0 {
			return fmt.Errorf("commit: piece %q: the range of %d bytes at %d of piece %q with %d rows is wrong", s.Piece, m.Len, m.Off, m.Piece, m.Rows)
		}
		byName := func(a, b PartRange) int { return strings.Compare(a.Partition, b.Partition) }
		if !slices.IsSortedFunc(m.Parts, byName) {
			return fmt.Errorf("commit: piece %q: partitions are not sorted by name", s.Piece)
		}
	}
	return nil
}

func (m Manifest) toRange() Range {
	return Range{Piece: m.Piece, Off: m.Off, Len: m.Len, Rows: m.Rows, Sum: m.Sum}
}
