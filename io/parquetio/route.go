package parquetio

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// Route gives every row its folder, and refuses the rows that Encode could not write exactly.
func (s *sink) Route(b *batch.Batch) (flow.Routing, error) {
	var bad refusals
	for i := range b.Columns() {
		check(b.Record().Schema().Field(i), b.Column(i), &bad)
	}
	dests, of := []string{""}, []int32(nil)
	for _, p := range s.parts {
		col := b.Find(p.column)
		if col == nil {
			return flow.Routing{}, fmt.Errorf("parquetio: PartitionBy: the rows have no column %q", p.column)
		}
		f, err := s.folders(p, col)
		if err != nil {
			return flow.Routing{}, fmt.Errorf("parquetio: PartitionBy %q: %w", p.name(), err)
		}
		f.refuse(&bad)
		dests, of = join(dests, of, f)
	}
	s.capPartitions(dests, of, &bad)
	return bad.routing(dests, of, b.Rows()), nil
}

// folders are the folders that the values of one partition column belong to.
type folders struct {
	of      []int32        // for every row the index of its folder
	names   []string       // the name of each folder
	refused []flow.Refusal // by folder: why its rows are refused; no rule if they are not
}

// refuse enters the rows of folders that cannot be.
func (f folders) refuse(bad *refusals) {
	if !slices.ContainsFunc(f.refused, func(r flow.Refusal) bool { return r.Rule != "" }) {
		return
	}
	for row, n := range f.of {
		if r := f.refused[n]; r.Rule != "" {
			bad.add(int32(row), r.Rule, r.Reason)
		}
	}
}

// join extends every row's destination by one more folder. of nil stands for all rows in dests[0].
func join(dests []string, of []int32, f folders) ([]string, []int32) {
	if of == nil {
		return f.names, f.of
	}
	width := int64(len(f.names))
	g := groupNumbers(len(of), nil, func(row int) int64 { return int64(of[row])*width + int64(f.of[row]) })
	names := make([]string, len(g.firsts))
	for n, row := range g.firsts {
		names[n] = dests[of[row]] + "/" + f.names[f.of[row]]
	}
	return names, g.of
}

// folders finds the folder of every row. A name is made once per distinct value.
func (s *sink) folders(p partition, col arrow.Array) (folders, error) {
	v, err := valuesOf(p, col)
	if err != nil {
		return folders{}, err
	}
	var g groups
	if v.text != nil {
		null := nulls(col)
		if !s.o.DropPartitionColumns { // the empty text shares the folder of null
			null = func(row int) bool { return col.IsNull(row) || v.text(row) == "" }
		}
		g = groupTexts(col.Len(), null, v.text)
	} else {
		g = groupNumbers(col.Len(), nulls(col), v.number)
	}
	f := folders{of: g.of}
	for _, row := range g.firsts {
		name, refusal := p.nullFolder(), flow.Refusal{}
		if col.IsValid(row) {
			name, refusal = s.folder(p, v.show(row))
		}
		f.names, f.refused = append(f.names, name), append(f.refused, refusal)
	}
	return f, nil
}

// folder gives the folder's name for a value, and why a row with it is refused, if it is.
func (s *sink) folder(p partition, value string) (string, flow.Refusal) {
	if value == "" { // Hive has no other folder for it; only the column in the file tells it from null
		if s.o.DropPartitionColumns {
			return p.nullFolder(), flow.Refusal{Rule: RuleEmptyPartition, Reason: fmt.Sprintf(
				"partition column %q is the empty text, which a folder's name cannot tell from null", p.column)}
		}
		return p.nullFolder(), flow.Refusal{}
	}
	name := p.folder(value)
	if len(name) > maxName {
		return name, flow.Refusal{Rule: RuleFolder, Reason: fmt.Sprintf(
			"partition column %q: the folder's name would have %d bytes, at most %d are possible", p.column, len(name), maxName)}
	}
	return name, flow.Refusal{}
}

// capPartitions refuses the rows of folders beyond MaxPartitions.
func (s *sink) capPartitions(dests []string, of []int32, bad *refusals) {
	if len(s.parts) == 0 {
		return
	}
	used := slices.Repeat([]bool{len(bad.byRow) == 0}, len(dests))
	if len(bad.byRow) > 0 {
		for row, d := range of {
			used[d] = used[d] || !bad.has(int32(row))
		}
	}
	over := s.recent.admit(dests, used)
	if over == nil {
		return
	}
	for row, d := range of {
		if over[d] {
			bad.add(int32(row), RuleMaxPartitions, fmt.Sprintf(
				"folder %q: rows went to %d folders within %v already: partition by a column with fewer values, or raise MaxPartitions",
				dests[d], s.o.MaxPartitions, s.recent.span))
		}
	}
}

// recent counts the distinct folders within a span of time.
type recent struct {
	max  int
	span time.Duration
	now  func() time.Time

	mu    sync.Mutex
	since time.Time
	seen  map[string]struct{}
}

// admit enters the used folders and says which of them are too many; nil if none is.
func (r *recent) admit(dests []string, used []bool) (over []bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); r.seen == nil || now.Sub(r.since) >= r.span || now.Before(r.since) {
		r.seen, r.since = map[string]struct{}{}, now
	}
	for i, d := range dests {
		if _, ok := r.seen[d]; ok || !used[i] {
			continue
		}
		if len(r.seen) < r.max {
			r.seen[d] = struct{}{}
			continue
		}
		if over == nil {
			over = make([]bool, len(dests))
		}
		over[i] = true
	}
	return over
}

// refusals gathers at most one refusal for a row: the first.
type refusals struct{ byRow map[int32]flow.Refusal }

func (r *refusals) has(row int32) bool {
	_, ok := r.byRow[row]
	return ok
}

func (r *refusals) add(row int32, rule, reason string) {
	if r.has(row) {
		return
	}
	if r.byRow == nil {
		r.byRow = map[int32]flow.Refusal{}
	}
	r.byRow[row] = flow.Refusal{Row: row, Rule: rule, Reason: reason}
}

// routing makes the answer of Route. of is nil if all rows go to dests[0].
func (r *refusals) routing(dests []string, of []int32, rows int) flow.Routing {
	out := flow.Routing{Dests: dests, Of: of}
	if len(r.byRow) == 0 {
		return out
	}
	if of == nil {
		out.Of = make([]int32, rows)
	}
	for row, refusal := range r.byRow {
		out.Of[row] = -1
		out.Refused = append(out.Refused, refusal)
	}
	slices.SortFunc(out.Refused, func(a, b flow.Refusal) int { return cmp.Compare(a.Row, b.Row) })
	return out
}
