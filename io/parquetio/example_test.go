package parquetio_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/jdbcio"
	"github.com/millrace-io/millrace/io/parquetio"
	"github.com/millrace-io/millrace/runners"
	_ "modernc.org/sqlite"
)

// A table becomes a lake: one folder per day and vendor.
func ExampleWrite() {
	dir, err := os.MkdirTemp("", "lake")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := makeTrips(filepath.Join(dir, "trips.db")); err != nil {
		fmt.Println(err)
		return
	}
	build := func(p *flow.Pipeline) {
		trips := jdbcio.Read(p, "trips", jdbcio.Options{URL: "sqlite:" + filepath.Join(dir, "trips.db"), Table: "trips"})
		parquetio.Write("lake", trips.Rows, parquetio.Options{
			URL:         filepath.Join(dir, "lake"),
			PartitionBy: []string{"day(pickup)", "vendor_id"},
		})
	}
	if _, err := runners.Run(context.Background(), build, runners.Options{InMemory: true}); err != nil {
		fmt.Println(err)
		return
	}
	err = fs.WalkDir(os.DirFS(filepath.Join(dir, "lake")), ".", func(name string, _ fs.DirEntry, err error) error {
		if path.Ext(name) == ".parquet" {
			fmt.Println(path.Dir(name))
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// pickup_day=2019-01-15/vendor_id=1
	// pickup_day=2019-01-15/vendor_id=__HIVE_DEFAULT_PARTITION__
	// pickup_day=2019-01-16/vendor_id=1
}

func makeTrips(name string) error {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	if _, err := db.Exec(`create table trips(pickup timestamp, vendor_id integer);
		insert into trips values('2019-01-15 08:30:00', 1), ('2019-01-15 23:59:59', null), ('2019-01-16 00:00:00', 1)`); err != nil {
		return err
	}
	return db.Close()
}

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
