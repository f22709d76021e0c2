// Package iotest is what every connector has to pass, and says what each can do.
//
// A connector's conform_test.go calls Source or Sink with its Features and a factory of fixtures. The suites look at it
// through the contracts of flow alone: what a runner relies on, and nothing else. docs/support.md is printed from the
// same Features; go test ./io/iotest -update writes it.
package iotest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Features says what a connector can do. A suite demands what is true here, and that what is false is not claimed.
type Features struct {
	// Connector is its package's name. Required.
	Connector string
	// Delivery says in a few words what it promises. Required.
	Delivery string

	// Reads: it has a source. The next eight are about that.
	Reads bool
	// Bounded: every partition ends.
	Bounded bool
	// Replays: a partition can be read again from every position that it gave.
	Replays bool
	// Ordered: watermarks hold before the end of a bounded source.
	Ordered bool
	// EventTime: rows have an event time.
	EventTime bool
	// Identity: a position of another thing of the same name is refused with flow.ErrIdentity.
	Identity bool
	// Rejects: what does not fit the schema comes as a dead letter.
	Rejects bool
	// Discovers: partitions that appear while it runs are read.
	Discovers bool
	// UntilNow: it can stop at the ends that partitions have when a run starts.
	UntilNow bool

	// Writes: it has a sink. The next three are about that.
	Writes bool
	// ExactlyOnce: each row is written once, through crashes, for a plain reader.
	ExactlyOnce bool
	// Routes: the destination comes from the rows.
	Routes bool
	// Refuses: a row that it cannot hold exactly is refused.
	Refuses bool
}

// Connectors are the features of every connector of this repository, by name.
func Connectors() []Features { return []Features{DeadLetter(), File(), JDBC(), Kafka(), Parquet()} }

// File is what fileio can do.
func File() Features {
	return Features{
		Connector: "fileio", Delivery: "each record of each file once",
		Reads: true, Bounded: true, Replays: true, EventTime: true, Identity: true, Rejects: true,
	}
}

// JDBC is what jdbcio can do.
func JDBC() Features {
	return Features{
		Connector: "jdbcio", Delivery: "each row of one snapshot once",
		Reads: true, Bounded: true, Replays: true, EventTime: true, Identity: true, Rejects: true,
	}
}

// Kafka is what kafkaio can do.
func Kafka() Features {
	return Features{
		Connector: "kafkaio", Delivery: "each committed record once",
		Reads: true, Replays: true, EventTime: true, Identity: true, Rejects: true, Discovers: true, UntilNow: true,
	}
}

// Parquet is what parquetio can do.
func Parquet() Features {
	return Features{
		Connector: "parquetio", Delivery: "whole files, each row once",
		Writes: true, ExactlyOnce: true, Routes: true, Refuses: true,
	}
}

// DeadLetter is what deadletter can do.
func DeadLetter() Features {
	return Features{
		Connector: "deadletter", Delivery: "whole files, each letter once",
		Writes: true, ExactlyOnce: true, Routes: true,
	}
}

// Support prints the features of connectors as a page of two tables.
func Support(all []Features) []byte {
	var buf bytes.Buffer
	buf.WriteString("# What each connector can do\n\nPrinted from what `io/iotest` demands of them: `go test ./io/iotest -update`.\n")
	table(&buf, "Sources", all, []column{
		{"ends", func(f Features) bool { return f.Bounded }},
		{"resumes anywhere", func(f Features) bool { return f.Replays }},
		{"event time", func(f Features) bool { return f.EventTime }},
		{"in order of time", func(f Features) bool { return f.Ordered }},
		{"knows what it reads", func(f Features) bool { return f.Identity }},
		{"bad records become dead letters", func(f Features) bool { return f.Rejects }},
		{"new partitions", func(f Features) bool { return f.Discovers }},
		{"`--until now`", func(f Features) bool { return f.UntilNow }},
	})
	table(&buf, "Sinks", all, []column{
		{"exactly once", func(f Features) bool { return f.ExactlyOnce }},
		{"destination from the rows", func(f Features) bool { return f.Routes }},
		{"refuses rows it cannot hold", func(f Features) bool { return f.Refuses }},
	})
	return buf.Bytes()
}

type column struct {
	title string
	has   func(Features) bool
}

func table(buf *bytes.Buffer, title string, all []Features, cols []column) {
	titles := []string{"connector", "delivers"}
	for _, c := range cols {
		titles = append(titles, c.title)
	}
	fmt.Fprintf(buf, "\n## %s\n\n| %s |\n|%s\n", title, strings.Join(titles, " | "), strings.Repeat("---|", len(titles)))
	for _, f := range all {
		if title == "Sources" && !f.Reads || title == "Sinks" && !f.Writes {
			continue
		}
		cells := []string{fmt.Sprintf("[%s](%[1]s.md)", f.Connector), f.Delivery}
		for _, c := range cols {
			cells = append(cells, map[bool]string{true: "yes", false: "no"}[c.has(f)])
		}
		fmt.Fprintf(buf, "| %s |\n", strings.Join(cells, " | "))
	}
}

// check is one thing that a suite looks at. New fixtures are made for each.
type check[F any] struct {
	name  string
	wants func(Features, F) bool // whether it applies; nil: always
	run   func(testing.TB, Features, F) error
}

// runAll runs the checks that apply as subtests.
func runAll[F any](t *testing.T, f Features, checks []check[F], fixture func(t *testing.T) F) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			fx := fixture(t)
			if c.wants != nil && !c.wants(f, fx) {
				t.Skipf("%s does not claim it", f.Connector)
			}
			if err := c.run(t, f, fx); err != nil {
				t.Error(err)
			}
		})
	}
}
