//go:build cgo

package readback

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/parquetio"
)

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func duck(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(context.Background(), "set global timezone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	return db
}

// query gives the rows of a query, each column printed by DuckDB itself.
func query(t fataler, db *sql.DB, text string) [][]string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), "select columns(*)::varchar from ("+text+")")
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer func() { _ = rows.Close() }()
	cols, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(cols))
		into := make([]any, len(cols))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(cols))
		for i, v := range values {
			row[i] = "NULL"
			if v.Valid {
				row[i] = v.String
			}
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// write routes and encodes a batch as the commit protocol does, one file per destination, and gives the refused rows.
func write(t fataler, root string, o parquetio.Options, b *batch.Batch) []flow.Refusal {
	t.Helper()
	o.URL = root
	s, err := parquetio.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(b.Schema()); err != nil {
		t.Fatal(err)
	}
	r, err := s.Route(b)
	if err != nil {
		t.Fatal(err)
	}
	for d, dest := range r.Dests {
		part := b
		if r.Of != nil {
			var rows []int32
			for row, of := range r.Of {
				if of == int32(d) {
					rows = append(rows, int32(row))
				}
			}
			if len(rows) == 0 {
				continue
			}
			if part, err = b.Take(rows); err != nil {
				t.Fatal(err)
			}
		}
		dir := filepath.Join(root, filepath.FromSlash(dest))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.parquet", d)))
		if err != nil {
			t.Fatal(err)
		}
		err = s.Encode(f, b.Schema(), func(yield func(*batch.Batch, error) bool) { yield(part, nil) })
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return r.Refused
}

// rows makes a batch of rows written as JSON objects.
func rows(t fataler, fields []arrow.Field, json ...string) *batch.Batch {
	t.Helper()
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, j := range json {
		if err := b.UnmarshalJSON([]byte(j)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := batch.New(b.NewRecordBatch())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func optional(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}
