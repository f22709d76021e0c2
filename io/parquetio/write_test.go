package parquetio_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/parquetio"
)

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestValidate(t *testing.T) {
	if err := (parquetio.Options{URL: "lake"}).Validate(); err != nil {
		t.Errorf("the zero value of all other fields: %v", err)
	}
	err := parquetio.Options{
		PartitionBy: []string{"week(at)", "day()", "", "day(a(b))"},
		Compression: "lzo", MaxPartitions: -1, RowGroupRows: -1, RowGroupBytes: -1, FileBytes: -1,
		Roll: flow.Roll{Rows: -1, Bytes: -1, Age: -time.Second},
	}.Validate()
	want := []string{
		"URL is missing: name the folder that the files lie in",
		`Compression "lzo": use snappy, zstd or none`,
		"MaxPartitions is negative: leave it out for the default",
		"RowGroupRows is negative: leave it out for the default",
		"RowGroupBytes is negative: leave it out for the default",
		"FileBytes is negative: leave it out for the default",
		"Roll.Rows is negative: leave it out for the default",
		"Roll.Bytes is negative: leave it out for the default",
		"Roll.Age is negative: leave it out for the default",
		`PartitionBy "week(at)": use a column, day(column) or hour(column)`,
		`PartitionBy "day()" names no column`,
		`PartitionBy "" names no column`,
	}
	if diff := cmp.Diff(want, lines(err)); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	str, num := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64
	fields := func(f ...arrow.Field) *arrow.Schema { return arrow.NewSchema(f, nil) }
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: str}
	for _, c := range []struct {
		name string
		o    parquetio.Options
		in   *arrow.Schema
		want []string
	}{
		{"fine", parquetio.Options{PartitionBy: []string{"day(at)", "a.b"}}, fields(
			arrow.Field{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us}, arrow.Field{Name: "a.b", Type: str},
			arrow.Field{Name: "a", Type: arrow.StructOf(arrow.Field{Name: "b", Type: num})}, arrow.Field{Name: "+1", Type: num}, arrow.Field{Name: "-1", Type: num}), nil},
		{"types", parquetio.Options{}, fields(
			arrow.Field{Name: "d", Type: arrow.FixedWidthTypes.Duration_us}, arrow.Field{Name: "n", Type: arrow.Null},
			arrow.Field{Name: "v", Type: arrow.ListOf(arrow.FixedWidthTypes.MonthInterval)}, arrow.Field{Name: "s", Type: arrow.StructOf()},
			arrow.Field{Name: "m", Type: arrow.MapOf(str, dict)}, arrow.Field{Name: "x", Type: &arrow.Decimal128Type{Precision: 3, Scale: -2}},
			arrow.Field{Name: "old", Type: arrow.FixedWidthTypes.Date64}), []string{
			`parquetio: column "d" has type duration[us], which Parquet does not know: cast it to an int64`,
			`parquetio: column "n" has no type, only nulls: cast it to one`,
			`parquetio: column "v.item" has type month_interval, which is not written: cast it to another`,
			`parquetio: column "s" is a struct without fields, which Parquet cannot hold`,
			`parquetio: column "m.value" has type dictionary<values=utf8, indices=int32, ordered=false>: cast it to utf8`,
			`parquetio: column "x" has type decimal(3, -2): Parquet wants a scale from 0 to the precision`,
			`parquetio: column "old" has type date64, which is not written: cast it to another`,
		}},
		{"names", parquetio.Options{PartitionBy: []string{"day(at)"}}, fields( // BR-037
			arrow.Field{Name: "ID", Type: num}, arrow.Field{Name: "id", Type: num}, arrow.Field{Name: "", Type: num},
			arrow.Field{Name: "at", Type: arrow.FixedWidthTypes.Date32}, arrow.Field{Name: "at_DAY", Type: num}, arrow.Field{Name: "twice", Type: num}, arrow.Field{Name: "twice", Type: num},
			arrow.Field{Name: "\xff", Type: num}, arrow.Field{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "n", Type: num}, arrow.Field{Name: "N", Type: num})}), []string{
			`parquetio: columns "s.n" and "s.N" differ in case only, which most readers ignore: rename one`,
			`parquetio: columns "ID" and "id" differ in case only, which most readers ignore: rename one`,
			`parquetio: column "" has no name: give it one`,
			`parquetio: two columns are called "twice": rename one`,
			`parquetio: the name of column "\xff" is not valid UTF-8`,
			`parquetio: columns "at_DAY" and "at_day" differ in case only, which most readers ignore: rename one`,
		}},
		{"partitions", parquetio.Options{PartitionBy: []string{"x", "day(n)", "hour(d)", "f", "n", "n"}}, fields(
			arrow.Field{Name: "n", Type: num}, arrow.Field{Name: "f", Type: arrow.PrimitiveTypes.Float64}, arrow.Field{Name: "d", Type: arrow.FixedWidthTypes.Date32}), []string{
			`parquetio: PartitionBy: the rows have no column "x", only n, f, d`,
			`parquetio: PartitionBy "n": day needs a timestamp or a date, the column has type int64`,
			`parquetio: PartitionBy "d": hour needs a timestamp, the column has type date32`,
			`parquetio: PartitionBy "f": a column of type float64 makes no folders: use an integer, text, bool, decimal, date or timestamp`,
			`parquetio: PartitionBy names "n" twice`,
		}},
		{"nothing left", parquetio.Options{PartitionBy: []string{"n"}, DropPartitionColumns: true}, fields(arrow.Field{Name: "n", Type: num}), []string{
			"parquetio: every column is a partition column that DropPartitionColumns leaves out: a file needs one column",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lines(mustSink(t, c.o).Check(c.in))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
