package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	_ "github.com/duckdb/duckdb-go/v2" // an independent reader and calculator

	"github.com/millrace-io/millrace/pipelines/trips/tlc"
)

// truth computes from the inputs, with DuckDB alone, what must stand in the lake.
type truth struct {
	t  *testing.T
	db *sql.DB
}

// newTruth loads the inputs: months of history, and the records of a stream.
func newTruth(t *testing.T, history []string, stream [][]byte) *truth {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	tr := &truth{t, db}
	tr.exec("CREATE TABLE input (" + duckColumns() + ")")
	dir := t.TempDir()
	for _, m := range history {
		path := filepath.Join(dir, m+".csv")
		writeCSV(t, path, m)
		tr.exec(fmt.Sprintf("INSERT INTO input SELECT * FROM read_csv('%s', header = true, all_varchar = true, nullstr = '')", path))
	}
	tr.addStream(filepath.Join(dir, "stream.txt"), stream)
	tr.exec(`CREATE TABLE want_trips AS
		SELECT DISTINCT i.*, z.borough FROM input i LEFT JOIN read_csv('zones.csv') z ON z.location_id = i.pickup_location_id
		WHERE fare_amount > 0 AND trip_distance > 0 AND dropoff_datetime >= pickup_datetime`)
	tr.exec(`CREATE TABLE want_hours AS
		SELECT date_trunc('hour', pickup_datetime) AS hour, pickup_location_id, count(*) AS trips, sum(fare_amount) AS fare_amount, sum(trip_distance) AS trip_distance
		FROM want_trips GROUP BY ALL`)
	return tr
}

// duckColumns are the columns as DuckDB declares them.
func duckColumns() string {
	var cols []string
	for _, c := range tlc.Columns {
		typ := map[string]string{"INTEGER": "BIGINT", "REAL": "DOUBLE", "TEXT": "VARCHAR"}[c[1]]
		if strings.HasSuffix(c[0], "_datetime") {
			typ = "TIMESTAMP"
		}
		cols = append(cols, c[0]+" "+typ)
	}
	return strings.Join(cols, ", ")
}

func writeCSV(t *testing.T, path, month string) {
	t.Helper()
	trips, err := tlc.Load(month)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for i, c := range tlc.Columns {
		fmt.Fprintf(&b, "%s%s", map[bool]string{true: ",", false: ""}[i > 0], c[0])
	}
	b.WriteByte('\n')
	for _, trip := range trips {
		b.WriteString(strings.Join(trip, ",") + "\n")
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// addStream adds the records that are JSON objects whose values have the columns' types.
func (tr *truth) addStream(path string, stream [][]byte) {
	tr.t.Helper()
	var b bytes.Buffer
	for _, r := range stream {
		if utf8.Valid(r) { // what is not even text cannot be valid
			b.Write(append(r, '\n'))
		}
	}
	if b.Len() == 0 {
		return
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		tr.t.Fatal(err)
	}
	var cols []string
	for _, c := range strings.Split(duckColumns(), ", ") {
		name, typ, _ := strings.Cut(c, " ")
		cols = append(cols, fmt.Sprintf("TRY_CAST(line->>'%s' AS %s)", name, typ))
	}
	tr.exec(fmt.Sprintf(`INSERT INTO input SELECT %s FROM
		(SELECT line::JSON AS line FROM read_csv('%s', header = false, columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = '') WHERE json_valid(line))`,
		strings.Join(cols, ", "), path))
}

func (tr *truth) exec(q string) {
	tr.t.Helper()
	if _, err := tr.db.Exec(q); err != nil {
		tr.t.Fatalf("%s: %v", q, err)
	}
}

func (tr *truth) count(q string) (n int64) {
	tr.t.Helper()
	if err := tr.db.QueryRow("SELECT count(*) FROM (" + q + ")").Scan(&n); err != nil {
		tr.t.Fatalf("%s: %v", q, err)
	}
	return n
}

// sum adds up the single column of a query.
func (tr *truth) sum(q string) (n int64) {
	tr.t.Helper()
	if err := tr.db.QueryRow("SELECT coalesce(sum(columns(*)), 0)::BIGINT FROM (" + q + ")").Scan(&n); err != nil {
		tr.t.Fatalf("%s: %v", q, err)
	}
	return n
}

// checkTrips compares the lake's trips to the row.
func (tr *truth) checkTrips(lake string) {
	tr.t.Helper()
	lost, doubled := tr.diffTrips(lake)
	if lost != 0 || doubled != 0 {
		tr.t.Errorf("of %d trips %d are missing in the lake, and %d are too many", tr.count("SELECT * FROM want_trips"), lost, doubled)
	}
	if n := tr.count("SELECT * FROM want_trips"); n == 0 {
		tr.t.Error("the truth is empty")
	}
}

// diffTrips counts the trips that the lake has not, and those that it has too often or should not have.
func (tr *truth) diffTrips(lake string) (lost, doubled int64) {
	tr.t.Helper()
	got := fmt.Sprintf("SELECT * FROM read_parquet('%s/trips/**/*.parquet', hive_partitioning = false)", lake)
	return tr.count("SELECT * FROM want_trips EXCEPT ALL " + got), tr.count(got + " EXCEPT ALL SELECT * FROM want_trips")
}

// checkHours compares the lake's hours, together with what came late, per hour and zone: counts exactly, sums to 1e-9.
func (tr *truth) checkHours(lake, late string) {
	tr.t.Helper()
	got := fmt.Sprintf("SELECT hour, pickup_location_id, trips, fare_amount, trip_distance FROM read_parquet('%s/hourly/**/*.parquet')", lake)
	if late != "" {
		got += " UNION ALL " + late
	}
	got = "SELECT hour, pickup_location_id, sum(trips) AS trips, sum(fare_amount) AS fare_amount, sum(trip_distance) AS trip_distance FROM (" + got + ") GROUP BY ALL"
	wrong := `SELECT * FROM want_hours w FULL JOIN (` + got + `) g ON w.hour = g.hour AND w.pickup_location_id IS NOT DISTINCT FROM g.pickup_location_id
		WHERE w.trips IS DISTINCT FROM g.trips OR abs(w.fare_amount - g.fare_amount) > 1e-9 * abs(w.fare_amount) OR abs(w.trip_distance - g.trip_distance) > 1e-9 * abs(w.trip_distance)`
	if n := tr.count(wrong); n != 0 {
		tr.t.Errorf("%d of %d hours differ", n, tr.count("SELECT * FROM want_hours"))
	}
}

// late is a query for the late aggregates among the dead letters.
func (tr *truth) late(dead string) string {
	return fmt.Sprintf(`SELECT (p->>'hour')::TIMESTAMP AS hour, (p->>'pickup_location_id')::BIGINT AS pickup_location_id, (p->>'trips')::BIGINT AS trips,
		(p->>'fare_amount')::DOUBLE AS fare_amount, (p->>'trip_distance')::DOUBLE AS trip_distance
		FROM (SELECT payload::JSON AS p FROM read_json('%s/**/*.jsonl', columns = {step: 'VARCHAR', cause: 'VARCHAR', payload: 'VARCHAR'}) WHERE step = 'hourly' AND cause = 'late')`, dead)
}
