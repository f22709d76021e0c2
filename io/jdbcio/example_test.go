package jdbcio_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/jdbcio"
	"github.com/millrace-io/millrace/runners"
	_ "modernc.org/sqlite"
)

// A table is read by its declared types; what does not fit them comes out as it is stored.
func ExampleRead() {
	dir, err := os.MkdirTemp("", "trips")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "trips.db")
	if err := makeTrips(file); err != nil {
		fmt.Println(err)
		return
	}
	type trip struct {
		ID   int64
		Fare *float64
	}
	var trips *flow.Collection[trip]
	type letter struct {
		Position, Reason string
		Payload          []byte
	}
	var dead *flow.Collection[letter]
	_, err = runners.Run(context.Background(), func(p *flow.Pipeline) {
		in := jdbcio.Read(p, "trips", jdbcio.Options{
			URL: "jdbc:sqlite:" + file, Table: "trips", Columns: []string{"id", "fare"}, Partitions: 1,
		})
		trips = flow.Collect[trip]("rows", in.Rows)
		dead = flow.Collect[letter]("dead", in.Rejected)
	}, runners.Options{InMemory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, _ := trips.Rows(context.Background())
	for _, t := range rows {
		fmt.Println(t.ID, *t.Fare)
	}
	letters, _ := dead.Rows(context.Background())
	for _, l := range letters {
		fmt.Printf("%s: %s: %s\n", l.Position, l.Reason, l.Payload)
	}
	// Output:
	// 1 2.5
	// 3 12
	// row 2: column "fare": TEXT "n/a" is no exact float64: {"id":2,"fare":"n/a"}
}

func makeTrips(file string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	if _, err := db.Exec(`create table trips(id integer primary key, pickup datetime, fare real);
		insert into trips values (1, '2024-01-15 08:30:00', 2.5), (2, '2024-01-15 08:31:00', 'n/a'), (3, null, 12)`); err != nil {
		return err
	}
	return db.Close()
}
