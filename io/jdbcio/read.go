package jdbcio

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/millrace-io/millrace/flow"
)

// Options say what Read reads. The zero value of every field that is not marked required works.
type Options struct {
	// URL of the database: jdbc:sqlite:PATH, jdbc:postgresql://HOST/DB, or the same without jdbc:. It is opened for reading
	// only. A PostgreSQL password may be given as password=env:NAME or password=file:PATH. Required.
	URL string
	// Table is the table or view to read, of PostgreSQL also as schema.table. Either Table or Query is required.
	Table string
	// Query is a SELECT to read instead of a table. It is one partition, and on a restart its rows are skipped up to
	// the position.
	Query string
	// Columns are the columns of Table to read, in that order. Default: all.
	Columns []string
	// Schema gives the columns' types where the declared ones do not say what the rows hold. It must name the columns
	// that are read; a value that does not fit is rejected, never changed. Default: from the declared types.
	Schema *arrow.Schema
	// EventTime is the column that holds the event time: a timestamp or date of PostgreSQL, TEXT in ISO 8601 form, INTEGER in Unit since 1970, or REAL as a
	// Julian day. Rows in which it is null or unreadable are rejected. Default: rows have no event time.
	EventTime string
	// Unit is the unit of INTEGER times. Default time.Second, as SQLite's own date functions have it.
	Unit time.Duration
	// Partitions is the number of ranges, of row ids or blocks, that are read side by side. Default 4; 1 for views, queries and
	// tables without row id.
	Partitions int
	// BatchRows is the number of rows at which a batch ends. At most 65,536. Default 16,384.
	BatchRows int
	// BatchBytes is the size at which a batch ends, rejected rows included; the last row may go beyond it. Bytes; at most
	// 1 GiB, default 4 MiB.
	BatchBytes int
	// Timeout bounds the questions that are asked while the graph is built, and the wait for another program's lock.
	// Default 10 s.
	Timeout time.Duration
}

// Validate gives every fault of the options at once.
func (o Options) Validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if _, _, err := splitURL(o.URL); err != nil {
		errs = append(errs, err)
	}
	bad(o.Table == "" && o.Query == "", "Table or Query is required")
	bad(o.Table != "" && o.Query != "", "Table and Query exclude each other")
	bad(o.Query != "" && len(o.Columns) > 0, "Columns goes with Table; name the columns in Query")
	bad(o.Query != "" && o.Partitions > 1, "Partitions goes with Table; a query is read as one")
	bad(o.Partitions < 0 || o.Partitions > 256, "Partitions: %d is not between 1 and 256", o.Partitions)
	bad(o.BatchRows < 0 || o.BatchRows > 64<<10, "BatchRows: %d is not between 1 and 65,536", o.BatchRows)
	bad(o.BatchBytes < 0 || o.BatchBytes > 1<<30, "BatchBytes: %d is not between 1 and 1,073,741,824", o.BatchBytes)
	bad(o.Timeout < 0, "Timeout is negative")
	bad(!wholeUnit(o.Unit), "Unit: %v is not one nanosecond, microsecond, millisecond, second or whole multiple of a second", o.Unit)
	return errors.Join(errs...)
}

func wholeUnit(u time.Duration) bool {
	switch u {
	case 0, time.Nanosecond, time.Microsecond, time.Millisecond:
		return true
	}
	return u > 0 && u%time.Second == 0
}

func (o Options) withDefaults() Options {
	o.Partitions = cmp.Or(o.Partitions, 4)
	o.BatchRows = cmp.Or(o.BatchRows, 16<<10)
	o.BatchBytes = cmp.Or(o.BatchBytes, 4<<20)
	o.Unit = cmp.Or(o.Unit, time.Second)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	return o
}

// Read reads a table or a query of a database: each row of one snapshot once. Rows that do not fit the schema are Rejected
// with their row id or number and values.
//
// The table's columns are asked for while the graph is built; no row is read then. Memory: one batch per partition,
// and SQLite's cache of 2 MiB or the row that PostgreSQL is sending.
func Read(p *flow.Pipeline, step string, o Options) flow.Input {
	if err := o.Validate(); err != nil {
		p.Errorf(step, "jdbcio.Read: %w", err)
		return flow.Input{}
	}
	o = o.withDefaults()
	src, err := build(p, step, o)
	if err != nil {
		p.Errorf(step, "jdbcio.Read: %w", err)
		return flow.Input{}
	}
	return flow.Read(p, step, src)
}

func build(p *flow.Pipeline, step string, o Options) (flow.Source, error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.Timeout)
	defer cancel()
	scheme, address, err := splitURL(o.URL)
	if err != nil {
		return nil, err
	}
	db, err := dialects[scheme](address, o)
	if err != nil {
		return nil, err
	}
	raw, err := flow.Once(p, "jdbcio/"+step+"/columns", func() ([]byte, error) {
		s, err := db.Columns(ctx)
		if err != nil {
			return nil, err
		}
		return encodeSchema(s)
	})
	if err != nil {
		return nil, err
	}
	schema, err := decodeSchema(raw)
	if err != nil {
		return nil, err
	}
	if o.Schema != nil {
		if err := sameColumns(schema, o.Schema); err != nil {
			return nil, err
		}
		schema = o.Schema
	}
	if o.EventTime != "" && len(schema.FieldIndices(o.EventTime)) == 0 {
		return nil, fmt.Errorf("EventTime: there is no column %q", o.EventTime)
	}
	return db.Source(schema)
}

func sameColumns(have, want *arrow.Schema) error {
	var errs []error
	for _, f := range want.Fields() {
		if len(have.FieldIndices(f.Name)) == 0 {
			errs = append(errs, fmt.Errorf("Schema: there is no column %q", f.Name))
		}
	}
	if len(errs) == 0 && have.NumFields() != want.NumFields() {
		errs = append(errs, fmt.Errorf("Schema has %d columns, what is read has %d; choose with Columns", want.NumFields(), have.NumFields()))
	}
	for i, f := range want.Fields() {
		if len(errs) == 0 && have.Field(i).Name != f.Name {
			errs = append(errs, fmt.Errorf("Schema: column %d is %q, what is read has %q there", i+1, f.Name, have.Field(i).Name))
		}
	}
	return errors.Join(errs...)
}

func encodeSchema(s *arrow.Schema) ([]byte, error) {
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(s))
	err := w.Close()
	return buf.Bytes(), err
}

func decodeSchema(b []byte) (*arrow.Schema, error) {
	r, err := ipc.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("recorded columns are damaged: %w", err)
	}
	defer r.Release()
	return r.Schema(), nil
}
