package enrich_test

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/enrich"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

type trip struct {
	PickupLocationID int64
	Fare             float64
}

type zoned struct {
	PickupLocationID int64
	Fare             float64
	PickupBorough    *string
}

var zones = enrich.CSV([]byte(`location_id,borough,service_zone
4,Manhattan,Yellow Zone
7,Queens,Boro Zone
`), arrow.NewSchema([]arrow.Field{
	{Name: "location_id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "borough", Type: arrow.BinaryTypes.String},
}, nil))

func ExampleTable() {
	var out *flow.Collection[zoned]
	_, err := runners.Run(context.Background(), func(p *flow.Pipeline) {
		trips := grouptest.Read(p, "trips", nil, trip{7, 5}, trip{4, 6}, trip{999, 7})
		rows := enrich.Table("borough", trips.Rows, zones, enrich.Options{On: "pickup_location_id=location_id", Prefix: "pickup_"})
		out = flow.Collect[zoned]("out", rows.Rows)
	}, runners.Options{InMemory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := out.Rows(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range rows {
		if r.PickupBorough == nil {
			fmt.Println(r.PickupLocationID, r.Fare, "unknown")
		} else {
			fmt.Println(r.PickupLocationID, r.Fare, *r.PickupBorough)
		}
	}
	// Output:
	// 7 5 Queens
	// 4 6 Manhattan
	// 999 7 unknown
}
