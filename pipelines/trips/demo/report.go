package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/millrace-io/millrace/runners"
)

// report prints what a person wants to see.
func (d *demo) report() error {
	raw, err := os.ReadFile(d.path("summary.json"))
	if err != nil {
		return err
	}
	var res runners.Result
	if err := json.Unmarshal(raw, &res); err != nil {
		return err
	}
	for _, s := range res.Sinks {
		if s.Balanced != nil && !*s.Balanced {
			return fmt.Errorf("the account of sink %s does not balance: %+v", s.Step, s)
		}
	}
	trips, err := d.countRows("lake/trips")
	if err != nil {
		return err
	}
	zones, err := d.busiest()
	if err != nil {
		return err
	}
	fmt.Printf("\n%d trips in the lake, in %d files by day and vendor.\nThe busiest pickup zones:\n", trips.rows, trips.files)
	for _, z := range zones[:min(5, len(zones))] {
		fmt.Printf("  zone %3d  %5d trips\n", z.id, z.trips)
	}
	fmt.Printf("\nWhere it is:\n  %s\n  %s\n  %s   rejected and late rows\n  %s   where every row has gone\n",
		d.path("lake/trips"), d.path("lake/hourly"), d.path("dead-letter"), d.path("summary.json"))
	fmt.Printf("\nQuery it, for instance with DuckDB:\n  SELECT borough, count(*) FROM read_parquet('%s/**/*.parquet') GROUP BY borough ORDER BY 2 DESC;\n", d.path("lake/trips"))
	return nil
}

type counted struct {
	rows  int64
	files int
}

func (d *demo) countRows(dir string) (c counted, err error) {
	err = d.eachFile(dir, func(r *file.Reader) error {
		c.rows += r.NumRows()
		c.files++
		return nil
	})
	return c, err
}

func (d *demo) eachFile(dir string, visit func(*file.Reader) error) error {
	return filepath.WalkDir(d.path(dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		r, err := file.OpenParquetFile(path, false)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		defer r.Close() //nolint:errcheck // read only
		return visit(r)
	})
}

type zone struct{ id, trips int64 }

// busiest sums the hours by zone.
func (d *demo) busiest() ([]zone, error) {
	sums := map[int64]int64{}
	err := d.eachFile("lake/hourly", func(r *file.Reader) error {
		fr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		if err != nil {
			return err
		}
		t, err := fr.ReadTable(context.Background())
		if err != nil {
			return err
		}
		defer t.Release()
		rows := array.NewTableReader(t, -1)
		defer rows.Release()
		for rows.Next() {
			rec := rows.RecordBatch()
			ids := rec.Column(rec.Schema().FieldIndices("pickup_location_id")[0]).(*array.Int64)
			n := rec.Column(rec.Schema().FieldIndices("trips")[0]).(*array.Int64)
			for i := range int(rec.NumRows()) {
				sums[ids.Value(i)] += n.Value(i)
			}
		}
		return rows.Err()
	})
	var out []zone
	for id, n := range sums {
		out = append(out, zone{id, n})
	}
	slices.SortFunc(out, func(a, b zone) int { return int(b.trips - a.trips) })
	return out, err
}
