package flow

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// DeadSchema is the one format of dead letters, whatever schema the rows had.
//
//	step       the step that rejected the row, or gave it out as late
//	cause      "rejected" or "late"
//	rule       the rule that was broken, such as "fare_amount > 0"; null for decoding errors
//	reason     what was wrong, for a person
//	partition  the source partition; null if unknown
//	position   the position in it, as its connector prints it; null if unknown
//	event_time the row's event time; null if it has none
//	weight     the number of source rows behind this row
//	format     what payload holds: "raw" (the record's own bytes) or "json" (the row's columns as a JSON object)
//	payload    the bytes
var DeadSchema = arrow.NewSchema([]arrow.Field{
	{Name: "step", Type: arrow.BinaryTypes.String},
	{Name: "cause", Type: arrow.BinaryTypes.String},
	{Name: "rule", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "reason", Type: arrow.BinaryTypes.String},
	{Name: "partition", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "position", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "event_time", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "weight", Type: arrow.PrimitiveTypes.Int64},
	{Name: "format", Type: arrow.BinaryTypes.String},
	{Name: "payload", Type: arrow.BinaryTypes.Binary},
}, nil)

// Letter is one dead letter.
type Letter struct {
	Step, Cause, Rule, Reason, Partition, Position string
	// EventTime in microseconds, batch.NoTime if there is none.
	EventTime int64
	// Weight is the number of source rows behind it; a source leaves it at 0, which counts as 1 there.
	Weight  int64
	Format  string
	Payload []byte
	// Offset and Sub are the row's position for accounting.
	Offset int64
	Sub    int32
}
