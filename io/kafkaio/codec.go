package kafkaio

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/batch/jsonarrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kgo"
)

// decoder turns the value of a record into the first columns of a row. It is the seam for formats.
type decoder interface {
	// Schema gives the columns that Append fills.
	Schema() *arrow.Schema
	// Append adds them to the row that is being built. After an error the row has been taken back.
	Append(b *batch.Builder, value []byte) error
	// Time gives the value of the event-time column in the last row, in microseconds; false if it is null.
	Time() (us int64, ok bool)
	// ParseTime reads a header that holds the event time.
	ParseTime(text []byte) (us int64, ok bool)
}

func newDecoder(o Options) (decoder, error) {
	j := jsonarrow.Options{Unknown: o.Unknown, Strict: o.JSON.Strict, Layouts: o.JSON.Layouts, Epoch: o.JSON.Epoch}
	if o.EventTime[0] != '@' {
		j.TimeColumn = o.EventTime
	} else if _, header := o.timeHeader(); !header && o.EventTime != RecordTime {
		return nil, fmt.Errorf("EventTime is %q; it must be a column, %q or %q", o.EventTime, RecordTime, HeaderTime("NAME"))
	}
	if o.JSON.Zone == "Local" {
		return nil, errors.New("JSON.Zone is Local; name a zone, since machines differ")
	}
	zone, err := time.LoadLocation(o.JSON.Zone)
	if err != nil {
		return nil, fmt.Errorf("JSON.Zone: %w", err)
	}
	j.Zone = zone
	return jsonarrow.NewDecoder(o.Schema, j)
}

// timeHeader gives the header that holds the event time.
func (o Options) timeHeader() (string, bool) {
	if len(o.EventTime) <= len(headerTime) || o.EventTime[:len(headerTime)] != headerTime {
		return "", false
	}
	return o.EventTime[len(headerTime):], true
}

// codec makes rows of records.
type codec struct {
	o       Options
	part    string
	decoder decoder
	b       *batch.Builder
	header  string        // of the event time
	key     *batch.Column // nil if it is not wanted
	headers *batch.Column
	maxTime int64

	rejected int // bytes of the dead letters of this page
}

func newCodec(o Options, part string) (*codec, error) {
	d, err := newDecoder(o)
	if err != nil {
		return nil, err
	}
	b, err := batch.NewBuilder(o.columns(d), batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		return nil, err
	}
	c := &codec{o: o, part: part, decoder: d, b: b, maxTime: batch.NoTime}
	c.header, _ = o.timeHeader()
	next := d.Schema().NumFields()
	if o.Key != "" {
		c.key = b.Col(next)
		next++
	}
	if o.Headers != "" {
		c.headers = b.Col(next)
	}
	return c, nil
}

// add makes a row of a record, or notes in page what else became of it.
func (c *codec) add(r *kgo.Record, page *flow.Page) {
	page.Records++
	if r.Value == nil {
		c.tombstone(r, page)
		return
	}
	if err := c.decoder.Append(c.b, r.Value); err != nil {
		c.reject(r, page, "", err.Error())
		return
	}
	us, reason := c.eventTime(r)
	if reason != "" {
		c.b.Rollback()
		c.reject(r, page, "", reason)
		return
	}
	c.end(r, us, page)
}

func (c *codec) tombstone(r *kgo.Record, page *flow.Page) {
	if c.o.Tombstones == Drop {
		if page.Dropped == nil {
			page.Dropped = map[string]int64{}
		}
		page.Dropped["tombstone"]++
		return
	}
	us, reason := recordTime(r)
	if reason != "" {
		c.reject(r, page, "", reason)
		return
	}
	c.b.Kind(batch.Delete)
	c.end(r, us, page)
}

// end adds what a row has besides the value.
func (c *codec) end(r *kgo.Record, us int64, page *flow.Page) {
	if limit, ok := c.tooFar(r, us); ok {
		c.b.Rollback()
		c.reject(r, page, "MaxAhead", fmt.Sprintf("the event time %s is later than %s, which is the record's arrival plus MaxAhead",
			time.UnixMicro(us).UTC().Format(time.RFC3339Nano), limit.UTC().Format(time.RFC3339Nano)))
		return
	}
	if c.key != nil {
		putBytes(c.key, r.Key)
	}
	if c.headers != nil && !c.putHeaders(r.Headers) {
		c.b.Rollback()
		c.reject(r, page, "", "the name of a header is not valid UTF-8")
		return
	}
	c.b.Time(us)
	c.b.Position(c.part, r.Offset, 0)
	if err := c.b.EndRow(); err != nil {
		c.reject(r, page, "", err.Error())
		return
	}
	c.maxTime = max(c.maxTime, us)
}

func putBytes(col *batch.Column, v []byte) {
	if v == nil {
		col.Null()
		return
	}
	col.Bytes(v)
}

func (c *codec) putHeaders(headers []kgo.RecordHeader) bool {
	elem := c.headers.Elem()
	for _, h := range headers {
		if !utf8.ValidString(h.Key) {
			return false
		}
		elem.Field(0).String(h.Key)
		putBytes(elem.Field(1), h.Value)
		elem.EndStruct()
	}
	c.headers.EndList()
	return true
}

// noTimestamp says whether the record has none: old producers and formats have -1 there.
func noTimestamp(r *kgo.Record) bool { return r.Timestamp.UnixMilli() == -1 }

// eventTime gives the event time in microseconds, or why there is none.
func (c *codec) eventTime(r *kgo.Record) (us int64, reason string) {
	if c.header != "" {
		for i := len(r.Headers) - 1; i >= 0; i-- {
			if h := r.Headers[i]; h.Key == c.header {
				if us, ok := c.decoder.ParseTime(h.Value); ok {
					return us, ""
				}
				return 0, fmt.Sprintf("the header %q is %s, which is no time", c.header, strconv.Quote(string(h.Value[:min(len(h.Value), 60)])))
			}
		}
		return 0, fmt.Sprintf("there is no header %q, which holds the event time", c.header)
	}
	if c.o.EventTime != RecordTime {
		us, ok := c.decoder.Time()
		if !ok {
			return 0, fmt.Sprintf("column %q, which holds the event time, is null", c.o.EventTime)
		}
		return us, ""
	}
	return recordTime(r)
}

// recordTime gives the record's timestamp in microseconds, or why there is none.
func recordTime(r *kgo.Record) (us int64, reason string) {
	switch {
	case r.Timestamp.IsZero():
		return 0, "the timestamp of the record, or of one in its batch, is beyond the year 2262"
	case noTimestamp(r):
		return 0, "the record has no timestamp"
	}
	return r.Timestamp.UnixMicro(), ""
}

// tooFar says whether an event time lies too far in the future, and what it may be at most.
func (c *codec) tooFar(r *kgo.Record, us int64) (limit time.Time, far bool) {
	if c.o.MaxAhead < 0 {
		return limit, false
	}
	limit = r.Timestamp
	if now := time.Now(); limit.IsZero() || noTimestamp(r) || now.Before(limit) {
		limit = now
	}
	limit = limit.Add(c.o.MaxAhead)
	return limit, us > limit.UnixMicro()
}

// reject makes a dead letter of a record.
func (c *codec) reject(r *kgo.Record, page *flow.Page, rule, reason string) {
	c.rejected += len(r.Value)
	page.Rejected = append(page.Rejected, flow.Letter{
		Rule: rule, Reason: reason, Position: strconv.FormatInt(r.Offset, 10), Offset: r.Offset,
		EventTime: batch.NoTime, Weight: 1, Format: flow.FormatRaw, Payload: bytes.Clone(r.Value),
	})
}
