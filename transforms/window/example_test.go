package window_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"github.com/millrace-io/millrace/transforms/window"
)

type trip struct {
	Pickup time.Time
	Zone   string
	Fare   float64
}

type hour struct {
	Hour  time.Time
	Zone  string
	Trips int64
	Fare  *float64
}

func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", "2019-01-15 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func ExampleFixed() {
	var hours *flow.Collection[hour]
	_, err := runners.Run(context.Background(), func(p *flow.Pipeline) {
		trips := grouptest.Read(p, "trips", func(t trip) time.Time { return t.Pickup },
			trip{at("08:05"), "Chelsea", 6.5}, trip{at("08:59"), "Chelsea", 11}, trip{at("09:00"), "Chelsea", 8}, trip{at("08:30"), "SoHo", 7})
		hourly := window.Fixed("hourly", trips.Rows, time.Hour, window.Options{
			Keys: []string{"zone"}, Start: "hour",
			Values: window.Values{"trips": window.Count(), "fare": window.Sum("fare")},
		})
		hours = flow.Collect[hour]("hours", hourly.Rows)
	}, runners.Options{InMemory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := hours.Rows(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	slices.SortFunc(rows, func(a, b hour) int {
		return slices.Compare([]string{a.Zone, a.Hour.String()}, []string{b.Zone, b.Hour.String()})
	})
	for _, h := range rows {
		fmt.Println(h.Hour.Format("15:04"), h.Zone, h.Trips, *h.Fare)
	}
	// Output:
	// 08:00 Chelsea 2 17.5
	// 09:00 Chelsea 1 8
	// 08:00 SoHo 1 7
}
