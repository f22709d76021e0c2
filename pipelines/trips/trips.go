package main

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/deadletter"
	"github.com/millrace-io/millrace/io/parquetio"
	"github.com/millrace-io/millrace/transforms/clean"
	"github.com/millrace-io/millrace/transforms/dedupe"
	"github.com/millrace-io/millrace/transforms/enrich"
	"github.com/millrace-io/millrace/transforms/window"
)

// Options are the flags of the command.
type Options struct {
	History    string        `help:"URL of a database with the table trips, such as jdbc:sqlite:trips.db"`
	Kafka      []string      `help:"Kafka brokers as host:port with the live trips; needed unless --stream=false"`
	Topic      string        `help:"Kafka topic with the live trips, JSON" default:"trips"`
	Stream     bool          `help:"read the live trips; false reads the history alone" default:"true"`
	Lake       string        `help:"folder of the lake; gets trips/ and hourly/" default:"lake"`
	DeadLetter string        `help:"folder of rejected and late rows" default:"dead-letter"`
	Disorder   time.Duration `help:"how far a live trip's pickup may lie behind the latest one without being late" default:"5m"`
	Lateness   time.Duration `help:"how long an hour waits for late trips" default:"0s"`
	Horizon    time.Duration `help:"how far apart in pickup time doubled trips may come" default:"24h"`
	IdleAfter  time.Duration `help:"a partition read to its end lets event time follow the clock less this span; negative: never" default:"30s"`
	RollAge    time.Duration `help:"publish rows at the latest after this time" default:"1m"`
}

// build reads trips from the history and the stream, cleans them, drops doubled ones, adds the borough of the pickup,
// and writes the trips by day and vendor, the hourly sums per pickup zone, and what was rejected or came late.
func build(p *flow.Pipeline, o Options) {
	in := sources(p, o)
	good := clean.Rows("clean", in.Rows,
		clean.Required("pickup_datetime", "dropoff_datetime", "fare_amount", "trip_distance"),
		clean.Positive("fare_amount", "trip_distance"),
		clean.NotBefore("dropoff_datetime", "pickup_datetime"),
		clean.Cast("vendor_id", arrow.PrimitiveTypes.Int64))
	once := dedupe.Rows("once", good.Rows, dedupe.Options{Horizon: o.Horizon})
	zoned := enrich.Table("borough", once.Rows, zones(), enrich.Options{On: "pickup_location_id=location_id", Columns: []string{"borough"}})
	hourly := window.Fixed("hourly", zoned.Rows, time.Hour, window.Options{
		Keys: []string{"pickup_location_id"}, Start: "hour", Lateness: o.Lateness,
		Values: window.Values{
			"trips": window.Count(), "fare_amount": window.Sum("fare_amount"), "trip_distance": window.Sum("trip_distance"),
		},
	})
	roll := flow.Roll{Age: o.RollAge}
	trips := parquetio.Write("trips", zoned.Rows, parquetio.Options{
		URL: o.Lake + "/trips", PartitionBy: []string{"day(pickup_datetime)", "vendor_id"}, Roll: roll,
	})
	hours := parquetio.Write("hours", hourly.Rows, parquetio.Options{URL: o.Lake + "/hourly", Roll: roll})
	deadletter.Write("dead-letters",
		flow.Dead(in.Rejected, good.Rejected, once.Late, zoned.Rejected, hourly.Late, trips.Rejected, hours.Rejected),
		deadletter.Options{URL: o.DeadLetter, Roll: roll})
}
