package main

import (
	_ "embed"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/jdbcio"
	"github.com/millrace-io/millrace/io/kafkaio"
	"github.com/millrace-io/millrace/transforms/enrich"
)

// schema is that of a trip in both sources. The vendor comes as a number, as text, or not at all, so it is read as text and
// cast behind the sources.
var schema = arrow.NewSchema([]arrow.Field{
	{Name: "vendor_id", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "pickup_datetime", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "dropoff_datetime", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "passenger_count", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "trip_distance", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "rate_code_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "store_and_fwd_flag", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "pickup_location_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "dropoff_location_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "payment_type", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "fare_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "extra", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "mta_tax", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "tip_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "tolls_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "improvement_surcharge", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "total_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "congestion_surcharge", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
}, nil)

const eventTime = "pickup_datetime"

// sources reads the history and the stream, as far as they are asked for, into one collection.
func sources(p *flow.Pipeline, o Options) flow.Input {
	var rows, rejected []flow.Rows
	add := func(in flow.Input) { rows, rejected = append(rows, in.Rows), append(rejected, in.Rejected) }
	if o.History != "" {
		add(jdbcio.Read(p, "history", jdbcio.Options{URL: o.History, Table: "trips", Columns: columns(), Schema: schema, EventTime: eventTime}))
	}
	if o.Stream && len(o.Kafka) == 0 {
		p.Errorf("live", "name the brokers with --kafka, or read the history alone with --stream=false")
		return flow.Input{}
	}
	if o.Stream {
		add(kafkaio.Read(p, "live", kafkaio.Options{
			Brokers: o.Kafka, Topics: []string{o.Topic}, Schema: schema, EventTime: eventTime,
			MaxOutOfOrder: o.Disorder, IdleAfter: o.IdleAfter,
		}))
	}
	if len(rows) == 0 {
		p.Errorf("history", "there is nothing to read: name a --history or --kafka")
		return flow.Input{}
	}
	return flow.Input{Rows: flow.Flatten("all", rows...), Rejected: flow.Flatten("unreadable", rejected...)}
}

func columns() []string {
	names := make([]string, schema.NumFields())
	for i := range names {
		names[i] = schema.Field(i).Name
	}
	return names
}

//go:embed zones.csv
var zonesCSV []byte

// zones is the table of pickup zones.
func zones() enrich.Data {
	return enrich.CSV(zonesCSV, arrow.NewSchema([]arrow.Field{
		{Name: "location_id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "borough", Type: arrow.BinaryTypes.String},
		{Name: "zone", Type: arrow.BinaryTypes.String},
	}, nil))
}
