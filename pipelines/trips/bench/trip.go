package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// trip is one record of the topic.
type trip struct {
	ID         int64     `json:"id"`
	Vendor     int64     `json:"vendor_id"`
	Pickup     time.Time `json:"pickup_datetime"`
	Dropoff    time.Time `json:"dropoff_datetime"`
	Passengers int64     `json:"passenger_count"`
	Distance   float64   `json:"trip_distance"`
	From       int64     `json:"pu_location_id"`
	To         int64     `json:"do_location_id"`
	Payment    int64     `json:"payment_type"`
	Fare       float64   `json:"fare_amount"`
	Tip        float64   `json:"tip_amount"`
	Tolls      float64   `json:"tolls_amount"`
	Total      float64   `json:"total_amount"`
	Flag       string    `json:"store_and_fwd_flag"`
}

// schema is what every system under test makes of a record.
var schema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "vendor_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "pickup_datetime", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "dropoff_datetime", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "passenger_count", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "trip_distance", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "pu_location_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "do_location_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "payment_type", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "fare_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "tip_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "tolls_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "total_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "store_and_fwd_flag", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

const (
	// disorder is how far a pickup may lie behind an earlier record's.
	disorder = 4 * time.Second
	minute   = time.Minute
)

var base = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// generator makes the records from a fixed seed, 10,000 in a minute of event time, and keeps the truth of what must come out.
type generator struct {
	rand *rand.Rand
	n    int64
	sums map[string]float64
	ints map[string]int64
	wins map[winKey]*win
}

type winKey struct{ minute, zone int64 }

type win struct {
	trips int64
	total float64
}

func newGenerator() *generator {
	return &generator{
		rand: rand.New(rand.NewPCG(42, 43)), //nolint:gosec // the same numbers in every run
		sums: map[string]float64{}, ints: map[string]int64{}, wins: map[winKey]*win{},
	}
}

// next makes one record and its key.
func (g *generator) next() (key string, value []byte, err error) {
	r := g.rand
	g.n++
	cents := func(x float64) float64 { return math.Round(x*100) / 100 }
	at := base.Add(time.Duration(g.n)*minute/10_000 + disorder - time.Duration(r.Int64N(disorder.Milliseconds()))*time.Millisecond)
	t := trip{
		ID: g.n, Vendor: g.n%2 + 1, Pickup: at, Dropoff: at.Add(time.Duration(60+r.Int64N(3600)) * time.Second), Passengers: r.Int64N(7),
		Distance: r.Float64() * 20, From: r.Int64N(265) + 1, To: r.Int64N(265) + 1, Payment: r.Int64N(5), Fare: cents(r.Float64()*100 + 0.01),
		Tip: cents(r.Float64() * 20), Tolls: cents(r.Float64() * 7), Total: r.Float64() * 120, Flag: []string{"N", "Y"}[r.Int64N(2)],
	}
	if r.Int64N(50) == 0 {
		t.Fare = -t.Fare
	}
	if t.Fare > 0 {
		g.expect(t)
	}
	value, err = json.Marshal(t)
	return fmt.Sprint(t.From), value, err
}

// expect adds a trip that must come out.
func (g *generator) expect(t trip) {
	mix := t.ID%1009 + 1
	g.ints["rows"]++
	for name, v := range map[string]int64{
		"id": t.ID, "vendor_id": t.Vendor, "pickup_datetime": t.Pickup.UnixMicro(), "dropoff_datetime": t.Dropoff.UnixMicro(),
		"passenger_count": t.Passengers, "pu_location_id": t.From, "do_location_id": t.To, "payment_type": t.Payment,
		"store_and_fwd_flag": int64(t.Flag[0]),
	} {
		g.ints[name] += v % prime * mix
	}
	for name, v := range map[string]float64{
		"trip_distance": t.Distance, "fare_amount": t.Fare, "tip_amount": t.Tip, "tolls_amount": t.Tolls, "total_amount": t.Total,
	} {
		g.sums[name] += v * float64(mix)
	}
	k := winKey{t.Pickup.Unix() / 60, t.From}
	w := g.wins[k]
	if w == nil {
		w = &win{}
		g.wins[k] = w
	}
	w.trips++
	w.total += t.Total
}

// prime keeps the sums of hashes within 64 bits.
const prime = 1_000_003

// check is a query for the independent reader, and its answer.
type check struct {
	Name string `json:"name"`
	SQL  string `json:"sql"`
	// Want is exact for counts and hashes of whole numbers, and to 1e-9 for sums of Near.
	Want int64   `json:"want"`
	Near float64 `json:"near,omitempty"`
}

// sinkChecks are an order-free hash per column, which ties each value to its row's id.
func (g *generator) sinkChecks() []check {
	out := []check{
		{Name: "rows", SQL: "count(*)", Want: g.ints["rows"]},
		{Name: "distinct ids", SQL: "count(DISTINCT id)", Want: g.ints["rows"]},
	}
	for _, f := range schema.Fields() {
		value := f.Name
		switch f.Type.ID() {
		case arrow.TIMESTAMP:
			value = "epoch_us(" + f.Name + ")"
		case arrow.STRING:
			value = "ascii(" + f.Name + ")"
		case arrow.FLOAT64:
			out = append(out, check{Name: f.Name, SQL: "sum(" + f.Name + " * (id % 1009 + 1))", Near: g.sums[f.Name]})
			continue
		}
		out = append(out, check{Name: f.Name, SQL: fmt.Sprintf("sum(%s %% %d * (id %% 1009 + 1))", value, prime), Want: g.ints[f.Name]})
	}
	return out
}

// windowChecks are those of the aggregates, by group.
func (g *generator) windowChecks() []check {
	groups := check{Name: "groups", SQL: "count(DISTINCT (start, pu_location_id))", Want: int64(len(g.wins))}
	rows := check{Name: "rows", SQL: "count(*)", Want: int64(len(g.wins))}
	trips := check{Name: "trips", SQL: "sum(trips)"}
	mixed := check{Name: "trips by group", SQL: fmt.Sprintf("sum(trips * trips * (epoch_us(start) // 60000000 %% %d * 265 + pu_location_id))", prime)}
	total := check{Name: "total_amount by group", SQL: "sum(total_amount * trips * pu_location_id)"}
	for k, w := range g.wins {
		trips.Want += w.trips
		mixed.Want += w.trips * w.trips * (k.minute%prime*265 + k.zone)
		total.Near += w.total * float64(w.trips*k.zone)
	}
	return []check{rows, groups, trips, mixed, total}
}
