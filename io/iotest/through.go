package iotest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// checkSinkCrashes runs a job that writes the fixture's rows.
func checkSinkCrashes(t testing.TB, _ Features, fx SinkFixture) error {
	s, err := fx.New("place")
	if err != nil {
		return err
	}
	dests, err := byDest(s, fx.Rows)
	if err != nil {
		return err
	}
	var want []string
	for dest, bs := range dests {
		if dest == "" {
			dest = "."
		}
		for _, b := range bs {
			for _, row := range texts(b.Record()) {
				want = append(want, dest+"/ "+row)
			}
		}
	}
	slices.Sort(want)
	for _, at := range crashes {
		dir := t.TempDir()
		url := filepath.Join(dir, "place")
		err := runThrough(t.Context(), dir, at, func(p *flow.Pipeline) {
			s, err := fx.New(url)
			if err != nil {
				p.Errorf("out", "%w", err)
				return
			}
			flow.Write("out", flow.Read(p, "in", &pages{rows: fx.Rows}).Rows, s)
		})
		if err != nil {
			return fmt.Errorf("crashes %v: %w", at, err)
		}
		got, err := kept(url, s.Spec().Extension, fx.Decode)
		if err != nil {
			return err
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			return fmt.Errorf("crashes %v: %s", at, diff)
		}
	}
	return nil
}

// pages is a source with one partition and one batch a page. A position is the number of pages read.
type pages struct{ rows []*batch.Batch }

// Spec describes it.
func (p *pages) Spec() flow.SourceSpec {
	return flow.SourceSpec{Connector: "pages", Address: "memory", Schema: p.rows[0].Schema(), Bounded: true, Guarantee: "each row once"}
}

// Partitions lists the one.
func (p *pages) Partitions(context.Context) ([]flow.Partition, error) {
	return []flow.Partition{{ID: "all"}}, nil
}

// Open starts at a position.
func (p *pages) Open(_ context.Context, a flow.Assignment) (flow.Reader, error) {
	r := &pagesReader{rows: p.rows}
	var err error
	if len(a.Position) > 0 {
		r.next, err = strconv.Atoi(string(a.Position))
	}
	return r, err
}

type pagesReader struct {
	rows []*batch.Batch
	next int
}

// Close does nothing.
func (r *pagesReader) Close() error { return nil }

// Read gives the next batch.
func (r *pagesReader) Read(context.Context) (flow.Page, error) {
	page := flow.Page{Watermark: batch.NoTime, State: flow.End, Next: []byte(strconv.Itoa(r.next))}
	if r.next == len(r.rows) {
		return page, nil
	}
	b, err := batch.New(r.rows[r.next].Visible())
	if err != nil {
		return page, err
	}
	r.next++
	return flow.Page{
		Rows: b, Records: b.Weight(), Watermark: batch.NoTime, State: flow.More, Next: []byte(strconv.Itoa(r.next)),
	}, nil
}
