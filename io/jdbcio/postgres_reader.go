package jdbcio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// postgresReader reads one partition over a connection of its own.
type postgresReader struct {
	src    *postgresSource
	part   string
	blocks blockRange
	pos    position

	conn *pgconn.PgConn
	feed *feed
	stop context.CancelFunc
	copy copyStream
	dec  *copyDecoder
	sql  string
	seen int64 // rows that came over the connection
}

// start enters the snapshot and makes sure that it is the one.
func (r *postgresReader) start(ctx context.Context) (err error) {
	if r.conn, err = r.src.connect(ctx); err != nil {
		return err
	}
	if _, err := r.conn.Exec(ctx, begin).ReadAll(); err != nil {
		return r.src.explain("begin to read", err)
	}
	set := "SET TRANSACTION SNAPSHOT '" + strings.ReplaceAll(r.blocks.Snapshot, "'", "''") + "'"
	if _, err := r.conn.Exec(ctx, set).ReadAll(); err != nil {
		if e := new(pgconn.PgError); errors.As(err, &e) && (e.Code == "22023" || e.Code == "42704" || e.Code == "55000" || e.Code == "0A000") {
			return r.src.gone(r.blocks.Identity, e.Message)
		}
		return r.src.explain("enter the snapshot in", err)
	}
	rel, err := r.src.relation(ctx, r.conn)
	if err != nil {
		return err
	}
	id, err := r.src.identity(ctx, r.conn, rel)
	if err != nil {
		return err
	}
	if id != r.blocks.Identity { // Guarantee 11
		return r.src.gone(r.blocks.Identity, "it is ("+id+") now")
	}
	types, err := r.src.unchanged(ctx, r.conn)
	if err != nil {
		return err
	}
	if r.dec, err = newCopyDecoder(r.src.schema, types, r.src.o); err != nil {
		return err
	}
	return r.statement(types)
}

// statement is the COPY. Columns that are read as text are cast to it.
func (r *postgresReader) statement(types []pgType) error {
	from, err := r.src.from()
	if err != nil {
		return err
	}
	list := make([]string, len(types))
	for i, t := range types {
		f := r.src.schema.Field(i)
		if list[i] = quote(f.Name); castToText(t, f.Type) {
			list[i] += "::text"
		}
	}
	r.sql = "COPY (SELECT " + strings.Join(list, ", ") + " FROM " + from
	if r.blocks.Where != "" {
		r.sql += " WHERE " + r.blocks.Where
	}
	r.sql += ") TO STDOUT (FORMAT binary)"
	return nil
}

// castToText says that the server writes the text of a value.
func castToText(t pgType, want arrow.DataType) bool {
	if !isText(want) {
		return false
	}
	switch t.oid {
	case pgText, pgVarchar, pgBpchar, pgName, pgJSON, pgJSONB, pgUUID, pgNumeric:
		return false
	}
	return true
}

// begin sends the COPY. Its rows outlive ctx.
func (r *postgresReader) begin(ctx context.Context) {
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.feed = newFeed(ctx)
	go func() {
		_, err := r.conn.CopyTo(ctx, r.feed, r.sql)
		r.feed.end(err)
	}()
}

// Read gives the next batch.
func (r *postgresReader) Read(ctx context.Context) (flow.Page, error) {
	page := flow.Page{Watermark: batch.NoTime, Lag: -1}
	if !r.pos.Done && r.feed == nil {
		r.begin(ctx)
	}
	for r.more(ctx, page.Records) {
		fields, err := r.copy.next()
		switch {
		case errors.Is(err, errShort):
			if err := r.fill(ctx); errors.Is(err, errLater) {
				return r.finish(ctx, page)
			} else if err != nil {
				return page, err
			}
		case errors.Is(err, io.EOF):
			r.pos.Done = true
		case err != nil:
			return page, r.src.explain(fmt.Sprintf("read %s behind row %d in", r.src.what(), r.pos.Next), err)
		default:
			if err := r.row(&page, fields); err != nil {
				return page, err
			}
		}
	}
	return r.finish(ctx, page)
}

func (r *postgresReader) more(ctx context.Context, rows int64) bool {
	if r.pos.Done || rows >= int64(r.src.o.BatchRows) || r.dec.bytes >= int64(r.src.o.BatchBytes) {
		return false
	}
	return rows&1023 != 0 || ctx.Err() == nil
}

// row skips what the position has behind it, and decodes the rest.
func (r *postgresReader) row(page *flow.Page, fields [][]byte) error {
	if r.seen++; r.seen <= r.pos.Next {
		return nil
	}
	l, err := r.dec.row(fields, rowAt{r.part, r.pos.Next})
	if err != nil {
		return err
	}
	if l != nil {
		page.Rejected = append(page.Rejected, *l)
	}
	page.Records++
	r.pos.Next++
	return nil
}

// fill waits for more of the stream.
func (r *postgresReader) fill(ctx context.Context) error {
	var err error
	if r.copy.buf, err = r.feed.take(ctx, r.copy.rest()); err == nil || errors.Is(err, errLater) {
		return err
	}
	return r.src.explain(fmt.Sprintf("read %s behind row %d in", r.src.what(), r.pos.Next), err)
}

func (r *postgresReader) finish(ctx context.Context, page flow.Page) (flow.Page, error) {
	if r.dec != nil {
		var err error
		if page.Rows, err = r.dec.build(); err != nil {
			return page, err
		}
	}
	if r.pos.Done {
		page.State, page.Lag = flow.End, 0
		r.src.end(ctx, r.part)
	}
	var err error
	page.Next, err = json.Marshal(r.pos)
	return page, err
}

// Close ends the COPY and the connection.
func (r *postgresReader) Close() error {
	if r.feed != nil {
		r.stop()
		<-r.feed.ended
	}
	if r.conn == nil {
		return nil
	}
	err := hangUp(r.conn)
	if r.feed != nil {
		return nil // a COPY that was stopped leaves a connection that cannot take leave
	}
	return err
}

var errLater = errors.New("there is nothing yet")

// feedBytes is how much the connection reads ahead.
const feedBytes = 256 << 10

// feed hands the stream from the connection's goroutine to the reader.
type feed struct {
	ctx   context.Context //nolint:containedctx // an io.Writer gets none
	ready chan struct{}
	space chan struct{}
	ended chan struct{}
	err   error // of the stream, valid once it has ended

	mu  sync.Mutex
	buf []byte
}

func newFeed(ctx context.Context) *feed {
	return &feed{ctx: ctx, ready: make(chan struct{}, 1), space: make(chan struct{}, 1), ended: make(chan struct{})}
}

// Write waits until there is space.
func (f *feed) Write(p []byte) (int, error) {
	for {
		f.mu.Lock()
		if len(f.buf) < feedBytes {
			f.buf = append(f.buf, p...)
			f.mu.Unlock()
			signal(f.ready)
			return len(p), nil
		}
		f.mu.Unlock()
		select {
		case <-f.space:
		case <-f.ctx.Done():
			return 0, f.ctx.Err()
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (f *feed) end(err error) {
	f.err = err
	close(f.ended)
}

// take appends what has come to rest. It waits for it until ctx ends, which is errLater.
func (f *feed) take(ctx context.Context, rest []byte) ([]byte, error) {
	for {
		var over bool
		select {
		case <-f.ended:
			over = true
		default:
		}
		f.mu.Lock()
		got := len(f.buf)
		rest = append(rest, f.buf...)
		f.buf = f.buf[:0]
		f.mu.Unlock()
		signal(f.space)
		switch {
		case got > 0:
			return rest, nil
		case over && f.err != nil:
			return rest, f.err
		case over:
			return rest, io.ErrUnexpectedEOF
		}
		select {
		case <-f.ready:
		case <-f.ended:
		case <-ctx.Done():
			return rest, errLater
		}
	}
}
