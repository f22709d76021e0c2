package window

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

const (
	// maxRows is where results are cut into batches.
	maxRows = 64 << 10
	// entryCost is what one batch in the log costs, in rows, on top of its rows.
	entryCost = 64
	// minLog is the cost below which the log is not compacted.
	minLog = 4096
)

// combine aggregates the batches of a bundle.
func (p *plan) combine(in []*batch.Batch) ([]*batch.Batch, error) {
	t := newPanes(p)
	for _, b := range in {
		if err := t.add(b); err != nil {
			return nil, err
		}
	}
	if t.groups.Len() == 0 {
		return nil, nil
	}
	b, err := t.partials()
	return []*batch.Batch{b}, err
}

// group is the state of one key group. Its log holds partial aggregates; those of closed windows are garbage.
type group struct {
	p       *plan
	panes   *panes  // of open windows, and of closed ones until compact
	starts  []int64 // of the open windows, sorted
	horizon int64   // windows that close at or before it are closed, in milliseconds
	dead    int     // panes of closed windows
	cost    int     // of the log
}

func newGroup(p *plan) *group {
	return &group{p: p, panes: newPanes(p), horizon: math.MinInt64}
}

// Header gives the horizon.
func (g *group) Header() []byte {
	return binary.LittleEndian.AppendUint64([]byte{1}, uint64(g.horizon))
}

// Restore rebuilds the open windows.
func (g *group) Restore(header []byte, log []*batch.Batch) error {
	if len(header) != 9 || header[0] != 1 {
		return fmt.Errorf("the stored state of the window step is damaged or of another version (header %x)", header)
	}
	g.horizon = int64(binary.LittleEndian.Uint64(header[1:]))
	for _, b := range log {
		if !b.Schema().Equal(g.p.partials) {
			return fmt.Errorf("the stored state of the window step has the columns %s, the step %s", b.Schema(), g.p.partials)
		}
		g.cost += b.Rows() + entryCost
		_, open, err := g.split(b, column.Of(b.Column(0)).Words)
		if err != nil {
			return err
		}
		if err := g.merge(open); err != nil {
			return err
		}
	}
	return nil
}

// Process adds partial aggregates, or rows if they are not combined before.
func (g *group) Process(in *batch.Batch, out *flow.Out) error {
	if g.p.lateRows {
		late, open, err := g.split(in, g.p.starts(in.Times()))
		if err != nil {
			return err
		}
		if late != nil {
			out.Late(late)
		}
		if open == nil {
			return nil
		}
		parts, err := g.p.combine([]*batch.Batch{open})
		if err != nil {
			return err
		}
		return g.keep(parts[0], out)
	}
	late, open, err := g.split(in, column.Of(in.Column(0)).Words)
	if err != nil {
		return err
	}
	if late != nil {
		t := newPanes(g.p)
		if err := t.merge(late); err != nil {
			return err
		}
		b, err := t.lates()
		if err != nil {
			return err
		}
		out.Late(b)
	}
	return g.keep(open, out)
}

// split parts rows by whether their windows are closed; nil stands for no rows. Every row is in one of the two, and
// what is late is emitted as late.
//
// Guarantee 10
func (g *group) split(b *batch.Batch, starts []uint64) (late, open *batch.Batch, err error) {
	closed := func(start uint64) bool { return g.p.closes(int64(start)) <= g.horizon }
	if !slices.ContainsFunc(starts, closed) {
		return nil, b, nil
	}
	var lates, opens []int32
	for row, start := range starts {
		if closed(start) {
			lates = append(lates, int32(row))
		} else {
			opens = append(opens, int32(row))
		}
	}
	if len(opens) == 0 {
		return b, nil, nil
	}
	if late, err = b.Take(lates); err != nil {
		return nil, nil, err
	}
	open, err = b.Take(opens)
	return late, open, err
}

// keep adds partial aggregates of open windows to index and log.
func (g *group) keep(b *batch.Batch, out *flow.Out) error {
	if b == nil {
		return nil
	}
	if err := g.merge(b); err != nil {
		return err
	}
	out.Append(b)
	out.Hold(b.Weight())
	g.cost += b.Rows() + entryCost
	return g.compact(out)
}

// merge adds partial aggregates of open windows to the index.
func (g *group) merge(b *batch.Batch) error {
	if b == nil {
		return nil
	}
	old := g.panes.groups.Len()
	if err := g.panes.merge(b); err != nil {
		return err
	}
	var fresh []int64
	for _, s := range g.panes.groups.Words(0)[old:] {
		start := int64(s)
		if n := len(fresh); n > 0 && fresh[n-1] == start {
			continue
		}
		if _, known := slices.BinarySearch(g.starts, start); !known {
			fresh = append(fresh, start)
		}
	}
	if len(fresh) > 0 {
		g.starts = append(g.starts, fresh...)
		slices.Sort(g.starts)
		g.starts = slices.Compact(g.starts)
	}
	return nil
}

// Closes gives the time at which each open window is final; until then it holds back the watermark to its own time.
func (g *group) Closes() []flow.Closing {
	var out []flow.Closing
	for _, start := range g.starts {
		c := flow.Closing{At: g.p.closes(start), Hold: g.p.hold(start)}
		if n := len(out); n == 0 || out[n-1].At != c.At {
			out = append(out, c)
		}
	}
	return out
}

// Close emits the results of all windows that are final.
func (g *group) Close(upTo int64, out *flow.Out) error {
	g.horizon = max(g.horizon, upTo)
	n := 0
	for n < len(g.starts) && g.p.closes(g.starts[n]) <= g.horizon {
		n++
	}
	if n == 0 {
		return nil
	}
	ids := g.panes.within(g.starts[0], g.starts[n-1])
	g.starts = slices.Delete(g.starts, 0, n)
	g.dead += len(ids)
	for part := range slices.Chunk(ids, maxRows) {
		b, err := g.panes.pick(part).results()
		if err != nil {
			return err
		}
		out.Emit(b)
		out.Hold(-b.Weight())
	}
	return g.compact(out)
}

// compact writes the log anew when more than half of it is garbage: closed windows, panes that were written several
// times, and batches of a few rows. The index sheds its closed windows with it.
func (g *group) compact(out *flow.Out) error {
	live := g.panes.groups.Len() - g.dead
	switch {
	case live == 0:
		out.Rewrite()
		g.panes, g.dead, g.cost = newPanes(g.p), 0, 0
		return nil
	case g.cost <= max(minLog, 2*(live+entryCost)):
		return nil
	}
	ids := g.panes.within(g.starts[0], math.MaxInt64)
	b, err := g.panes.pick(ids).partials()
	if err != nil {
		return err
	}
	out.Rewrite()
	out.Append(b)
	g.panes, g.dead, g.cost = g.panes.pick(ids), 0, b.Rows()+entryCost
	return nil
}
