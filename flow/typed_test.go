package flow

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/batch"
)

// row is a row of the tests, with the hidden columns that it has.
type row struct {
	ID, Fan     int64
	part        string
	off         int64
	sub         int32
	time, weigh int64
}

type idFan struct{ ID, Fan int64 }

// nothing is a source of idFan that nobody runs.
type nothing struct{ m *batch.Mapping[idFan] }

func (s nothing) Spec() SourceSpec {
	return SourceSpec{Connector: "nothing", Address: "nowhere", Schema: s.m.Schema(), EventTime: true}
}
func (nothing) Partitions(context.Context) ([]Partition, error)  { return nil, nil }
func (nothing) Open(context.Context, Assignment) (Reader, error) { return nil, errors.New("not run") }

// stepsOf builds steps on a source of idFan and gives their functions, in the order of the graph.
func stepsOf(t interface{ Fatal(...any) }, build func(Rows)) []StepFunc {
	m, err := batch.NewMapping[idFan]()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Build("test", func(p *Pipeline) { build(Read(p, "in", nothing{m}).Rows) })
	if err != nil {
		t.Fatal(err)
	}
	var fns []StepFunc
	for _, n := range g.order {
		if s, ok := n.impl.(*Step); ok {
			fn, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			fns = append(fns, fn)
		}
	}
	return fns
}

func batchOf(t *rapid.T, rows []row) *batch.Batch {
	m, err := batch.NewMapping[idFan]()
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.NewBuilder(m.Schema(), batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := m.Append(b, &idFan{r.ID, r.Fan}); err != nil {
			t.Fatal(err)
		}
		b.Time(r.time)
		b.Position(r.part, r.off, r.sub)
		b.Weight(r.weigh)
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rowsOf reads a batch of idFan with its hidden columns.
func rowsOf(t *rapid.T, bs ...*batch.Batch) []row {
	var out []row
	for _, b := range bs {
		part := b.Hidden(batch.PartColumn).(*array.Dictionary)
		off := b.Hidden(batch.OffsetColumn).(*array.Int64)
		sub, _ := b.Hidden(batch.SubColumn).(*array.Int32)
		for i := range b.Rows() {
			r := row{
				ID: b.Column(0).(*array.Int64).Value(i), Fan: b.Column(1).(*array.Int64).Value(i),
				part: part.Dictionary().(*array.String).Value(part.GetValueIndex(i)), off: off.Value(i),
				time: b.Times()[i], weigh: weightAt(b.Weights(), int32(i)),
			}
			if sub != nil && sub.IsValid(i) {
				r.sub = sub.Value(i)
			}
			out = append(out, r)
		}
	}
	return out
}

func drawRows(t *rapid.T) []row {
	var rows []row
	for i := range rapid.IntRange(1, 20).Draw(t, "rows") {
		r := row{
			ID: int64(i), Fan: rapid.Int64Range(0, 3).Draw(t, "fan"), part: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "part"),
			off: int64(i), time: rapid.Int64Range(-5, 5).Draw(t, "time"), weigh: rapid.Int64Range(0, 3).Draw(t, "weight"),
		}
		if i > 0 && rapid.IntRange(0, 3).Draw(t, "of the same record") == 0 { // a record that gave several rows
			r.part, r.off, r.sub = rows[i-1].part, rows[i-1].off, rows[i-1].sub+1
		}
		rows = append(rows, r)
	}
	return rows
}

func sumOf(rows []row) (w int64) {
	for _, r := range rows {
		w += r.weigh
	}
	return w
}

// Twice spread, rows keep order, time, partition and offset of what they came from; weights add up with what is dropped; and
// the position of each row is its own.
func TestFlatMapTwice(t *testing.T) {
	fan := func(v idFan, emit func(idFan)) {
		for k := range v.Fan {
			emit(idFan{10*v.ID + k, (v.Fan + k) % 3})
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		fns := stepsOf(t, func(in Rows) { FlatMap("second", FlatMap("first", in, fan).Rows, fan) })
		now := drawRows(t)
		for _, fn := range fns {
			if len(now) == 0 {
				return
			}
			var out StepOut
			if err := fn(batchOf(t, now), &out); err != nil {
				t.Fatal(err)
			}
			var want []row
			for _, r := range now {
				for k := range r.Fan {
					w := row{ID: 10*r.ID + k, Fan: (r.Fan + k) % 3, part: r.part, off: r.off, time: r.time}
					if k == 0 {
						w.weigh = r.weigh
					}
					want = append(want, w)
				}
			}
			got := rowsOf(t, out.rows...)
			if sumOf(now) != sumOf(got)+out.dropped {
				t.Errorf("weights: %d became %d and %d dropped", sumOf(now), sumOf(got), out.dropped)
			}
			for i := range got {
				if i > 0 && got[i].part == got[i-1].part && got[i].off == got[i-1].off && got[i].sub <= got[i-1].sub {
					t.Errorf("rows %d and %d of one position have the sub-indexes %d and %d", i-1, i, got[i-1].sub, got[i].sub)
				}
			}
			now = got
			bare := make([]row, len(got))
			for i, r := range got {
				r.sub = 0
				bare[i] = r
			}
			if diff := cmp.Diff(want, bare, cmp.AllowUnexported(row{}), cmp.Transformer("nil", func(r []row) []row { return append([]row{}, r...) })); diff != "" {
				t.Fatalf("rows (-want +got)\n%s", diff)
			}
		}
	})
}

// Filter, Map and TryMap account for every row: kept or mapped in order with all that is hidden, dropped, or refused.
func TestFilterAndMaps(t *testing.T) {
	odd := errors.New("odd")
	rapid.Check(t, func(t *rapid.T) {
		fns := stepsOf(t, func(in Rows) {
			Filter("filter", in, func(v struct{ Fan int64 }) bool { return v.Fan > 1 })
			Map("map", in, func(v idFan) idFan { return idFan{v.ID + 1, v.Fan} })
			TryMap("try", in, func(v idFan) (idFan, error) {
				if v.ID%2 == 1 {
					return idFan{}, fmt.Errorf("%d: %w", v.ID, odd)
				}
				return v, nil
			})
		})
		in := drawRows(t)
		var kept, mapped, tried []row
		var dropped int64
		var refused []Refusal
		for i, r := range in {
			if r.Fan > 1 {
				kept = append(kept, r)
			} else {
				dropped += r.weigh
			}
			if r.ID%2 == 0 {
				tried = append(tried, r)
			} else {
				refused = append(refused, Refusal{Row: int32(i), Reason: fmt.Sprintf("%d: odd", r.ID)})
			}
			r.ID++
			mapped = append(mapped, r)
		}
		for i, want := range [][]row{kept, mapped, tried} {
			for range 2 { // a step's function is used again
				var out StepOut
				if err := fns[i](batchOf(t, in), &out); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, rowsOf(t, out.rows...), cmp.AllowUnexported(row{})); diff != "" {
					t.Errorf("step %d: rows (-want +got)\n%s", i, diff)
				}
				if i == 0 && out.dropped != dropped || i > 0 && out.dropped != 0 {
					t.Errorf("step %d: %d dropped, want %d", i, out.dropped, dropped)
				}
				if i == 2 {
					if diff := cmp.Diff(refused, out.refused); diff != "" {
						t.Errorf("refused (-want +got)\n%s", diff)
					}
				}
			}
		}
	})
}

// A step that loses or doubles rows is found out.
func TestBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := batchOf(t, []row{{ID: 1, part: "a", weigh: 2}, {ID: 2, part: "a", off: 1, weigh: 0}, {ID: 3, part: "a", off: 2, weigh: 1}})
		first, last := in.Slice(0, 1), in.Slice(1, 3)
		for name, c := range map[string]struct {
			out          StepOut
			books, pairs bool
		}{
			"whole":          {StepOut{rows: []*batch.Batch{in}}, true, true},
			"parts":          {StepOut{rows: []*batch.Batch{first, last}}, true, true},
			"refused":        {StepOut{rows: []*batch.Batch{last}, refused: []Refusal{{Row: 0}}}, true, true},
			"dropped":        {StepOut{rows: []*batch.Batch{last}, dropped: 2}, true, false},
			"lost":           {StepOut{rows: []*batch.Batch{last}}, false, false},
			"doubled":        {StepOut{rows: []*batch.Batch{in, first}}, false, false},
			"no weight lost": {StepOut{rows: []*batch.Batch{first, in.Slice(2, 3)}}, true, false},
		} {
			if err := books(in.Weight(), c.out.weight(in)); (err == nil) != c.books {
				t.Errorf("%s: %v", name, err)
			}
			if err := oneToOne(in, &c.out); (err == nil) != c.pairs {
				t.Errorf("%s, one to one: %v", name, err)
			}
		}
	})
}
