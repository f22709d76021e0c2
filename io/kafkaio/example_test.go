package kafkaio_test

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/kafkaio"
	"github.com/millrace-io/millrace/runners"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// A topic is read up to its present end.
func ExampleRead() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "trips"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	send(cluster.ListenAddrs(), `{"id":1,"fare":2.5}`, `{"id":2,"fare":"7"}`, `{"id":3.5}`)

	type trip struct {
		ID   int64
		Fare *float64
	}
	var trips *flow.Collection[trip]
	var dead *flow.Collection[struct{ Position, Reason string }]
	_, err = runners.Run(context.Background(), func(p *flow.Pipeline) {
		in := kafkaio.Read(p, "trips", kafkaio.Options{
			Brokers: cluster.ListenAddrs(),
			Topics:  []string{"trips"},
			Schema: arrow.NewSchema([]arrow.Field{
				{Name: "id", Type: arrow.PrimitiveTypes.Int64},
				{Name: "fare", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
			}, nil),
		})
		trips = flow.Collect[trip]("rows", in.Rows)
		dead = flow.Collect[struct{ Position, Reason string }]("dead", in.Rejected)
	}, runners.Options{InMemory: true, UntilNow: true})
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
		fmt.Printf("offset %s: %s\n", l.Position, l.Reason)
	}
	// Output:
	// 1 2.5
	// 2 7
	// offset 2: column "id": the number 3.5 is not a whole number for a column of type int64 (at byte 6)
}

func send(brokers []string, values ...string) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MaxVersions(kversion.V3_7_0()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cl.Close()
	for _, v := range values {
		r := &kgo.Record{Topic: "trips", Value: []byte(v), Timestamp: time.Unix(1, 0)}
		if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			fmt.Println(err)
		}
	}
}
