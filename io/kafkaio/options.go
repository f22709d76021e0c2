package kafkaio

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/batch/jsonarrow"
)

// Never switches off what a duration of Options sets.
const Never time.Duration = -1

// Options say what Read reads. The zero value of every field that is not marked required works.
type Options struct {
	// Brokers are addresses to begin with, as host:port. Required.
	Brokers []string
	// Topics are read whole. Their records have one schema. Required.
	Topics []string
	// Schema is the visible schema of the rows; a value that does not fit it is rejected. Required.
	Schema *arrow.Schema
	// Decode says what the values are. Default JSON.
	Decode Decode
	// JSON says how JSON is read, where the defaults do not fit.
	JSON JSONOptions
	// Unknown says what happens to fields that Schema does not have; Capture adds the column "_rest". Default Ignore.
	Unknown jsonarrow.Unknown
	// Key adds a column of that name with the record's key, as binary; a record without one has null. Default none.
	Key string
	// Headers adds a column of that name with the record's headers, a list of {name, value} in their order. Default none.
	Headers string

	// EventTime is where the event time comes from: the name of a timestamp column, RecordTime, or HeaderTime(name).
	// Records without it are rejected. Default RecordTime.
	EventTime string
	// MaxOutOfOrder is how far an event time may lie behind the largest one of its partition without being late.
	// Default 0.
	MaxOutOfOrder time.Duration
	// MaxAhead is how far an event time may lie behind the record's arrival in the future; beyond it the record is
	// rejected. The arrival is the record's timestamp, or the clock if that is earlier. Default 24 h; Never.
	MaxAhead time.Duration
	// IdleAfter: a partition that was read to its end lets its watermark follow the clock less this span. Default 30 s;
	// Never.
	IdleAfter time.Duration

	// Start is where the partitions begin that exist when the job is started first: Earliest, Latest, or a time as RFC 3339,
	// that is the first record with that timestamp or a later one. Partitions that appear later begin at their
	// beginning. Default Earliest.
	Start string
	// Offsets are the first offsets of single partitions, by ID such as "trips/3"; others begin at Start.
	Offsets map[string]int64
	// Tombstones says what becomes of records without a value. Default Drop.
	Tombstones Tombstones
	// Discover is the time between two looks for new partitions. Default 5 s; Never.
	Discover time.Duration

	// BatchRows is the number of rows at which a batch is cut. Default 16,384.
	BatchRows int
	// MaxBufferedBytes caps what is fetched ahead for one partition, as the broker sends it. At the cap nothing is
	// fetched; one answer of half of it may go beyond. Bytes; default 2 MiB.
	MaxBufferedBytes int
	// Timeout is how long brokers and leaders may be away before Read fails. Until then a partition waits and holds its
	// watermark. Default 2 min.
	Timeout time.Duration
	// TLS encrypts connections. Default none.
	TLS *TLS
	// SASL names the user. Default none.
	SASL *SASL
}

// JSONOptions are the rules of jsonarrow that can be chosen.
type JSONOptions struct {
	// Strict refuses numbers and booleans in text columns and the other way round.
	Strict bool
	// Layouts are further forms of timestamps, as for time.Parse.
	Layouts []string
	// Zone is the time zone of timestamps without offset, such as "Europe/Berlin". Default UTC.
	Zone string
	// Epoch is the unit of numbers in timestamp columns and in HeaderTime. Default time.Millisecond.
	Epoch time.Duration
}

// Decode names the format of the records' values.
type Decode string

// JSON is one JSON object per record, read as package jsonarrow says.
const JSON Decode = "json"

// Where the partitions begin that exist at the first start.
const (
	// Earliest is the oldest record that there is.
	Earliest = "earliest"
	// Latest is the end of the partition when the job is started first.
	Latest = "latest"
)

// Tombstones says what becomes of records without a value. A value of no bytes is no tombstone; it is rejected as empty.
type Tombstones string

// What can become of tombstones.
const (
	// Drop counts them.
	Drop Tombstones = "drop"
	// Deletes makes rows of kind Delete: the column Key has the key, all other ones are null, the event time is the
	// record's timestamp. It needs Key, and a Schema whose columns take nulls.
	Deletes Tombstones = "delete"
)

// RecordTime takes the record's timestamp as the event time: the producer's time or, if the topic is set to
// LogAppendTime, the broker's.
const RecordTime = "@record"

const headerTime = "@header:"

// HeaderTime takes the event time from the last header of that name, in the forms that a timestamp column takes.
func HeaderTime(name string) string { return headerTime + name }

func (o Options) withDefaults() Options {
	o.Decode = cmp.Or(o.Decode, JSON)
	o.EventTime = cmp.Or(o.EventTime, RecordTime)
	o.MaxAhead = cmp.Or(o.MaxAhead, 24*time.Hour)
	o.Start = cmp.Or(o.Start, Earliest)
	o.Tombstones = cmp.Or(o.Tombstones, Drop)
	o.Discover = cmp.Or(o.Discover, 5*time.Second)
	o.BatchRows = cmp.Or(o.BatchRows, 16<<10)
	o.MaxBufferedBytes = cmp.Or(o.MaxBufferedBytes, 2<<20)
	o.Timeout = cmp.Or(o.Timeout, 2*time.Minute)
	return o
}

// Validate gives every fault of the options at once.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(len(o.Brokers) == 0, "Brokers is required")
	bad(len(o.Topics) == 0, "Topics is required")
	bad(o.Decode != JSON, "Decode is %q; it must be %q", o.Decode, JSON)
	bad(o.Tombstones != Drop && o.Tombstones != Deletes, "Tombstones is %q; it must be %q or %q", o.Tombstones, Drop, Deletes)
	bad(o.MaxOutOfOrder < 0, "MaxOutOfOrder is negative")
	bad(o.BatchRows < 1 || o.BatchRows > 1<<20, "BatchRows: %d is not between 1 and 1,048,576", o.BatchRows)
	bad(o.MaxBufferedBytes < 64<<10 || o.MaxBufferedBytes > 1<<30, "MaxBufferedBytes: %d is not between 64 KiB and 1 GiB", o.MaxBufferedBytes)
	bad(o.Timeout < 0, "Timeout is negative")
	for i, t := range o.Topics {
		bad(t == "" || strings.Contains(t, "/"), "Topics: %q is no name of a topic", t)
		bad(slices.Contains(o.Topics[:i], t), "Topics: %q is named twice", t)
	}
	for id, off := range o.Offsets {
		topic, _, ok := splitID(id)
		bad(!ok || !slices.Contains(o.Topics, topic), "Offsets: %q is no partition of Topics, such as %q", id, "trips/3")
		bad(off < 0, "Offsets: %d of %q is negative", off, id)
	}
	_, err := o.startTime()
	errs = append(errs, err, o.TLS.validate(), o.SASL.validate(), o.validateColumns())
	return errors.Join(errs...)
}

// startTime gives the time that Start names; zero for Earliest and Latest.
func (o Options) startTime() (time.Time, error) {
	if o.Start == Earliest || o.Start == Latest {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, o.Start)
	if err != nil {
		return t, fmt.Errorf("Start is %q; it must be %q, %q or a time such as 2019-01-01T00:00:00Z", o.Start, Earliest, Latest)
	}
	return t, nil
}

func (o Options) validateColumns() error {
	if o.Schema == nil || o.Schema.NumFields() == 0 {
		return errors.New("Schema is required")
	}
	d, err := newDecoder(o)
	if err != nil {
		return err
	}
	schema := o.columns(d)
	if _, err := batch.NewBuilder(schema, batch.BuilderOptions{}); err != nil {
		return err
	}
	var errs []error
	for i, f := range schema.Fields() {
		if slices.Contains(schema.FieldIndices(f.Name)[1:], i) {
			errs = append(errs, fmt.Errorf("column %q is there twice: choose another name for Key or Headers", f.Name))
		}
		if o.Tombstones == Deletes && !f.Nullable {
			errs = append(errs, fmt.Errorf("Tombstones is %q, and column %q takes no null", Deletes, f.Name))
		}
	}
	if o.Tombstones == Deletes && o.Key == "" {
		errs = append(errs, fmt.Errorf("Tombstones is %q, which needs Key: nothing else says what is deleted", Deletes))
	}
	return errors.Join(errs...)
}

// columns gives the visible schema: that of the decoder, the key and the headers.
func (o Options) columns(d decoder) *arrow.Schema {
	fields := slices.Clone(d.Schema().Fields())
	if o.Key != "" {
		fields = append(fields, arrow.Field{Name: o.Key, Type: arrow.BinaryTypes.Binary, Nullable: true})
	}
	if o.Headers != "" {
		fields = append(fields, arrow.Field{Name: o.Headers, Type: headersType, Nullable: true})
	}
	md := d.Schema().Metadata()
	return arrow.NewSchema(fields, &md)
}

// headersType is a list of headers in their order; a header's value may be null.
var headersType = arrow.ListOfNonNullable(arrow.StructOf(
	arrow.Field{Name: "name", Type: arrow.BinaryTypes.String},
	arrow.Field{Name: "value", Type: arrow.BinaryTypes.Binary, Nullable: true},
))
