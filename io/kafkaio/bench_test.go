package kafkaio

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kgo"
)

// benchTopic holds n records of about 200 bytes in one partition.
func (c *cluster) benchTopic(n int) (topic string, size int64) {
	c.t.Helper()
	topic = c.topic(1)
	for first := 0; first < n; first += 10_000 {
		rs := make([]*kgo.Record, 10_000)
		for i := range rs {
			rs[i] = rec(topic, fmt.Sprintf(`{"vendor_id":%d,"pickup_datetime":"2019-01-01T00:46:40Z","dropoff_datetime":"2019-01-01T00:53:20Z",`+
				`"passenger_count":1,"trip_distance":1.5,"pickup_location_id":%d,"fare_amount":%d.25}`, i%2+1, i%265, i%90), int64(i))
			size += int64(len(rs[i].Value))
		}
		c.produce(rs...)
	}
	return topic, size
}

var benchSchema = arrow.NewSchema([]arrow.Field{
	{Name: "vendor_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "pickup_datetime", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "dropoff_datetime", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "passenger_count", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "trip_distance", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "pickup_location_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "fare_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
}, nil)

const benchRecords = 200_000

// BenchmarkBroker reads the same records as rows and, as the floor, with kgo's consumer that throws them away.
func BenchmarkBroker(b *testing.B) {
	c := broker(b)
	topic, size := c.benchTopic(benchRecords)
	o := c.options(topic)
	o.Schema, o.EventTime, o.MaxAhead = benchSchema, "pickup_datetime", Never
	s := mustSource(b, o)
	b.Run("read", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			r, err := s.Open(b.Context(), flow.Assignment{Partition: flow.Partition{ID: topic + "/0"}})
			if err != nil {
				b.Fatal(err)
			}
			for n := int64(0); n < benchRecords; {
				p, err := r.Read(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				n += p.Records
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("discard", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			cl, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
				kgo.FetchIsolationLevel(kgo.ReadCommitted()))
			if err != nil {
				b.Fatal(err)
			}
			for n := 0; n < benchRecords; {
				n += cl.PollFetches(b.Context()).NumRecords()
			}
			cl.Close()
		}
	})
}
