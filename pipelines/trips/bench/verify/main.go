// Command verify reads Parquet files with DuckDB, which shares no code with what wrote them, and compares the answers to
// queries, given as JSON on standard input, with what they must be.
package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"

	_ "github.com/duckdb/duckdb-go/v2" // the independent reader
)

// check is a query's expression and its answer: Near is good to 1e-9, Want is exact.
type check struct {
	Name string  `json:"name"`
	SQL  string  `json:"sql"`
	Want int64   `json:"want"`
	Near float64 `json:"near"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: verify 'FOLDER/*.parquet' < checks.json")
	}
	var checks []check
	if err := json.NewDecoder(os.Stdin).Decode(&checks); err != nil {
		return err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	for _, c := range checks {
		err = errors.Join(err, c.run(db, os.Args[1]))
	}
	return errors.Join(err, db.Close())
}

func (c check) run(db *sql.DB, files string) error {
	typ := "BIGINT"
	if c.Near != 0 {
		typ = "DOUBLE"
	}
	var exact int64
	var near float64
	got := any(&exact)
	if c.Near != 0 {
		got = &near
	}
	if err := db.QueryRow(fmt.Sprintf("SELECT (%s)::%s FROM read_parquet($1)", c.SQL, typ), files).Scan(got); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	if c.Near != 0 && math.Abs(near-c.Near) > 1e-9*math.Abs(c.Near) {
		return fmt.Errorf("%s: %v instead of %v", c.Name, near, c.Near)
	}
	if exact != c.Want {
		return fmt.Errorf("%s: %d instead of %d", c.Name, exact, c.Want)
	}
	return nil
}
