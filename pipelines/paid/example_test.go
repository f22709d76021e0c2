package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
)

func Example() {
	dir, err := tripsDatabase(
		`('2019-01-15 08:05', 6.5)`,
		`('2019-01-15 09:40', 0)`,
		`('2019-01-16 17:10', 11)`)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	o := Options{From: "sqlite:" + filepath.Join(dir, "trips.db"), Lake: filepath.Join(dir, "lake")}
	res, err := runners.Run(context.Background(), func(p *flow.Pipeline) { build(p, o) }, runners.Options{InMemory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	lake := res.Sinks[0]
	fmt.Printf("%s: read %d = written %d + dropped %d\n", res.State, lake.Read, lake.Written, lake.Dropped)
	days, err := filepath.Glob(filepath.Join(o.Lake, "*", "*.parquet"))
	for _, file := range days {
		fmt.Println(filepath.Base(filepath.Dir(file)))
	}
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// finished: read 3 = written 2 + dropped 1
	// pickup_day=2019-01-15
	// pickup_day=2019-01-16
}

// tripsDatabase makes trips.db with the given trips in a folder of its own.
func tripsDatabase(trips ...string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "paid"); err != nil {
		return "", err
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "trips.db"))
	if err != nil {
		return dir, err
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE trips (pickup DATETIME, fare_amount REAL)`); err != nil {
		return dir, err
	}
	for _, t := range trips {
		if _, err := db.Exec(`INSERT INTO trips VALUES ` + t); err != nil {
			return dir, err
		}
	}
	return dir, nil
}
