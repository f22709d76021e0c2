// Command paid copies the trips that were paid for from a database to a lake, one folder a day. It is the README's first
// program.
package main

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/jdbcio"
	"github.com/millrace-io/millrace/io/parquetio"
	"github.com/millrace-io/millrace/runners"
)

// Options are the program's flags.
type Options struct {
	From string `help:"URL of a database with a table trips" default:"sqlite:trips.db"`
	Lake string `help:"folder of the Parquet files" default:"lake"`
}

// Trip names the columns that the filter looks at; all columns pass.
type Trip struct {
	FareAmount float64
}

func build(p *flow.Pipeline, o Options) {
	trips := jdbcio.Read(p, "trips", jdbcio.Options{URL: o.From, Table: "trips"})
	paid := flow.Filter("paid", trips.Rows, func(t Trip) bool { return t.FareAmount > 0 })
	parquetio.Write("lake", paid.Rows, parquetio.Options{URL: o.Lake, PartitionBy: []string{"day(pickup)"}})
}

func main() { runners.Main(build) }
