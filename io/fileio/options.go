package fileio

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/batch/jsonarrow"
	"github.com/millrace-io/millrace/flow/object"
)

// Options say what Read reads. The zero value of every field that is not marked required works.
type Options struct {
	// URL is the path of a file, or file:///path, or a pattern: *, ? and [...] stand for parts of a name, as for
	// path.Match, but for no slash. Symbolic links below the first wildcard are left out. Required.
	URL string
	// Format of the files. Default: by the end of each name, .csv, .jsonl, .ndjson or .json. Whether a file is compressed
	// always comes from its name, which then ends with .gz or .zst.
	Format Format
	// Schema is the visible schema of the rows; a value that does not fit it is rejected. CSV fills no nested columns.
	// Required.
	Schema *arrow.Schema
	// EventTime is the timestamp column that holds the event time. Rows in which it is null are rejected. Default: rows have
	// no event time.
	EventTime string
	// Unknown says what happens to columns and fields that Schema does not have; jsonarrow.Capture adds the column "_rest".
	// Default Ignore.
	Unknown jsonarrow.Unknown

	// Header says that the first record of a CSV file names its columns, in any order. A column that a file lacks is null, or
	// rejects the file's records if it takes no null. Default: the columns are those of Schema, in its order.
	Header bool
	// Comma separates the fields of a CSV record. Default ','.
	Comma byte
	// Null are the texts that stand for null in CSV columns that take nulls; in text columns only without quotes.
	// Default the empty text.
	Null []string

	// BatchRows is the number of records at which a batch ends. At most 65,536. Default 16,384.
	BatchRows int
	// BatchBytes is the size at which a batch ends, rejected records included; the last record may go beyond it. Bytes; at
	// most 1 GiB, default 4 MiB.
	BatchBytes int
	// MaxRecordBytes is the size of the largest record; a larger one is rejected with its first bytes. It bounds the memory
	// whatever a file decompresses to. Bytes; at most 1 GiB, default 1 MiB.
	MaxRecordBytes int
}

func (o Options) withDefaults() Options {
	o.Comma = cmp.Or(o.Comma, ',')
	o.BatchRows = cmp.Or(o.BatchRows, 16<<10)
	o.BatchBytes = cmp.Or(o.BatchBytes, 4<<20)
	o.MaxRecordBytes = cmp.Or(o.MaxRecordBytes, 1<<20)
	if o.Null == nil {
		o.Null = []string{""}
	}
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
	bad(o.Format != "" && o.Format != CSV && o.Format != JSONLines, "Format: %q is not supported; it must be %q or %q", o.Format, CSV, JSONLines)
	bad(o.Comma == '"' || o.Comma == '\r' || o.Comma == '\n' || o.Comma >= 0x80, "Comma: %q separates no fields; give one ASCII character", o.Comma)
	bad(o.BatchRows < 0 || o.BatchRows > 64<<10, "BatchRows: %d is not between 1 and 65,536", o.BatchRows)
	bad(o.BatchBytes < 0 || o.BatchBytes > 1<<30, "BatchBytes: %d is not between 1 and 1,073,741,824", o.BatchBytes)
	bad(o.MaxRecordBytes < 0 || o.MaxRecordBytes > 1<<30, "MaxRecordBytes: %d is not between 1 and 1,073,741,824", o.MaxRecordBytes)
	return errors.Join(append(errs, o.validateURL(), o.validateColumns())...)
}

func (o Options) validateURL() error {
	root, pattern := splitURL(o.URL)
	if pattern == "" {
		return errors.New("URL is required: the path of a file, or a pattern such as /data/*.csv")
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("URL: the pattern %q is broken: %w", pattern, err)
	}
	if _, err := object.Open(root); err != nil {
		return fmt.Errorf("URL: %w", err)
	}
	return nil
}

func (o Options) validateColumns() error {
	if o.Schema == nil || o.Schema.NumFields() == 0 {
		return errors.New("Schema is required")
	}
	d, err := o.decoder()
	if err != nil {
		return err
	}
	if _, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{}); err != nil {
		return err
	}
	if f, err := o.formatOf(o.URL); err == nil && f == CSV {
		return o.flat()
	}
	return nil
}

func (o Options) formatOf(name string) (Format, error) {
	if o.Format != "" {
		return o.Format, nil
	}
	return formatOf(name)
}

// flat finds the columns that CSV cannot fill.
func (o Options) flat() error {
	var errs []error
	for _, f := range o.Schema.Fields() {
		if slices.Contains([]arrow.Type{arrow.STRUCT, arrow.LIST, arrow.LARGE_LIST, arrow.FIXED_SIZE_LIST, arrow.MAP}, f.Type.ID()) {
			errs = append(errs, fmt.Errorf("column %q: CSV has no values of type %s", f.Name, f.Type))
		}
	}
	return errors.Join(errs...)
}

func (o Options) decoder() (*jsonarrow.Decoder, error) {
	d, err := jsonarrow.NewDecoder(o.Schema, jsonarrow.Options{Unknown: o.Unknown, TimeColumn: o.EventTime, MaxBytes: math.MaxInt})
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "jsonarrow: ", ""))
	}
	return d, nil
}
