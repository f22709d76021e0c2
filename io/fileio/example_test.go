package fileio_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/fileio"
	"github.com/millrace-io/millrace/runners"
)

// Records that fit the schema become rows; the other ones come out as they stand in the file.
func ExampleRead() {
	dir, err := os.MkdirTemp("", "trips")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "trips-1.csv"), []byte("fare,id\n2.50,1\nn/a,2\n12,3\n"), 0o644); err != nil {
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
		in := fileio.Read(p, "trips", fileio.Options{
			URL: dir + "/trips-*.csv", Header: true,
			Schema: arrow.NewSchema([]arrow.Field{
				{Name: "id", Type: arrow.PrimitiveTypes.Int64},
				{Name: "fare", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
			}, nil),
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
	// line 3, byte 15: column "fare": the text "n/a" is no float64 that the column takes: n/a,2
}
