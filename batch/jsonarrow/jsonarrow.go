// Package jsonarrow decodes JSON records straight into the columns of a batch.Builder, by schema.
//
//	d, err := jsonarrow.NewDecoder(schema, jsonarrow.Options{})
//	b, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{})
//	for _, record := range records {
//		if err := d.Append(b, record); err != nil { ... } // a *RowError; the row has been taken back
//		if err := b.EndRow(); err != nil { ... }
//	}
//
// A record is one JSON object (RFC 8259), with white space around it and a byte order mark before it allowed. A field
// belongs to the column of exactly the same name. A field that is missing and one that is null are both null in the
// column, and an error where the column takes none. Of several fields with one name the last one counts, as a whole,
// and of the others only the grammar is looked at. Nothing is rounded, replaced or cut in silence:
//
//	JSON            column                   rule
//	number          int8 to uint64           exact at any size; 1e3 and 1.0 are whole, 0.1 and what is out of range are errors
//	number          float32, float64         the nearest value; 1e400 is an error, 1e-400 is 0
//	number          decimal128               exact; more decimal places than the column's are an error unless they are zeros
//	true, false     bool
//	string          utf8, large_utf8         valid UTF-8 and whole surrogate pairs, otherwise an error
//	string          binary, fixed_size_...   base64 with the standard alphabet and padding
//	string          timestamp                2006-01-02T15:04:05, a blank for the T, any fraction, Z or an offset or none (Zone);
//	                                         2006-01-02 alone; Layouts; finer fractions than the column's unit are cut down
//	number          timestamp                Epoch units since 1970-01-01T00:00:00Z, cut down to the column's unit
//	string, number  date32, date64           2006-01-02; days (date32) or milliseconds (date64) since 1970-01-01
//	string, number  time32, time64           15:04:05 with any fraction, cut down; the number in the column's unit
//	number          duration                 whole, in the column's unit
//	array           list                     null, [] and [null] are three things
//	object          struct                   as the record itself
//	number, bool    utf8, large_utf8         its text as written, unless Strict
//	string          int.., float.., decimal, what the text of the string would be as JSON, unless Strict
//	                bool
//
// The memory taken is bounded by the size of the record times the width of the schema.
package jsonarrow

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

// Unknown says what happens to fields that the schema does not have.
type Unknown string

// What can happen to unknown fields.
const (
	// Ignore leaves them out.
	Ignore Unknown = "ignore"
	// Reject makes them an error.
	Reject Unknown = "reject"
	// Capture gathers them as a JSON object in the column Options.Rest, in their order and with their text as written;
	// null if there are none. A field inside a column is named by its JSON Pointer (RFC 6901), such as "/trip/stops/0/x".
	Capture Unknown = "capture"
)

// Options says how records are read. The zero value works.
type Options struct {
	// Unknown says what happens to fields that the schema does not have. Default Ignore.
	Unknown Unknown
	// Rest is the column that Capture adds behind the schema. Default "_rest".
	Rest string
	// Strict refuses numbers and booleans in text columns and strings in columns of numbers and booleans.
	Strict bool
	// Layouts are further forms of timestamps, as for time.Parse, tried in their order after the built-in ones.
	Layouts []string
	// Zone is where timestamps without an offset belong to. Default UTC.
	Zone *time.Location
	// Epoch is the unit of numbers in timestamp columns: time.Second, Millisecond, Microsecond or Nanosecond.
	// Default time.Millisecond.
	Epoch time.Duration
	// TimeColumn is the column, of type timestamp, whose value Decoder.Time gives. Default none.
	TimeColumn string
	// MaxBytes is the size of a record beyond which it is an error. Bytes; default 64 MiB.
	MaxBytes int
	// MaxDepth is how deep the values of unknown fields may nest; deeper ones are an error. Default 128.
	MaxDepth int
}

// Decoder decodes records by one schema. It is for one goroutine.
type Decoder struct {
	scanner
	o        Options
	zone     *time.Location // nil for UTC
	schema   *arrow.Schema
	root     node
	builder  *batch.Builder
	restCol  *batch.Column
	rest     []byte // what Capture has gathered of this record
	text     []byte // decoded base64
	objects  uint64 // objects begun so far
	exact    bool   // fields are looked at twice, so that the last of one name counts
	timeNode *node
	time     int64
	timed    bool
}

// NewDecoder makes a decoder. An error names every column that it cannot fill.
func NewDecoder(schema *arrow.Schema, o Options) (*Decoder, error) {
	o.Unknown = cmp.Or(o.Unknown, Ignore)
	o.Rest = cmp.Or(o.Rest, "_rest")
	o.Epoch = cmp.Or(o.Epoch, time.Millisecond)
	o.MaxBytes = cmp.Or(o.MaxBytes, 64<<20)
	o.MaxDepth = cmp.Or(o.MaxDepth, 128)
	d := &Decoder{o: o, schema: schema}
	if o.Zone != nil && o.Zone != time.UTC {
		d.zone = o.Zone
	}
	var errs []error
	if !slices.Contains([]Unknown{Ignore, Reject, Capture}, o.Unknown) {
		errs = append(errs, fmt.Errorf("jsonarrow: Unknown is %q; it must be %q, %q or %q", o.Unknown, Ignore, Reject, Capture))
	}
	if _, ok := epochDigits[o.Epoch]; !ok {
		errs = append(errs, fmt.Errorf("jsonarrow: Epoch is %s; it must be 1s, 1ms, 1µs or 1ns", o.Epoch))
	}
	root, err := newNode(arrow.Field{Type: arrow.StructOf(schema.Fields()...)}, nil)
	d.root = root
	errs = append(errs, err)
	if o.TimeColumn != "" {
		i, ok := d.root.index[o.TimeColumn]
		if !ok || d.root.children[i].kind != kindTimestamp {
			errs = append(errs, fmt.Errorf("jsonarrow: there is no timestamp column %q", o.TimeColumn))
		} else {
			d.timeNode = &d.root.children[i]
		}
	}
	if o.Unknown == Capture {
		errs = append(errs, d.addRest())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	d.root.link(nil)
	return d, nil
}

func (d *Decoder) addRest() error {
	if _, taken := d.root.index[d.o.Rest]; taken {
		return fmt.Errorf("jsonarrow: column %q is in the schema and also the one of unknown fields", d.o.Rest)
	}
	fields := append(slices.Clone(d.schema.Fields()), arrow.Field{Name: d.o.Rest, Type: arrow.BinaryTypes.String, Nullable: true})
	md := d.schema.Metadata()
	d.schema = arrow.NewSchema(fields, &md)
	return nil
}

// Schema gives the columns that Append fills: those of NewDecoder and, with Capture, Options.Rest.
func (d *Decoder) Schema() *arrow.Schema { return d.schema }

// Append adds the columns of one record to the row that is being built in b, whose first columns are those of Schema.
// An error is a *RowError, and the whole row has been taken back with Rollback.
func (d *Decoder) Append(b *batch.Builder, record []byte) error {
	if b != d.builder {
		d.bind(b)
	}
	d.exact = false
	err := d.record(record)
	if err != nil && len(record) <= d.o.MaxBytes {
		// Something is wrong, or a field came twice. Which of the two, a second and slower reading says.
		b.Rollback()
		d.exact = true
		err = d.record(record)
	}
	if err != nil {
		b.Rollback()
		return err
	}
	return nil
}

// Time gives the value of Options.TimeColumn in the record that was appended last, in microseconds, cut down; false
// if it is null.
func (d *Decoder) Time() (us int64, ok bool) { return d.time, d.timed }

func (d *Decoder) bind(b *batch.Builder) {
	d.builder = b
	for i := range d.root.children {
		d.root.children[i].bind(b.Col(i))
	}
	if d.o.Unknown == Capture {
		d.restCol = b.Col(len(d.root.children))
	}
}

// record decodes a whole record, and leaves half a row behind if it fails.
func (d *Decoder) record(record []byte) *RowError {
	d.data, d.pos, d.rest, d.timed = record, 0, d.rest[:0], false
	if len(record) > d.o.MaxBytes {
		return d.fail(0, "the record has %d bytes, more than %d (MaxBytes)", len(record), d.o.MaxBytes)
	}
	d.word("\xEF\xBB\xBF")
	c := d.peek()
	if d.pos == len(d.data) {
		return &RowError{Offset: d.pos, Reason: ErrEmpty.Error(), empty: true}
	}
	if c != '{' {
		return d.mismatch("an object")
	}
	if err := d.object(&d.root); err != nil {
		return err
	}
	if d.peek(); d.pos < len(d.data) {
		return d.fail(d.pos, "there is more behind the end of the object")
	}
	switch {
	case d.restCol == nil:
	case len(d.rest) == 0:
		d.restCol.Null()
	default:
		d.rest = append(d.rest, '}')
		d.restCol.Bytes(d.rest)
	}
	return nil
}
