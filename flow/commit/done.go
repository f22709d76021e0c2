package commit

import (
	"fmt"
)

// FileResult is what became of one file of a commit.
type FileResult struct {
	Name string `json:"name"`
	// Rows were taken by the destination; Rejected were not, by a verdict per row. Together they are the file's rows.
	Rows     int64 `json:"rows"`
	Rejected int64 `json:"rejected,omitempty"`
	// Bytes is the file's size.
	Bytes int64 `json:"bytes"`
	// Done says that the whole commit was found done, so that nothing was looked at.
	Done bool `json:"-"`
}

// doneRecord is the object that ends a commit. It says all that later steps need, so that they never read the claim.
type doneRecord struct {
	Version     int          `json:"version"`
	Seq         int64        `json:"seq"`
	ID          string       `json:"id"`
	Incarnation string       `json:"incarnation"`
	Epoch       int64        `json:"epoch,omitempty"`
	Begin       bool         `json:"begin,omitempty"`
	Replace     bool         `json:"replace,omitempty"`
	End         bool         `json:"end,omitempty"`
	Void        bool         `json:"void,omitempty"`
	Files       []FileResult `json:"files,omitempty"`
	// Visible is the part of the commit that was published, Lost the part that a void gave up.
	Visible Counts      `json:"visible"`
	Lost    Counts      `json:"lost"`
	Parts   []PartRange `json:"parts,omitempty"`
	Pieces  []string    `json:"pieces,omitempty"`
}

// doneOf makes the record of a commit of which the given files stand. Every file must stand unless the commit is void.
func doneOf(c Commit, results []FileResult, void bool) (doneRecord, error) {
	d := doneRecord{
		Version: version, Seq: c.Seq, ID: c.ID, Incarnation: c.Incarnation, Epoch: c.Epoch, Begin: c.Begin, Replace: c.Replace,
		End: c.End, Void: void, Pieces: c.Pieces, Files: results, Lost: c.counts(),
	}
	byName := map[string]FileResult{}
	for _, r := range results {
		byName[r.Name] = r
	}
	for _, f := range c.Files {
		r, ok := byName[f.Name]
		switch {
		case !ok && void:
			continue
		case !ok:
			return d, fmt.Errorf("commit: sink %s: number %d: no result for the file %s; it is not done", c.Sink, c.Seq, f.Name)
		case r.Rows+r.Rejected != f.Rows || r.Rows < 0 || r.Rejected < 0:
			return d, fmt.Errorf("commit: sink %s: number %d: the file %s has %d rows, but %d were written and %d rejected",
				c.Sink, c.Seq, f.Name, f.Rows, r.Rows, r.Rejected)
		}
		delete(byName, f.Name)
		d.Visible.add(f.Counts)
		d.Parts = mergeParts(d.Parts, f.Parts)
	}
	for name := range byName {
		return d, fmt.Errorf("commit: sink %s: number %d has no file %s, or two results of it", c.Sink, c.Seq, name)
	}
	d.Lost.Rows -= d.Visible.Rows
	d.Lost.Weight -= d.Visible.Weight
	return d, nil
}

func (d doneRecord) identity() Identity {
	return Identity{ID: d.ID, Incarnation: d.Incarnation, Epoch: d.Epoch}
}

// Totals sums what a ledger has made visible since its first commit, or since the last replacing reset.
type Totals struct {
	Commits  int64 `json:"commits"`
	Files    int64 `json:"files"`
	Bytes    int64 `json:"bytes"`
	Rejected int64 `json:"rejected"`
	// Visible counts the rows of published files, rejected ones included.
	Visible Counts `json:"visible"`
	// Lost counts the rows of commits that were voided.
	Lost Counts `json:"lost"`
	// Parts counts the visible rows by source partition, sorted by partition. Rows without a position are in none.
	Parts []PartRange `json:"parts,omitempty"`
}

// Incarnation is one life of a job's state in a ledger.
type Incarnation struct {
	ID string `json:"id"`
	// First is the number of the commit with which it began.
	First int64 `json:"first"`
}

// through says up to which number all commits are done. It follows from the done records up to there alone, so every
// writer writes the same.
type through struct {
	Version      int           `json:"version"`
	Seq          int64         `json:"seq"`
	ID           string        `json:"id"`
	End          bool          `json:"end,omitempty"`
	Incarnations []Incarnation `json:"incarnations"`
	Totals       Totals        `json:"totals"`
}

// next gives the value after one more commit.
func (t through) next(d doneRecord) through {
	t.Version, t.Seq, t.ID, t.End = version, d.Seq, d.ID, d.End
	if d.Begin {
		t.Incarnations = append(t.Incarnations[:len(t.Incarnations):len(t.Incarnations)], Incarnation{ID: d.ID, First: d.Seq})
		if d.Replace {
			t.Totals = Totals{}
		}
		return t
	}
	n := &t.Totals
	n.Commits++
	n.Visible.add(d.Visible)
	n.Lost.add(d.Lost)
	n.Parts = mergeParts(n.Parts, d.Parts)
	for _, f := range d.Files {
		n.Files++
		n.Bytes += f.Bytes
		n.Rejected += f.Rejected
	}
	return t
}

func decodeDone(data []byte) (doneRecord, error) {
	var d doneRecord
	if err := decodeRecord("done record", data, &d); err != nil {
		return d, err
	}
	if d.Version != version || d.Seq < 1 || !isID(d.ID) {
		return d, fmt.Errorf("commit: done record of number %d, version %d: not a done record of this version", d.Seq, d.Version)
	}
	return d, nil
}

func decodeThrough(data []byte) (through, error) {
	var t through
	if err := decodeRecord("through record", data, &t); err != nil {
		return t, err
	}
	if t.Version != version || t.Seq < 1 || !isID(t.ID) || len(t.Incarnations) == 0 {
		return t, fmt.Errorf("commit: through record of number %d, version %d: not a through record of this version", t.Seq, t.Version)
	}
	return t, nil
}
