package flow

import (
	"io"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

// Sink is what a connector's Write hands to To, for sinks whose destination is a place of whole files. The protocol
// around it - stage, roll, claim, publish - is the same for all of them and lives in flow/commit.
type Sink interface {
	// Spec describes the sink. It has no effects and never changes.
	Spec() SinkSpec
	// Check finds, when the graph is built, what the sink cannot take. All faults at once, joined.
	Check(in *arrow.Schema) error
	// Route assigns every row to a destination and finds every row that encoding would refuse. It runs inside
	// the bundle that stages the rows, so that Encode cannot fail for a row later.
	Route(b *batch.Batch) (Routing, error)
	// Encode writes one file with the rows of in, in that order. It must give the same rows for the same input, and
	// fails only for reasons of w.
	Encode(w io.Writer, schema *arrow.Schema, in iter.Seq2[*batch.Batch, error]) error
}

// Routing is the answer of Sink.Route.
type Routing struct {
	// Dests are the destinations: slash-separated folders below SinkSpec.URL, "" for the root.
	Dests []string
	// Of gives for every row the index of its destination, or -1 for a refused row. nil: all rows go to Dests[0].
	Of []int32
	// Refused says why, for every row with -1 in Of.
	Refused []Refusal
}

// SinkSpec describes a sink. The zero value of every field that is not marked required works.
type SinkSpec struct {
	// Connector is the connector's name, such as "parquetio". Required.
	Connector string
	// URL is the root of the destination. Required.
	URL string
	// Staging is the place of staged rows and of the ledger; default <parent of URL>/.millrace. It must lie on the
	// same file system as URL.
	Staging string
	// Extension ends every file name, such as ".parquet". Required.
	Extension string
	// Roll says when a commit is cut.
	Roll Roll
	// FileBytes is the size at which a destination's rows are cut into several files, measured on staged bytes.
	// Default 256 MiB.
	FileBytes int64
	// Append allows a first commit into a place that holds other files.
	Append bool
	// Guarantee says in one line what the sink promises; it is printed by plan.
	Guarantee string
}

// Roll says when gathered rows are published: whatever comes first.
type Roll struct {
	// Rows of one destination. Default 1,000,000.
	Rows int64
	// Bytes of one destination, as staged. Default 128 MiB.
	Bytes int64
	// Age of the oldest row that waits, by the clock. Default 1 min.
	Age time.Duration
}

// Refusal is one row that a step or a sink does not take.
type Refusal struct {
	// Row is its index in the batch.
	Row int32
	// Rule names the rule that it breaks; may be empty.
	Rule string
	// Reason says what is wrong with the row, for a person.
	Reason string
}
