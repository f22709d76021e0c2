package parquetio

import (
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/millrace-io/millrace/flow"
)

// Options of Write. URL is required; the zero value of every other field works.
type Options struct {
	// URL is the folder that the files lie in, such as "/data/lake/trips" or "file:///data/lake/trips". Required.
	URL string
	// PartitionBy names the columns that make the folders, outermost first: "vendor_id" gives folders such as
	// vendor_id=1, "day(pickup)" pickup_day=2019-01-15, "hour(pickup)" pickup_hour=2019-01-15-08, both in UTC. Default: none.
	PartitionBy []string
	// DropPartitionColumns leaves the columns that PartitionBy names plainly (not those inside day and hour) out of
	// the files. Some catalogs want that (an AWS Glue crawler, pyarrow's read_table); in exchange a reader that
	// ignores the folders does not see the columns, and one that follows them has to guess their types. An empty text
	// in such a column is refused, since only the file could tell it from null. Default: the files hold every column.
	DropPartitionColumns bool
	// MaxPartitions caps the folders that rows go to within one Roll.Age, and so the files of that time. Rows of further
	// folders are refused (RuleMaxPartitions) until the next one. Default 10,000.
	MaxPartitions int
	// Compression is "snappy", "zstd" or "none". Default "snappy".
	Compression string
	// RowGroupRows ends a row group at this number of rows. Default 1,048,576.
	RowGroupRows int64
	// RowGroupBytes ends a row group with the batch that brings its rows to this size in memory. A file that is being
	// written holds them compressed. Bytes; default 64 MiB.
	RowGroupBytes int64
	// FileBytes cuts the rows of one destination and commit into several files. Bytes, as staged; default 256 MiB.
	FileBytes int64
	// Roll says when the rows that have gathered are published.
	Roll flow.Roll
	// Positions adds the columns _partition and _position: where in the source a row comes from, as dead letters
	// print it; null where it is unknown. They are made by a step of their own, called after the sink: trips.positions.
	Positions bool
	// Weights adds the column _weight: the number of source rows behind a row.
	Weights bool
	// Staging is the place of staged rows and of the ledger. It lies on the same file system as URL. Default: .millrace in
	// the parent of URL.
	Staging string
	// Append allows a first commit into a folder that holds other files. Default: it is refused.
	Append bool
}

// Validate returns every fault of the options, joined.
func (o Options) Validate() error {
	var errs []error
	if o.URL == "" {
		errs = append(errs, errors.New("URL is missing: name the folder that the files lie in"))
	}
	if _, ok := codecs[o.Compression]; !ok {
		errs = append(errs, fmt.Errorf("Compression %q: use snappy, zstd or none", o.Compression))
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxPartitions", int64(o.MaxPartitions)},
		{"RowGroupRows", o.RowGroupRows},
		{"RowGroupBytes", o.RowGroupBytes},
		{"FileBytes", o.FileBytes},
		{"Roll.Rows", o.Roll.Rows},
		{"Roll.Bytes", o.Roll.Bytes},
		{"Roll.Age", int64(o.Roll.Age)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s is negative: leave it out for the default", f.name))
		}
	}
	_, err := parsePartitions(o.PartitionBy)
	return errors.Join(append(errs, err)...)
}

// withDefaults fills in what Write itself needs; the rest is filled in by flow.
func (o Options) withDefaults() Options {
	if o.MaxPartitions == 0 {
		o.MaxPartitions = 10_000
	}
	if o.RowGroupRows == 0 {
		o.RowGroupRows = 1 << 20
	}
	if o.RowGroupBytes == 0 {
		o.RowGroupBytes = 64 << 20
	}
	return o
}

var codecs = map[string]compress.Compression{
	"":       compress.Codecs.Snappy,
	"snappy": compress.Codecs.Snappy,
	"zstd":   compress.Codecs.Zstd,
	"none":   compress.Codecs.Uncompressed,
}

// Write writes rows as Parquet files below Options.URL. Rows that the files cannot hold exactly come out as
// Written.Rejected.
func Write(step string, rows flow.Rows, o Options) flow.Written {
	s, err := newSink(o)
	if err != nil {
		rows.Errorf(step, "parquetio.Write: %w", err)
		return flow.Written{}
	}
	if rows.Valid() && (o.Positions || o.Weights) {
		rows = flow.Transform(step+".positions", rows, reveal(rows.Schema(), o)).Rows
	}
	return flow.Write(step, rows, s)
}

// NewSink gives the sink behind Write, for tests and for connectors that write Parquet to a place of their own.
func NewSink(o Options) (flow.Sink, error) { return newSink(o) }

// sink is safe for use by several goroutines.
type sink struct {
	o      Options
	parts  []partition
	recent recent
}

func newSink(o Options) (*sink, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	parts, err := parsePartitions(o.PartitionBy)
	if err != nil {
		return nil, err
	}
	age := o.Roll.Age
	if age == 0 {
		age = time.Minute
	}
	o = o.withDefaults()
	return &sink{o: o, parts: parts, recent: recent{max: o.MaxPartitions, span: age, now: time.Now}}, nil
}

// Spec describes the sink.
func (s *sink) Spec() flow.SinkSpec {
	return flow.SinkSpec{
		Connector: "parquetio",
		URL:       s.o.URL,
		Staging:   s.o.Staging,
		Extension: ".parquet",
		Roll:      s.o.Roll,
		FileBytes: s.o.FileBytes,
		Append:    s.o.Append,
		Guarantee: "whole files, each row once, none lost, also for a plain listing; files become visible one by one",
	}
}
