package clean_test

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/clean"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

type raw struct {
	Pickup, Dropoff time.Time
	Fare            float64
	Vendor          *string
}

type trip struct {
	Pickup time.Time
	Fare   float64
	Vendor *int64
}

type letter struct{ Rule, Reason string }

func ExampleRows() {
	start := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	end := start.Add(time.Minute)
	text := func(s string) *string { return &s }
	var good *flow.Collection[trip]
	var bad *flow.Collection[letter]
	_, err := runners.Run(context.Background(), func(p *flow.Pipeline) {
		in := grouptest.Read(p, "trips", nil,
			raw{start, end, 7.5, text(" 2")}, raw{start, end, -3, text("1")}, raw{end, start, 4, nil}, raw{start, end, 4, text("two")}, raw{start, end, 4, nil})
		rows := clean.Rows("clean", in.Rows,
			clean.Positive("fare"),
			clean.NotBefore("dropoff", "pickup"),
			clean.Trim("vendor"),
			clean.Cast("vendor", arrow.PrimitiveTypes.Int64))
		good, bad = flow.Collect[trip]("good", rows.Rows), flow.Collect[letter]("bad", rows.Rejected)
	}, runners.Options{InMemory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	trips, err := good.Rows(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range trips {
		if t.Vendor == nil {
			fmt.Println(t.Fare, "unknown vendor")
		} else {
			fmt.Println(t.Fare, "vendor", *t.Vendor)
		}
	}
	letters, err := bad.Rows(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range letters {
		fmt.Printf("%s: %s\n", l.Rule, l.Reason)
	}
	// Output:
	// 7.5 vendor 2
	// 4 unknown vendor
	// fare > 0: fare is -3
	// dropoff >= pickup: dropoff is 2024-01-01T12:00:00Z, pickup is 2024-01-01T12:01:00Z
	// vendor is int64: vendor is "two": not a number
}
