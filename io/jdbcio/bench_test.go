package jdbcio

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// benchColumns are those of a taxi trip: 7 integers, 2 times, a flag and 8 prices.
var benchColumns = [][3]string{
	{"vendor_id", "INTEGER", "i % 2 + 1"},
	{"pickup_datetime", "TEXT", "datetime(1546300800 + i, 'unixepoch')"},
	{"dropoff_datetime", "TEXT", "datetime(1546301800 + i, 'unixepoch')"},
	{"passenger_count", "INTEGER", "i % 5"},
	{"trip_distance", "REAL", "i % 900 / 37.0"},
	{"rate_code_id", "INTEGER", "1"},
	{"store_and_fwd_flag", "TEXT", "'N'"},
	{"pickup_location_id", "INTEGER", "i % 263 + 1"},
	{"dropoff_location_id", "INTEGER", "i % 257 + 1"},
	{"payment_type", "INTEGER", "i % 4"},
	{"fare_amount", "REAL", "i % 90 / 2.0"},
	{"extra", "REAL", "0.5"},
	{"mta_tax", "REAL", "0.5"},
	{"tip_amount", "REAL", "i % 100 / 10.0"},
	{"tolls_amount", "REAL", "0"},
	{"improvement_surcharge", "REAL", "0.3"},
	{"total_amount", "REAL", "i % 700 / 4.0"},
	{"congestion_surcharge", "REAL", "NULL"},
}

// BenchmarkRead reads a table of 18 columns with one partition; an operation is a row.
func BenchmarkRead(b *testing.B) {
	var decls, values []string
	for _, c := range benchColumns {
		decls, values = append(decls, c[0]+" "+strings.Replace(c[1], "TEXT", "DATETIME", min(1, strings.Count(c[0], "_datetime")))), append(values, c[2])
	}
	path := makeDB(b, "CREATE TABLE t("+strings.Join(decls, ", ")+")",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 100000) INSERT INTO t SELECT "+strings.Join(values, ", ")+" FROM n")
	src, err := openTable(Options{URL: "sqlite:" + path, Table: "t", EventTime: "pickup_datetime", Partitions: 1})
	if err != nil {
		b.Fatal(err)
	}
	parts, err := src.Partitions(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	defer func() { b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N)*1e6, "cpu-s/Mrow") }()
	for rows := 0; rows < b.N; {
		r, err := src.Open(b.Context(), flow.Assignment{Partition: parts[0]})
		if err != nil {
			b.Fatal(err)
		}
		for page := (flow.Page{}); page.State != flow.End && rows < b.N; rows += int(page.Records) {
			if page, err = r.Read(b.Context()); err != nil || len(page.Rejected) > 0 {
				b.Fatal(err, page.Rejected)
			}
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// cpu is the time that the processors have spent on this process.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
