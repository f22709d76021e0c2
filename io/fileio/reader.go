package fileio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/batch/jsonarrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/object"
)

// codec makes rows of records.
type codec struct {
	decoder *jsonarrow.Decoder
	b       *batch.Builder
	table   *table // nil for JSON lines
	part    string
	time    string // column of the event time, "" for none
}

func newCodec(o Options, f *file) (*codec, error) {
	d, err := o.decoder()
	if err != nil {
		return nil, err
	}
	b, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{Time: o.EventTime != "", Offsets: batch.IntOffsets})
	if err != nil {
		return nil, err
	}
	c := &codec{decoder: d, b: b, part: f.id.Name, time: o.EventTime}
	if f.format != CSV {
		return c, nil
	}
	c.table = &table{o: o}
	if !o.Header {
		var names []string
		for _, f := range o.Schema.Fields() {
			names = append(names, f.Name)
		}
		c.table.name(names)
	}
	return c, o.flat()
}

// add makes a row of a record, or says why it is none.
func (c *codec) add(rec record, number int64) (fault string) {
	object := rec.raw
	if fault = rec.fault; fault == "" && c.table != nil {
		object, fault = c.table.object(rec.raw)
	}
	if fault != "" {
		return fault
	}
	if err := c.decoder.Append(c.b, object); err != nil {
		if e := new(jsonarrow.RowError); c.table != nil && errors.As(err, &e) {
			return fmt.Sprintf("column %q: %s", e.Column, e.Reason)
		}
		return err.Error()
	}
	if c.time != "" {
		us, ok := c.decoder.Time()
		if !ok {
			c.b.Rollback()
			return fmt.Sprintf("column %q, which holds the event time, is null", c.time)
		}
		c.b.Time(us)
	}
	c.b.Position(c.part, number, 0)
	if err := c.b.EndRow(); err != nil {
		return err.Error()
	}
	return ""
}

// reader reads one file.
type reader struct {
	store object.Store
	*file
	*codec
	records    splitter
	pos        position
	batchRows  int64
	batchBytes int
}

// seek brings the reader to its position, by way of the header.
func (r *reader) seek(ctx context.Context, o Options) error {
	in, err := r.stream()
	if err != nil {
		return err
	}
	r.records = splitter{in: in, csv: r.format == CSV, comma: o.Comma, max: o.MaxRecordBytes, line: 1}
	if mark, err := in.Peek(3); err == nil && string(mark) == "\xEF\xBB\xBF" {
		_, _ = in.Discard(3) // they are buffered
		r.records.offset = 3
	}
	if r.table != nil && o.Header {
		rec, err := r.records.next(ctx)
		switch {
		case err == nil:
			r.table.header(rec)
		case !errors.Is(err, io.EOF):
			return r.explain(err)
		}
	}
	if r.pos.Offset > r.records.offset {
		if err := r.skip(ctx, in, r.records.offset, r.pos.Offset); err != nil {
			return err
		}
		r.records.offset, r.records.line = r.pos.Offset, r.pos.Line
	}
	return nil
}

// Read gives the next batch.
func (r *reader) Read(ctx context.Context) (flow.Page, error) {
	page := flow.Page{Watermark: batch.NoTime, Lag: -1}
	size := 0
	for !r.pos.Done && page.Records < r.batchRows && size < r.batchBytes {
		rec, err := r.records.next(ctx)
		if errors.Is(err, errPaused) {
			break
		}
		if errors.Is(err, io.EOF) {
			if err := r.finish(); err != nil {
				return page, err
			}
			break
		}
		if err != nil {
			return page, r.explain(err)
		}
		size += len(rec.raw)
		if fault := r.add(rec, r.pos.Record); fault != "" {
			page.Rejected = append(page.Rejected, flow.Letter{
				Reason: fault, Position: fmt.Sprintf("line %d, byte %d", rec.line, rec.offset), Offset: r.pos.Record,
				EventTime: batch.NoTime, Format: flow.FormatRaw, Payload: bytes.Clone(rec.raw),
			})
		}
		page.Records++
		r.pos.Record++
		r.pos.Line, r.pos.Offset = r.records.line, r.records.offset
	}
	var err error
	if r.b.Rows() > 0 {
		if page.Rows, err = r.b.Build(); err != nil {
			return page, err
		}
	}
	if r.pos.Done {
		page.State, page.Lag = flow.End, 0
	}
	page.Next, err = json.Marshal(r.pos)
	return page, err
}

// finish notes the end, if the file is still the one whose end it is.
func (r *reader) finish() error {
	now, err := r.identify(r.id.Name)
	if err != nil {
		return r.explain(err)
	}
	r.pos.Done = true
	return r.id.same(now)
}

// Close frees the file.
func (r *reader) Close() error {
	var err error
	if r.file != nil {
		err = r.file.Close()
	}
	return errors.Join(err, object.Close(r.store))
}
