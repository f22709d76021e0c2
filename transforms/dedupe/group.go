package dedupe

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/graph"
	"github.com/zeebo/xxh3"
)

const (
	// entryCost is what one batch in the log costs, in rows, on top of its rows.
	entryCost = 64
	// minLog is the cost below which the log is not compacted.
	minLog = 4096
	// maxEntry bounds the rows of one batch in the log.
	maxEntry = 1 << 18
)

// group is the state of one key group: the hashes and event times of the rows that have passed. Its log holds the same.
type group struct {
	p        *plan
	seen     index
	expiries []int64       // of what is remembered, sorted, milliseconds
	expiring map[int64]int // rows for each of them
	horizon  int64         // what expires at or before it is forgotten, milliseconds
	live     int           // rows remembered; the index has forgotten ones too, until compact
	cost     int           // of the log
}

func newGroup(p *plan) *group {
	return &group{p: p, expiring: map[int64]int{}, horizon: math.MinInt64}
}

// expiry gives the time that the watermark must pass so that a row is forgotten, in milliseconds. Rows are forgotten in
// steps, so that few timers are needed.
func (p *plan) expiry(us int64) int64 {
	after := floorDiv(us, 1000) + p.horizon + 1
	return -floorDiv(-after, p.width) * p.width
}

// floorDiv rounds towards minus infinity.
func floorDiv(a, b int64) int64 {
	d := a / b
	if a%b < 0 {
		d--
	}
	return d
}

// Header gives the horizon.
func (g *group) Header() []byte {
	return binary.LittleEndian.AppendUint64([]byte{1}, uint64(g.horizon))
}

// Restore rebuilds the index.
func (g *group) Restore(header []byte, log []*batch.Batch) error {
	if len(header) != 9 || header[0] != 1 {
		return fmt.Errorf("the stored state of the dedupe step is damaged or of another version (header %x)", header)
	}
	g.horizon = int64(binary.LittleEndian.Uint64(header[1:]))
	for _, b := range log {
		if !b.Schema().Equal(logSchema) {
			return fmt.Errorf("the stored state of the dedupe step has the columns %s instead of %s", b.Schema(), logSchema)
		}
		cols := column.Views(b.Record().Columns())
		for row := range b.Rows() {
			if t := int64(cols[2].Words[row]); !g.forgotten(t) {
				g.remember(xxh3.Uint128{Hi: cols[0].Words[row], Lo: cols[1].Words[row]}, t)
			}
		}
		g.cost += b.Rows() + entryCost
	}
	g.sort()
	return nil
}

// forgotten says whether a row of that time is older than what is remembered.
func (g *group) forgotten(t int64) bool { return g.p.horizon > 0 && g.p.expiry(t) <= g.horizon }

// known says whether an equal row is remembered whose time lies within the horizon.
func (g *group) known(h xxh3.Uint128, t int64) bool {
	reach := uint64(g.p.horizon) * 1000
	return g.seen.find(h, func(old int64) bool {
		apart := uint64(max(old, t)) - uint64(min(old, t)) // may be larger than an int64
		return g.p.horizon == 0 || apart <= reach && !g.forgotten(old)
	})
}

func (g *group) remember(h xxh3.Uint128, t int64) {
	g.seen.add(h, t)
	g.live++
	if g.p.horizon == 0 {
		return
	}
	e := g.p.expiry(t)
	if g.expiring[e] == 0 {
		g.expiries = append(g.expiries, e) // sort puts it in its place
	}
	g.expiring[e]++
}

// Process lets new rows pass.
func (g *group) Process(in *batch.Batch, out *flow.Out) error {
	if err := graph.Inserts(in); err != nil {
		return err
	}
	hashes, times, weights := hashRows(in, g.p.cols), in.Times(), in.Weights()
	var fresh, late []int32
	var dropped int64
	first := len(g.seen.hashes)
	for row, h := range hashes {
		var t int64
		if g.p.horizon > 0 {
			t = times[row]
		}
		switch {
		case g.forgotten(t):
			late = append(late, int32(row))
		case !g.known(h, t):
			g.remember(h, t)
			fresh = append(fresh, int32(row))
		case weights == nil:
			dropped++
		default:
			dropped += weights[row]
		}
	}
	if g.p.most > 0 && g.live > g.p.most {
		return fmt.Errorf("a key group remembers %d rows, more than MaxOpen (%d): raise MaxOpen, or shorten Horizon", g.live, g.p.most)
	}
	out.Drop(dropped)
	g.sort()
	if err := pick(in, late, out.Late); err != nil {
		return err
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := pick(in, fresh, out.Emit); err != nil {
		return err
	}
	if err := g.append(first, out); err != nil {
		return err
	}
	return g.compact(out)
}

// pick hands some rows of a batch on.
func pick(b *batch.Batch, rows []int32, to func(*batch.Batch)) error {
	if len(rows) == 0 {
		return nil
	}
	if len(rows) < b.Rows() {
		var err error
		if b, err = b.Take(rows); err != nil {
			return err
		}
	}
	to(b)
	return nil
}

// sort brings expiries into order after some were added.
func (g *group) sort() {
	if !slices.IsSorted(g.expiries) {
		slices.Sort(g.expiries)
	}
}

// Closes gives the times at which rows are forgotten. Nothing is held back until then.
func (g *group) Closes() []flow.Closing {
	out := make([]flow.Closing, len(g.expiries))
	for i, e := range g.expiries {
		out[i] = flow.Closing{At: e, Hold: e}
	}
	return out
}

// Close forgets rows.
func (g *group) Close(upTo int64, out *flow.Out) error {
	g.horizon = max(g.horizon, upTo)
	n := 0
	for n < len(g.expiries) && g.expiries[n] <= g.horizon {
		g.live -= g.expiring[g.expiries[n]]
		delete(g.expiring, g.expiries[n])
		n++
	}
	g.expiries = slices.Delete(g.expiries, 0, n)
	if n == 0 {
		return nil
	}
	return g.compact(out)
}

var logSchema = arrow.NewSchema([]arrow.Field{
	{Name: "high", Type: arrow.PrimitiveTypes.Uint64},
	{Name: "low", Type: arrow.PrimitiveTypes.Uint64},
	{Name: "time", Type: arrow.PrimitiveTypes.Int64},
}, nil)

// append adds what the index has from first on to the log.
func (g *group) append(first int, out *flow.Out) error {
	for from := first; from < len(g.seen.hashes); from += maxEntry {
		to := min(from+maxEntry, len(g.seen.hashes))
		words := [3][]uint64{}
		for i, h := range g.seen.hashes[from:to] {
			words[0], words[1] = append(words[0], h.Hi), append(words[1], h.Lo)
			words[2] = append(words[2], uint64(g.seen.times[from+i]))
		}
		cols := make([]arrow.Array, 3)
		for i, f := range logSchema.Fields() {
			cols[i] = column.Make(f.Type, words[i], nil)
		}
		b, err := batch.New(array.NewRecordBatch(logSchema, cols, int64(to-from)))
		if err != nil {
			return err
		}
		out.Append(b)
		g.cost += to - from + entryCost
	}
	return nil
}

// compact writes index and log anew when more than half of the log is garbage: forgotten rows and batches of a few rows.
func (g *group) compact(out *flow.Out) error {
	if g.live > 0 && g.cost <= max(minLog, 2*(g.live+entryCost)) {
		return nil
	}
	old := g.seen
	g.seen, g.cost = index{}, 0
	for i, h := range old.hashes {
		if !g.forgotten(old.times[i]) {
			g.seen.add(h, old.times[i])
		}
	}
	out.Rewrite()
	return g.append(0, out)
}
