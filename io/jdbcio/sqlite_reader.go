package jdbcio

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// sqliteReader reads one partition inside one read transaction.
type sqliteReader struct {
	src    *sqliteSource
	part   string
	bounds rowRange
	pos    position

	db   *sql.DB
	conn *sql.Conn
	rows driver.Rows
	vals []driver.Value
	dec  *decoder
}

// start begins the read transaction, so that the snapshot stays, and then compares the file's identity.
func (r *sqliteReader) start(ctx context.Context) (err error) {
	if r.db, err = r.src.connect(); err != nil {
		return err
	}
	// The connection outlives this call: its own context must not end with it.
	if r.conn, err = r.db.Conn(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("open SQLite file %s: %w", r.src.path, err)
	}
	for _, q := range []string{"BEGIN", "SELECT count(*) FROM sqlite_schema"} {
		if _, err := r.conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("begin to read SQLite file %s: %w", r.src.path, err)
		}
	}
	id, err := r.src.identity()
	if err != nil {
		return err
	}
	// Guarantee 11.
	if id != r.pos.Identity {
		return fmt.Errorf("%w: it was (%s), it is (%s); a dump goes on only over an unchanged file; reset the job to read it anew", flow.ErrIdentity, r.pos.Identity, id)
	}
	if err := r.src.unchangedColumns(ctx, r.db); err != nil {
		return err
	}
	r.dec, err = newDecoder(r.src.schema, r.src.o)
	return err
}

func (r *sqliteReader) query(ctx context.Context) error {
	names := make([]string, r.src.schema.NumFields())
	for i := range names {
		names[i] = r.src.schema.Field(i).Name
	}
	q := r.src.selects(names)
	var args []driver.NamedValue
	if r.bounds.ByID {
		q = "SELECT rowid, " + q[len("SELECT "):] + " WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
		args = []driver.NamedValue{{Ordinal: 1, Value: r.pos.Next}, {Ordinal: 2, Value: r.bounds.To}}
	}
	err := r.conn.Raw(func(c any) error {
		qc, ok := c.(driver.QueryerContext)
		if !ok {
			return errors.New("the SQLite driver cannot query")
		}
		var err error
		r.rows, err = qc.QueryContext(context.WithoutCancel(ctx), q, args)
		return err
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", r.src.what(), err)
	}
	r.vals = make([]driver.Value, len(r.rows.Columns()))
	for i := int64(0); !r.bounds.ByID && i < r.pos.Next; i++ {
		if err := r.rows.Next(r.vals); err != nil {
			return fmt.Errorf("skip to row %d of %s: %w", r.pos.Next, r.src.what(), err)
		}
	}
	return nil
}

// Read gives the next batch.
func (r *sqliteReader) Read(ctx context.Context) (flow.Page, error) {
	page := flow.Page{Watermark: batch.NoTime, Lag: -1}
	if r.pos.Done || r.bounds.ByID && r.pos.Next > r.bounds.To {
		r.pos.Done = true
	}
	for !r.pos.Done && page.Records < int64(r.src.o.BatchRows) && (page.Records&1023 != 0 || ctx.Err() == nil) {
		if r.rows == nil {
			if err := r.query(ctx); err != nil {
				return page, err
			}
		}
		switch err := r.rows.Next(r.vals); {
		case errors.Is(err, io.EOF):
			r.pos.Done = true
		case err != nil:
			return page, fmt.Errorf("read %s at row %d: %w", r.src.what(), r.pos.Next, err)
		default:
			r.row(&page)
		}
	}
	var err error
	if page.Rows, err = r.dec.build(); err != nil {
		return page, err
	}
	if r.pos.Done {
		page.State = flow.End
	}
	if r.bounds.ByID && !r.pos.Done {
		page.Lag = r.bounds.To - r.pos.Next + 1
	}
	page.Next, err = json.Marshal(r.pos)
	return page, err
}

func (r *sqliteReader) row(page *flow.Page) {
	vals, at := r.vals, r.pos.Next
	if r.bounds.ByID {
		at, _ = vals[0].(int64)
		vals = vals[1:]
	}
	if l := r.dec.row(vals, rowAt{r.part, at}); l != nil {
		page.Rejected = append(page.Rejected, *l)
	}
	page.Records++
	r.pos.Next = at + 1
	if r.bounds.ByID && at == r.bounds.To {
		r.pos.Done = true // at + 1 may not exist
	}
}

// Close ends the transaction.
func (r *sqliteReader) Close() error {
	var errs []error
	if r.rows != nil {
		errs = append(errs, r.rows.Close())
	}
	if r.conn != nil {
		errs = append(errs, r.conn.Close())
	}
	if r.db != nil {
		errs = append(errs, r.db.Close())
	}
	return errors.Join(errs...)
}
