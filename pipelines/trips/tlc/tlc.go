// Package tlc makes inputs for the trips pipeline from samples of New York's taxi trip records: a SQLite database of some
// months as history, and JSON records of a month as a live stream, with everything that happens to a stream.
package tlc

import (
	"compress/gzip"
	"database/sql"
	"embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

//go:embed testdata/*.csv.gz
var files embed.FS

// Columns are the 18 columns of a trip and their types in SQLite.
var Columns = [][2]string{
	{"vendor_id", "INTEGER"},
	{"pickup_datetime", "TEXT"},
	{"dropoff_datetime", "TEXT"},
	{"passenger_count", "INTEGER"},
	{"trip_distance", "REAL"},
	{"rate_code_id", "INTEGER"},
	{"store_and_fwd_flag", "TEXT"},
	{"pickup_location_id", "INTEGER"},
	{"dropoff_location_id", "INTEGER"},
	{"payment_type", "INTEGER"},
	{"fare_amount", "REAL"},
	{"extra", "REAL"},
	{"mta_tax", "REAL"},
	{"tip_amount", "REAL"},
	{"tolls_amount", "REAL"},
	{"improvement_surcharge", "REAL"},
	{"total_amount", "REAL"},
	{"congestion_surcharge", "REAL"},
}

// Trip is one row as text, in the order of Columns; empty is null.
type Trip []string

// Pickup is the pickup time, as text that sorts as time does.
func (t Trip) Pickup() string { return t[1] }

// Load reads the trips of a month, such as "2019-01", in the order of the file.
func Load(month string) ([]Trip, error) {
	f, err := files.Open("testdata/trips-" + month + ".csv.gz")
	if err != nil {
		return nil, fmt.Errorf("trips of %s: %w", month, err)
	}
	defer f.Close() //nolint:errcheck // embedded
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("trips of %s: %w", month, err)
	}
	trips := make([]Trip, 0, len(rows))
	for i, name := range rows[0] {
		if name != Columns[i][0] {
			return nil, fmt.Errorf("trips of %s: column %d is %q, not %q", month, i+1, name, Columns[i][0])
		}
	}
	for _, r := range rows[1:] {
		trips = append(trips, r)
	}
	return trips, nil
}

// WriteSQLite makes a SQLite database with a table trips of the given months, copies times over.
func WriteSQLite(path string, copies int, months ...string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // the commit below is what counts
	var cols []string
	for _, c := range Columns {
		cols = append(cols, c[0]+" "+c[1])
	}
	if _, err := db.Exec("CREATE TABLE trips (" + strings.Join(cols, ", ") + ")"); err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	insert, err := tx.Prepare("INSERT INTO trips VALUES (" + strings.Repeat("?, ", len(Columns)-1) + "?)") //nolint:gosec // the columns are ours
	if err != nil {
		return err
	}
	defer insert.Close() //nolint:errcheck // the commit below is what counts
	for _, m := range months {
		trips, err := Load(m)
		if err != nil {
			return err
		}
		for range copies {
			for _, t := range trips {
				if _, err := insert.Exec(t.args()...); err != nil {
					return err
				}
			}
		}
	}
	return tx.Commit()
}

func (t Trip) args() []any {
	out := make([]any, len(t))
	for i, v := range t {
		if v != "" {
			out[i] = v // SQLite's affinity makes it the column's type
		}
	}
	return out
}

// sorted gives the trips by pickup time.
func sorted(trips []Trip) []Trip {
	out := slices.Clone(trips)
	slices.SortStableFunc(out, func(a, b Trip) int { return strings.Compare(a.Pickup(), b.Pickup()) })
	return out
}
