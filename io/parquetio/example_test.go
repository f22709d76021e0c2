package parquetio_test

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/io/parquetio"
)

// Where rows go, and which are refused, is known before anything is written.
func ExampleNewSink() {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "pickup", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "vendor", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	rows, err := batch.NewBuilder(schema, batch.BuilderOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, vendor := range []string{"CMT", "a/b", "", "\xff"} {
		rows.Col(0).Int64(1_547_541_000_000_000) // 2019-01-15 08:30 UTC
		if vendor != "" {
			rows.Col(1).String(vendor)
		}
		if err := rows.EndRow(); err != nil {
			fmt.Println(err)
			return
		}
	}
	in, err := rows.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	sink, err := parquetio.NewSink(parquetio.Options{URL: "lake/trips", PartitionBy: []string{"day(pickup)", "vendor"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	routing, err := sink.Route(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, dest := range routing.Of {
		if dest >= 0 {
			fmt.Println(routing.Dests[dest])
		}
	}
	for _, r := range routing.Refused {
		fmt.Println("refused:", r.Reason)
	}
	// Output:
	// pickup_day=2019-01-15/vendor=CMT
	// pickup_day=2019-01-15/vendor=a%2Fb
	// pickup_day=2019-01-15/vendor=__HIVE_DEFAULT_PARTITION__
	// refused: column "vendor": the text is not valid UTF-8: byte 0 is 0xFF
}

func ExampleOptions_Validate() {
	fmt.Println(parquetio.Options{PartitionBy: []string{"week(pickup)"}, Compression: "lzo"}.Validate())
	// Output:
	// URL is missing: name the folder that the files lie in
	// Compression "lzo": use snappy, zstd or none
	// PartitionBy "week(pickup)": use a column, day(column) or hour(column)
}
