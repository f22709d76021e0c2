package commit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// RollOptions says whose rows a Roll gathers and when it cuts.
type RollOptions struct {
	// Sink, Job and Incarnation name the owner of the commits. Required.
	Sink, Job, Incarnation string
	// Epoch is written into every commit.
	Epoch int64
	// First is the number with which the incarnation began: Attached.First. A new roll's first commit has the next one.
	First int64
	// Extension ends every file's name, such as ".parquet".
	Extension string
	// Rows of one destination make it due. Default 1,000,000.
	Rows int64
	// Bytes of one destination, as staged, make it due. Default 128 MiB.
	Bytes int64
	// Age of the first range that waits makes its destination due. Default 1 min.
	Age time.Duration
	// AgeOf gives a destination its own age. nil: Age for all.
	AgeOf func(dest string) time.Duration
	// FileBytes is the size, as staged, beyond which a destination's ranges go to another file. A single range is never
	// split. Default 256 MiB.
	FileBytes int64
	// MaxOpen bounds the ranges that wait; beyond it the destinations with the most ranges are due. Default 10,000.
	MaxOpen int
}

func (o RollOptions) withDefaults() RollOptions {
	o.Rows = cmp.Or(o.Rows, 1_000_000)
	o.Bytes = cmp.Or(o.Bytes, 128<<20)
	o.Age = cmp.Or(o.Age, time.Minute)
	o.FileBytes = cmp.Or(o.FileBytes, 256<<20)
	o.MaxOpen = cmp.Or(o.MaxOpen, 10_000)
	if o.AgeOf == nil {
		age := o.Age
		o.AgeOf = func(string) time.Duration { return age }
	}
	return o
}

// Roll gathers the ranges of one sink by destination and cuts them into commits. It is the state of the roll step: what it
// cuts follows from what was added and when, but for the ids. It is not safe for use by several goroutines. Times are
// processing times in milliseconds, given by the caller. Memory and encoded size grow with the ranges that wait.
type Roll struct {
	o      RollOptions
	next   int64
	prev   string
	ended  bool
	open   map[string]*waiting
	pieces map[string]*piece
	ranges int
}

// waiting is what one destination has gathered.
type waiting struct {
	since     int64
	bytes     int64
	counts    Counts
	manifests []Manifest
}

// piece counts the ranges of a staged piece that no commit has taken, and those that no element has brought.
type piece struct{ left, unseen int }

// NewRoll gives an empty roll, which stands at the beginning of the incarnation.
func NewRoll(o RollOptions) *Roll {
	return &Roll{
		o: o.withDefaults(), next: o.First + 1, prev: o.Incarnation,
		open: map[string]*waiting{}, pieces: map[string]*piece{},
	}
}

// Add gathers what a bundle staged. An error means that the input is not what the protocol promises: a malformed element,
// a range more than the piece has, or rows after the end.
func (r *Roll) Add(s Staged, now int64) error {
	if err := s.check(); err != nil {
		return err
	}
	if r.ended {
		return fmt.Errorf("commit: roll of sink %s: piece %q came after the end", r.o.Sink, s.Piece)
	}
	p := r.pieces[s.Piece]
	if p == nil {
		p = &piece{left: s.NumRanges, unseen: s.NumRanges}
		r.pieces[s.Piece] = p
	}
	if p.unseen -= len(s.Manifests); p.unseen < 0 {
		return fmt.Errorf("commit: roll of sink %s: piece %q has %d ranges, but more came", r.o.Sink, s.Piece, s.NumRanges)
	}
	for _, m := range s.Manifests {
		r.wait(m, now)
	}
	return nil
}

func (r *Roll) wait(m Manifest, now int64) {
	w := r.open[m.Dest]
	if w == nil {
		w = &waiting{since: now}
		r.open[m.Dest] = w
	}
	w.bytes += m.Len
	w.counts.add(m.Counts)
	w.manifests = append(w.manifests, m)
	r.ranges++
}

// Due gives the destinations to cut now, sorted: those that have the rows, the bytes or the age, and if more ranges wait
// than MaxOpen, the fullest ones besides. A clock that went back makes what is older than it due.
func (r *Roll) Due(now int64) []string {
	var due, rest []string
	left := r.ranges
	for _, dest := range r.Dests() {
		w := r.open[dest]
		if w.counts.Rows >= r.o.Rows || w.bytes >= r.o.Bytes || now >= r.deadline(dest) || now < w.since {
			due = append(due, dest)
			left -= len(w.manifests)
		} else {
			rest = append(rest, dest)
		}
	}
	slices.SortStableFunc(rest, func(a, b string) int {
		return cmp.Compare(len(r.open[b].manifests), len(r.open[a].manifests))
	})
	for ; left > r.o.MaxOpen; rest = rest[1:] {
		due = append(due, rest[0])
		left -= len(r.open[rest[0]].manifests)
	}
	slices.Sort(due)
	return due
}

// NextDeadline gives the time at which the next destination is due by its age; ok is false if nothing waits.
func (r *Roll) NextDeadline() (ms int64, ok bool) {
	for dest := range r.open {
		if d := r.deadline(dest); !ok || d < ms {
			ms, ok = d, true
		}
	}
	return ms, ok
}

func (r *Roll) deadline(dest string) int64 {
	return r.open[dest].since + r.o.AgeOf(dest).Milliseconds()
}

// Dests gives the destinations for which ranges wait, sorted.
func (r *Roll) Dests() []string { return slices.Sorted(maps.Keys(r.open)) }

// Held counts what waits.
func (r *Roll) Held() Counts {
	var n Counts
	for _, w := range r.open {
		n.add(w.counts)
	}
	return n
}

// Ended says whether the end was cut.
func (r *Roll) Ended() bool { return r.ended }

// Pieces gives the staged pieces that have a range which no commit has taken, sorted.
func (r *Roll) Pieces() []string { return slices.Sorted(maps.Keys(r.pieces)) }
