// Package commit is the protocol by which a sink makes staged rows visible exactly once: stage, roll, claim, publish.
// It is pure: it has no clock, starts no goroutine, and reaches the world only through object.Store.
//
//	 bundle            Roll (state, one per sink)        Ledger (objects, one per sink)         destination
//	+-------+  Staged  +-----------------------+ Commit  +----------------------------+
//	| stage |--------->| gathers ranges by     |-------->| 1. 0000000007.claim        |
//	|       |          | destination; cuts     | stable  |    whole commit, taken once|   +---------------+
//	+---+---+          | commit 7: number and  | input   | 2. every file, once  ------|-->| name has the  |
//	    | one piece    | id come from state    |         |                            |   | commit's id   |
//	    v              +-----------------------+         | 3. 0000000007.done         |   +---------------+
//	 staging/pieces <------- ranges are read back -------| 4. pieces of commits up to |
//	    ^                                                |    `through` are deleted   |
//	    +------------------------------------------------| 5. through/0000000007      |
//	                                                     +----------------------------+
//
// The input of the publishing steps is stable: after any failure they see the same commit again. A redo finds its own id
// under the number and goes on, or finds it done and does nothing. Another id under the number means that another history
// of the job publishes here: a zombie, or a state that is older than what is published. It stops with a ConflictError,
// and nothing of it becomes visible.
//
// Commits form a chain. Each names the id before it (Prev), and a number is claimed only behind that id, so a history
// that has parted from the published one stops at the first number that differs. An incarnation of the job begins with a
// commit without files, whose id is the incarnation: claiming it cuts every older history off.
//
// All objects of a ledger are created once and never changed. Which of two writers comes first decides, and a writer
// that was paused for a day can only repeat what is there.
package commit

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"github.com/zeebo/xxh3"
)

// Commit is one atomic step of a sink: the files that become visible under one number.
type Commit struct {
	Version     int    `json:"version"`
	Sink        string `json:"sink"`
	Job         string `json:"job"`
	Incarnation string `json:"incarnation"`
	// Epoch counts the starts of the job's state; it tells a zombie from an older state, and decides nothing.
	Epoch int64  `json:"epoch"`
	Seq   int64  `json:"seq"`
	ID    string `json:"id"`
	// Prev is the id of the commit before this one.
	Prev string `json:"prev,omitempty"`
	// Begin marks the first commit of an incarnation. It has no files, and its ID is the incarnation.
	Begin bool `json:"begin,omitempty"`
	// Replace, on a Begin, deletes what older incarnations made visible.
	Replace bool `json:"replace,omitempty"`
	// End marks the last commit of a bounded job.
	End   bool   `json:"end,omitempty"`
	Files []File `json:"files,omitempty"`
	// Pieces are the staged objects whose last open range this commit takes. They die when this commit and all
	// before it are done.
	Pieces []string `json:"pieces,omitempty"`
	// Held is what still waits in the roll behind this commit.
	Held Counts `json:"held"`
}

// File is one file of a commit.
type File struct {
	// Name is the object's name below the root of the destination. No other commit has it.
	Name string `json:"name"`
	// Dest is the destination that the sink's router gave, such as a partition path.
	Dest string `json:"dest"`
	// Ranges are the staged rows in order of arrival.
	Ranges []Range `json:"ranges"`
	Counts
	// Parts counts the rows by source partition, sorted by partition.
	Parts []PartRange `json:"parts,omitempty"`
	// MinTime and MaxTime bound the event times, in microseconds.
	MinTime int64 `json:"minTime"`
	MaxTime int64 `json:"maxTime"`
}

// Range is a run of bytes in a staged piece.
type Range struct {
	Piece string `json:"piece"`
	Off   int64  `json:"off"`
	Len   int64  `json:"len"`
	Rows  int64  `json:"rows"`
	// Sum is the xxh3 hash of the bytes.
	Sum uint64 `json:"sum,string"`
}

// Counts measures rows.
type Counts struct {
	Rows int64 `json:"rows"`
	// Weight is the number of source rows behind them.
	Weight int64 `json:"weight"`
}

func (c *Counts) add(d Counts) { c.Rows += d.Rows; c.Weight += d.Weight }

// PartRange counts the rows of one source partition and bounds their positions.
type PartRange struct {
	Partition string `json:"partition"`
	Counts
	// First and Last are the smallest and largest position, as order-preserving bytes.
	First []byte `json:"first,omitempty"`
	Last  []byte `json:"last,omitempty"`
}

// version is the format of the objects in a ledger.
const version = 1

// Encode gives the commit as it stands in a claim: one JSON object, the same bytes for the same commit.
func (c Commit) Encode() ([]byte, error) { return encodeRecord("commit", c) }

// DecodeCommit reads what Encode gave and checks it.
func DecodeCommit(data []byte) (Commit, error) {
	var c Commit
	if err := decodeRecord("commit", data, &c); err != nil {
		return Commit{}, err
	}
	return c, c.check()
}

func (c Commit) check() error {
	switch {
	case c.Version != version:
		return fmt.Errorf("commit: version %d of the format is not known; use the program that wrote it or a newer one", c.Version)
	case c.Seq < 1 || !isID(c.ID) || c.Prev != "" && !isID(c.Prev) || (c.Seq > 1) != (c.Prev != ""):
		return fmt.Errorf("commit: number %d, id %q, previous id %q: not a commit", c.Seq, c.ID, c.Prev)
	case c.Seq == 1 && !c.Begin:
		return fmt.Errorf("commit: number 1 begins no incarnation; attach before the first commit is cut")
	case c.Begin && (c.ID != c.Incarnation || len(c.Files)+len(c.Pieces) > 0 || c.End):
		return fmt.Errorf("commit: number %d begins incarnation %q but has files or another id", c.Seq, c.Incarnation)
	}
	seen := map[string]bool{}
	for _, f := range c.Files {
		if seen[f.Name] {
			return fmt.Errorf("commit: number %d has two files named %q", c.Seq, f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

func (c Commit) counts() Counts {
	var n Counts
	for _, f := range c.Files {
		n.add(f.Counts)
	}
	return n
}

// NewID draws 128 random bits as 32 hex digits, for commits and incarnations.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func isID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16
}

// Sum is the hash by which a range is known.
func Sum(data []byte) uint64 { return xxh3.Hash(data) }

// filePrefix starts the base name of every file that a sink of a job publishes.
func filePrefix(job, sink string) string {
	return fmt.Sprintf("%08x-", uint32(xxh3.HashString(job+"\x00"+sink)))
}

// fileName gives the i-th file of the commit its name: <dest>/<job and sink>-<number>-<index>-<id><extension>.
func (c Commit) fileName(dest string, i int, extension string) string {
	return path.Join(dest, fmt.Sprintf("%s%010d-%04d-%s%s", filePrefix(c.Job, c.Sink), c.Seq, i, c.ID, extension))
}

// fileSeq reads the commit's number from a file's name; ok is false if the file is not one of the job's sink.
func fileSeq(name, job, sink string) (seq int64, ok bool) {
	rest, ok := strings.CutPrefix(path.Base(name), filePrefix(job, sink))
	if !ok {
		return 0, false
	}
	var index int64
	var id string
	n, err := fmt.Sscanf(rest, "%10d-%4d-%32s", &seq, &index, &id)
	return seq, err == nil && n == 3 && isID(id)
}

// mergeParts gives the sum of both, sorted by partition as they are. It changes neither.
func mergeParts(sum, more []PartRange) []PartRange {
	if len(more) == 0 {
		return sum
	}
	out := make([]PartRange, 0, len(sum)+len(more))
	for len(sum) > 0 && len(more) > 0 {
		switch strings.Compare(sum[0].Partition, more[0].Partition) {
		case -1:
			out, sum = append(out, sum[0]), sum[1:]
		case 1:
			out, more = append(out, more[0]), more[1:]
		default:
			out, sum, more = append(out, sum[0].merge(more[0])), sum[1:], more[1:]
		}
	}
	return append(append(out, sum...), more...)
}

func (p PartRange) merge(q PartRange) PartRange {
	p.add(q.Counts)
	if p.First == nil || q.First != nil && bytes.Compare(q.First, p.First) < 0 {
		p.First = q.First
	}
	if bytes.Compare(q.Last, p.Last) > 0 {
		p.Last = q.Last
	}
	return p
}
