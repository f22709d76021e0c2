package commit

import "slices"

// CutOptions says how to cut.
type CutOptions struct {
	// NewID draws the commit's id. Required; NewID outside of tests. It is called once, before the commit leaves the
	// state, so that every redo has the same id.
	NewID func() string
	// End takes all that waits and marks the commit as the sink's last one. It is cut even with no rows, and only once.
	End bool
}

// Cut takes the ranges of the given destinations, in that order, out of the roll and gives them as the sink's next commit.
// ok is false, and no number is used, if there is nothing to commit. The caller makes the roll's new state and the commit
// durable in one step.
func (r *Roll) Cut(dests []string, o CutOptions) (c Commit, ok bool) {
	if o.End {
		dests = r.Dests()
	}
	dests = slices.DeleteFunc(slices.Clone(dests), func(d string) bool { return r.open[d] == nil })
	if len(dests) == 0 && !o.End || r.ended {
		return Commit{}, false
	}
	c = Commit{
		Version: version, Sink: r.o.Sink, Job: r.o.Job, Incarnation: r.o.Incarnation, Epoch: r.o.Epoch,
		Seq: r.next, ID: o.NewID(), Prev: r.prev, End: o.End,
	}
	for _, dest := range dests {
		w := r.open[dest]
		if w == nil {
			continue // named twice
		}
		delete(r.open, dest)
		r.ranges -= len(w.manifests)
		for len(w.manifests) > 0 {
			n := r.fill(w.manifests)
			c.Files = append(c.Files, c.file(w.manifests[:n], r.o.Extension))
			w.manifests = w.manifests[n:]
		}
	}
	c.Pieces = r.taken(c.Files)
	c.Held = r.Held()
	r.next, r.prev, r.ended = c.Seq+1, c.ID, o.End
	return c, true
}

// fill gives the number of ranges that go into one file.
func (r *Roll) fill(ms []Manifest) int {
	size := ms[0].Len
	for i, m := range ms[1:] {
		if size += m.Len; size > r.o.FileBytes {
			return i + 1
		}
	}
	return len(ms)
}

// file makes the commit's next file of ranges of one destination.
func (c Commit) file(ms []Manifest, extension string) File {
	f := File{Name: c.fileName(ms[0].Dest, len(c.Files), extension), Dest: ms[0].Dest, MinTime: ms[0].MinTime, MaxTime: ms[0].MaxTime}
	for _, m := range ms {
		f.Ranges = append(f.Ranges, m.toRange())
		f.add(m.Counts)
		f.Parts = mergeParts(f.Parts, m.Parts)
		f.MinTime, f.MaxTime = min(f.MinTime, m.MinTime), max(f.MaxTime, m.MaxTime)
	}
	return f
}

// taken notes that the files' ranges have left the roll and gives the pieces of which none is left, in order of their last
// range.
func (r *Roll) taken(files []File) []string {
	var out []string
	for _, f := range files {
		for _, g := range f.Ranges {
			p := r.pieces[g.Piece]
			if p.left--; p.left == 0 {
				delete(r.pieces, g.Piece)
				out = append(out, g.Piece)
			}
		}
	}
	return out
}

// Encode gives the roll's state in a compact form, the same bytes for the same state.
func (r *Roll) Encode() []byte {
	e := newEncoder()
	e.text(r.o.Sink)
	e.text(r.o.Job)
	e.text(r.o.Incarnation)
	e.int(r.next)
	e.text(r.prev)
	e.bool(r.ended)
	names := r.Pieces()
	e.uint(uint64(len(names)))
	for _, name := range names {
		e.text(name)
		e.uint(uint64(r.pieces[name].left))
		e.uint(uint64(r.pieces[name].unseen))
	}
	dests := r.Dests()
	e.uint(uint64(len(dests)))
	for _, dest := range dests {
		w := r.open[dest]
		e.int(w.since)
		e.uint(uint64(len(w.manifests)))
		for _, m := range w.manifests {
			e.manifest(m)
		}
	}
	return e.finish()
}
