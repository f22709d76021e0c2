package jsonarrow

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

var tripSchema = arrow.NewSchema([]arrow.Field{
	{Name: "vendor_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "pickup_datetime", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "dropoff_datetime", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "passenger_count", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "trip_distance", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "store_and_fwd_flag", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "pickup_location_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "fare_amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

type trip struct {
	VendorID         int64     `json:"vendor_id"`
	Pickup           time.Time `json:"pickup_datetime"`
	Dropoff          time.Time `json:"dropoff_datetime"`
	PassengerCount   int64     `json:"passenger_count"`
	TripDistance     float64   `json:"trip_distance"`
	StoreAndFwd      string    `json:"store_and_fwd_flag"`
	PickupLocationID int64     `json:"pickup_location_id"`
	FareAmount       float64   `json:"fare_amount"`
	Note             string    `json:"note"`
}

func trips() (records [][]byte, size int64) {
	start := time.Date(2019, 1, 1, 0, 46, 40, 0, time.UTC)
	for i := range 1000 {
		at := start.Add(time.Duration(i) * 37 * time.Second)
		r := fmt.Sprintf(`{"vendor_id":%d,"pickup_datetime":%q,"dropoff_datetime":%q,"passenger_count":%d,"trip_distance":%.2f,"store_and_fwd_flag":"N","pickup_location_id":%d,"fare_amount":%.2f,"note":"paid by card, no tip was given %d"}`,
			i%2+1, at.Format(time.RFC3339), at.Add(7*time.Minute).Format(time.RFC3339), i%5, float64(i)/37, i%265, float64(i)/13+2.5, i)
		records = append(records, []byte(r))
		size += int64(len(r))
	}
	return records, size
}

func benchmarkAppend(b *testing.B, schema *arrow.Schema) {
	records, size := trips()
	d, err := NewDecoder(schema, Options{TimeColumn: "pickup_datetime"})
	if err != nil {
		b.Fatal(err)
	}
	out, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range records {
			if err := d.Append(out, r); err != nil {
				b.Fatal(err)
			}
			if err := out.EndRow(); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := out.Build(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) { benchmarkAppend(b, tripSchema) }

// The same records, of which two columns are wanted.
func BenchmarkAppendTwoColumns(b *testing.B) {
	benchmarkAppend(b, arrow.NewSchema([]arrow.Field{tripSchema.Field(1), tripSchema.Field(7)}, nil))
}

func BenchmarkEncodingJSON(b *testing.B) {
	records, size := trips()
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range records {
			var v trip
			if err := json.Unmarshal(r, &v); err != nil {
				b.Fatal(err)
			}
		}
	}
}
