package iotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// patience bounds the reading of one partition.
const patience = 30 * time.Second

// maxPageRows is the largest page that a runner has to hold.
const maxPageRows = 64 << 10

// reading is what one partition gave.
type reading struct {
	rows, letters []string // rows with their hidden columns
	visible       []string
	marks         []mark
	records       int64
	watermark     int64 // the largest of the pages
	state         flow.PageState
}

func newReading() reading { return reading{watermark: batch.NoTime} }

// mark is a position, and how much stood before it.
type mark struct {
	next          []byte
	rows, letters int
	records       int64
}

// read reads a partition from a position to its end, or until it is caught up.
func read(ctx context.Context, src flow.Source, a flow.Assignment) (reading, error) {
	out := newReading()
	r, err := src.Open(ctx, a)
	if err != nil {
		return out, fmt.Errorf("open %q: %w", a.ID, err)
	}
	err = out.drain(ctx, pageReader{src.Spec(), a.ID, r})
	return out, errors.Join(err, r.Close())
}

// pageReader reads pages and looks at each.
type pageReader struct {
	spec flow.SourceSpec
	part string
	flow.Reader
}

// drain adds pages until there is nothing left to read.
func (g *reading) drain(ctx context.Context, r pageReader) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		page, err := r.Read(ctx)
		if err != nil {
			return fmt.Errorf("read %q: %w", r.part, err)
		}
		if err := g.add(r, page); err != nil {
			return fmt.Errorf("partition %q, page %d: %w", r.part, len(g.marks), err)
		}
		switch page.State {
		case flow.End, flow.CaughtUp:
			return nil
		case flow.Waiting:
			select {
			case <-time.After(max(page.Pause, time.Millisecond)):
			case <-ctx.Done():
			}
		}
	}
	return fmt.Errorf("partition %q did not come to its end within %v", r.part, patience)
}

// add looks at a page and adds what it holds.
func (g *reading) add(r pageReader, page flow.Page) error {
	weight := int64(len(page.Rejected))
	if page.Rows != nil {
		if err := checkRows(r, page.Rows); err != nil {
			return err
		}
		if r.spec.Ordered && page.Rows.Rows() > 0 && page.Rows.MinTime() < g.watermark {
			return fmt.Errorf("it has a row of time %d behind a watermark of %d", page.Rows.MinTime(), g.watermark)
		}
		weight += page.Rows.Weight()
		g.rows = append(g.rows, texts(page.Rows.Record())...)
		g.visible = append(g.visible, texts(page.Rows.Visible())...)
	}
	for i, l := range page.Rejected {
		if l.Reason == "" || l.Position == "" || l.Format != flow.FormatRaw && l.Format != flow.FormatJSON {
			return fmt.Errorf("rejected record %d: want a reason, a position and a format, got %+v", i, l)
		}
		g.letters = append(g.letters, fmt.Sprintf("%s %s %s %q", l.Position, l.Rule, l.Reason, l.Payload))
	}
	for _, n := range page.Dropped {
		weight += n
	}
	if weight != page.Records {
		return fmt.Errorf("rows (by weight), rejected and dropped add up to %d, Records is %d", weight, page.Records)
	}
	if page.Records > 0 && len(page.Next) == 0 {
		return errors.New("it has records and no position behind them")
	}
	g.records += page.Records
	g.watermark = max(g.watermark, page.Watermark)
	g.state = page.State
	g.marks = append(g.marks, mark{bytes.Clone(page.Next), len(g.rows), len(g.letters), g.records})
	return nil
}

// checkRows holds a page's rows against what the source's spec says.
func checkRows(r pageReader, b *batch.Batch) error {
	if !b.Schema().Equal(r.spec.Schema) {
		return fmt.Errorf("the rows have the schema\n%s\nthe spec says\n%s", b.Schema(), r.spec.Schema)
	}
	if b.HasTime() != r.spec.EventTime {
		return fmt.Errorf("the rows have an event time: %v, the spec says %v", b.HasTime(), r.spec.EventTime)
	}
	if b.Rows() > maxPageRows {
		return fmt.Errorf("%d rows in a page, at most %d are wanted", b.Rows(), maxPageRows)
	}
	last := batch.PartRange{}
	for i := range b.Rows() {
		ranges := batch.PartRanges(b.Slice(i, i+1))
		if len(ranges) != 1 || ranges[0].Part != r.part || len(ranges[0].First) == 0 {
			return fmt.Errorf("row %d has the position %+v, want one in the partition", i, ranges)
		}
		if bytes.Compare(ranges[0].First, last.First) < 0 {
			return fmt.Errorf("the offset of row %d is smaller than that of the row before", i)
		}
		last = ranges[0]
	}
	return nil
}

// texts gives the rows of a record, one text each.
func texts(rec arrow.RecordBatch) []string {
	out := make([]string, rec.NumRows())
	for i := range out {
		cells := make([]string, rec.NumCols())
		for c, col := range rec.Columns() {
			value := col.ValueStr(i)
			if d, ok := col.(*array.Dictionary); ok && d.IsValid(i) {
				value = d.Dictionary().ValueStr(d.GetValueIndex(i))
			}
			cells[c] = rec.ColumnName(c) + "=" + value
		}
		out[i] = strings.Join(cells, " ")
	}
	return out
}

// all reads every partition of a source from its beginning.
func all(ctx context.Context, src flow.Source) (map[string]reading, error) {
	parts, err := src.Partitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("partitions: %w", err)
	}
	out := map[string]reading{}
	for _, p := range parts {
		if out[p.ID], err = read(ctx, src, flow.Assignment{Partition: p, Epoch: 1}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// partition finds a partition by ID.
func partition(ctx context.Context, src flow.Source, id string) (flow.Partition, error) {
	parts, err := src.Partitions(ctx)
	for _, p := range parts {
		if p.ID == id {
			return p, nil
		}
	}
	return flow.Partition{}, errors.Join(err, fmt.Errorf("partition %q is gone", id))
}
