package window_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/flowtest"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/dedupe"
	"github.com/millrace-io/millrace/transforms/window"
)

type visit struct {
	ID int64
	At time.Time
}

type page struct{ ID, Page int64 }

type visitors struct{ ID, N int64 }

// letter is what a dead letter says.
type letter struct {
	Step, Cause, Reason string
	Position            *string
	Weight              int64
	Payload             []byte
}

// accounts is a pipeline with a spread, refusals on both sides of it, keyed steps, and sinks of all kinds of rows.
type accounts struct {
	script *flowtest.Script[visit]
	pages  *flow.Collection[page]
	rows   *flow.Collection[visitors]
	late   *flow.Collection[visitors]
	dead   *flow.Collection[letter]
}

func (a *accounts) build(p *flow.Pipeline) {
	in := flowtest.Read(p, "in", a.script)
	kept := flow.Filter("kept", in.Rows, func(v visit) bool { return v.ID != 3 })
	spread := flow.FlatMap("spread", kept.Rows, func(v visit, emit func(page)) {
		for i := range v.ID % 4 { // 0, 4 and 8 give nothing
			emit(page{v.ID, i})
		}
	})
	tried := flow.TryMap("tried", spread.Rows, func(g page) (page, error) {
		if g == (page{2, 1}) || g == (page{6, 0}) {
			return g, fmt.Errorf("no page %d", g.Page)
		}
		return g, nil
	})
	once := dedupe.Rows("once", tried.Rows, dedupe.Options{})
	w := window.Fixed("w", in.Rows, time.Minute, window.Options{Keys: []string{"id"}, Values: window.Values{"n": window.Count()}})
	a.pages = flow.Collect[page]("pages", once.Rows)
	a.rows = flow.Collect[visitors]("rows", w.Rows)
	lates := flow.Filter("lates", w.Late, func(visitors) bool { return true })
	a.late = flow.Collect[visitors]("late", lates.Rows)
	a.dead = flow.Collect[letter]("dead", flow.Dead(tried.Rejected, w.Late))
}

func (a *accounts) check(t testing.TB, r runners.Result) {
	sorted(t, a.pages, []page{
		{1, 0}, {2, 0}, {5, 0}, {6, 1}, {7, 0}, {7, 1}, {7, 2}, {9, 0}, {10, 0}, {10, 1}, {11, 0}, {11, 1}, {11, 2},
	}, func(a, b page) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Page, b.Page)) })
	byID := func(a, b visitors) int { return cmp.Compare(a.ID, b.ID) }
	sorted(t, a.rows, []visitors{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 2}, {6, 1}, {7, 1}, {8, 1}, {9, 1}, {10, 1}, {11, 1}}, byID)
	sorted(t, a.late, []visitors{{5, 1}}, byID)
	second, seventh := "1048578/1", "1048582" // the script's second step, rows 2 and 6
	sorted(t, a.dead, []letter{
		{"tried", "rejected", "no page 0", &seventh, 1, []byte(`{"id":6,"page":0}`)},
		{"tried", "rejected", "no page 1", &second, 0, []byte(`{"id":2,"page":1}`)},
		{"w", "late", "its window was closed before it came", nil, 1, []byte(`{"window":"2024-01-01T12:00:00Z","id":5,"n":1,"late_rows":1}`)},
	}, func(a, b letter) int { return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Reason, b.Reason)) })
	for _, s := range r.Sinks {
		open := s.Step == "late" || s.Step == "dead"
		switch {
		case open && s.Balanced != nil:
			t.Errorf("the account of %s claims to know all rows: %+v", s.Step, s)
		case !open && (s.Balanced == nil || !*s.Balanced || s.Held != 0 || s.Waiting != 0 || s.Read != 14):
			t.Errorf("the account of %s does not balance: %+v", s.Step, s)
		}
	}
}

// sorted compares what was collected, in the order of by.
func sorted[T any](t testing.TB, c *flow.Collection[T], want []T, by func(a, b T) int) {
	t.Helper()
	rows, err := c.Rows(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, by)
	if diff := gocmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Every source row is found again in the account of every sink: written, rejected, dropped or late on its way, also where rows
// were spread before they were refused. Letters say exactly what was refused.
func TestAccountsBalance(t *testing.T) {
	begin := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	var visits []visit
	for i := range int64(12) {
		visits = append(visits, visit{i, begin.Add(time.Duration(i) * time.Second)})
	}
	a := accounts{script: flowtest.NewScript(flowtest.Options[visit]{Time: func(v visit) time.Time { return v.At }}).
		Partition("a").Rows("a", visits...).Rows("a", visits[5]).Restart().
		Watermark("a", begin.Add(time.Hour)).Rows("a", visit{5, begin}).End("a")}
	flowtest.Run(t, flowtest.Case{Build: a.build, Check: a.check})
}
