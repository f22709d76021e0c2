package jdbcio

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// sqliteReader reads one partition inside one read transaction.
type sqliteReader struct {
	src    *sqliteSource
	part   string
	bounds rowRange
	pos    position

	*snapshot
	rows driver.Rows
	vals []driver.Value
	dec  *decoder
}

// start begins the read transaction, so that the snapshot stays, and then compares its identity.
func (r *sqliteReader) start(ctx context.Context) (err error) {
	if r.snapshot, err = r.src.snapshot(ctx); err != nil {
		return err
	}
	id, err := r.src.identity(ctx, r.snapshot, r.bounds)
	if err != nil {
		return err
	}
	if id != r.pos.Identity { // Guarantee 11
		return fmt.Errorf("%w: %s was (%s), it is (%s); a dump goes on only over an unchanged file; reset the job to read it anew",
			flow.ErrIdentity, r.src.path, r.pos.Identity, id)
	}
	if err := r.src.unchangedColumns(ctx, r.conn); err != nil {
		return err
	}
	r.dec, err = newDecoder(r.src.schema, r.src.o)
	return err
}

// query begins at the position. The text is the same for every position, and so are the plan and the order of the rows.
func (r *sqliteReader) query(ctx context.Context) error {
	names := make([]string, r.src.schema.NumFields())
	for i := range names {
		names[i] = r.src.schema.Field(i).Name
	}
	q := "SELECT " + r.src.selects(names) + " LIMIT -1 OFFSET ?"
	args := []driver.NamedValue{{Ordinal: 1, Value: r.pos.Next}}
	if id := r.bounds.RowID; id != "" {
		q = fmt.Sprintf("SELECT %s, %s WHERE %[1]s BETWEEN ? AND ? ORDER BY %[1]s", id, r.src.selects(names))
		args = append(args, driver.NamedValue{Ordinal: 2, Value: r.bounds.To})
	}
	err := r.conn.Raw(func(c any) error {
		qc, ok := c.(driver.QueryerContext)
		if !ok {
			return errors.New("the driver cannot query")
		}
		var err error
		r.rows, err = qc.QueryContext(context.WithoutCancel(ctx), q, args) // the rows outlive ctx
		return err
	})
	if err != nil {
		return r.src.explain("read "+r.src.what()+" in", err)
	}
	r.vals = make([]driver.Value, len(r.rows.Columns()))
	return nil
}

// Read gives the next batch.
func (r *sqliteReader) Read(ctx context.Context) (flow.Page, error) {
	page := flow.Page{Watermark: batch.NoTime, Lag: -1}
	if r.bounds.RowID != "" && r.pos.Next > r.bounds.To {
		r.pos.Done = true
	}
	for r.more(ctx, page.Records) {
		if r.rows == nil {
			if err := r.query(ctx); err != nil {
				return page, err
			}
		}
		switch err := r.rows.Next(r.vals); {
		case errors.Is(err, io.EOF):
			r.pos.Done = true
		case err != nil:
			return page, r.src.explain(fmt.Sprintf("read %s at row %d in", r.src.what(), r.pos.Next), err)
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
	page.Lag = r.lag()
	page.Next, err = json.Marshal(r.pos)
	return page, err
}

// more says whether another row belongs to the page.
func (r *sqliteReader) more(ctx context.Context, rows int64) bool {
	return !r.pos.Done && rows < int64(r.src.o.BatchRows) && r.dec.bytes < int64(r.src.o.BatchBytes) && (rows&1023 != 0 || ctx.Err() == nil)
}

// lag is the number of row ids that are left, which is the number of rows where none are missing.
func (r *sqliteReader) lag() int64 {
	left := uint64(r.bounds.To) - uint64(r.pos.Next) + 1
	switch {
	case r.pos.Done:
		return 0
	case r.bounds.RowID == "" || left > math.MaxInt64:
		return -1
	}
	return int64(left)
}

func (r *sqliteReader) row(page *flow.Page) {
	vals, at := r.vals, r.pos.Next
	if r.bounds.RowID != "" {
		at, _ = vals[0].(int64)
		vals = vals[1:]
	}
	if l := r.dec.row(vals, rowAt{r.part, at}); l != nil {
		page.Rejected = append(page.Rejected, *l)
	}
	page.Records++
	if r.bounds.RowID != "" && at == r.bounds.To {
		r.pos.Done = true // at + 1 may not exist
		return
	}
	r.pos.Next = at + 1
}

// Close ends the transaction.
func (r *sqliteReader) Close() error {
	var errs []error
	if r.rows != nil {
		errs = append(errs, r.rows.Close())
	}
	if r.snapshot != nil {
		errs = append(errs, r.snapshot.Close())
	}
	return errors.Join(errs...)
}
