package flow

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

// Source is what a connector's Read hands to From. All methods but Spec may be called from several goroutines.
//
// Life of a partition, driven by one splittable DoFn on every runner:
//
//	Partitions -> Open(partition, position) -> Read, Read, ... -> Close
//	                    ^                        |
//	                    +---- crash or restart --+   from the last committed Page.Next
type Source interface {
	// Spec describes the source. It has no effects and never changes.
	Spec() SourceSpec
	// Partitions lists all partitions that exist now, in a stable order. It is called once at the start, and again
	// every SourceSpec.Discover if that is not zero.
	Partitions(ctx context.Context) ([]Partition, error)
	// Open starts reading a partition. It compares the identity kept in the position with the thing it opens and
	// returns an error that wraps ErrIdentity when they differ.
	Open(ctx context.Context, a Assignment) (Reader, error)
}

// Reader reads one partition. It is used by one goroutine at a time.
type Reader interface {
	// Read returns the next page. It does bounded work, returns what it has when ctx ends (that is no error), and an
	// empty page when there is nothing yet.
	Read(ctx context.Context) (Page, error)
	// Close frees what Open took. The position is not touched.
	Close() error
}

// SourceSpec describes a source. The zero value of every field that is not marked required works.
type SourceSpec struct {
	// Connector is the connector's name, such as "jdbcio". Required.
	Connector string
	// Address says what is read, without secrets: it is shown in plans and is part of the job's default name. Required.
	Address string
	// Endpoint says how it is reached now, such as a list of brokers, without secrets. It is shown in plans and is no part of
	// the job's identity: a job goes on when it changes.
	Endpoint string
	// Schema is the visible schema of the rows. Required.
	Schema *arrow.Schema
	// EventTime says that every batch has the hidden column batch.TimeColumn.
	EventTime bool
	// Bounded says that every partition ends.
	Bounded bool
	// Ordered says that a bounded source may advance its watermark before its end, since its pages carry watermarks
	// that hold. Otherwise the watermark stays at the minimum until the partition ends.
	Ordered bool
	// Discover is the time between two listings of the partitions; 0 fixes the first list.
	Discover time.Duration
	// IdleAfter: a partition that is proved to be read to its end lets the watermark follow the wall clock minus this
	// span; negative switches this off. Default 30 s.
	IdleAfter time.Duration
	// Guarantee says in one line what the source promises; it is printed by plan.
	Guarantee string
}

// shown is the source as plans show it.
func (s SourceSpec) shown() string {
	if s.Endpoint == "" {
		return s.Address
	}
	return s.Address + " at " + s.Endpoint
}

// Partition is one independently readable part of a source.
type Partition struct {
	// ID names the partition in positions, dead letters and metrics, such as "trips/3". It is unique in the source.
	ID string
	// Data is whatever the connector needs to open it. It is kept with the position.
	Data []byte
}

// Assignment hands a partition to a reader.
type Assignment struct {
	Partition
	// Position is the Next of the last committed page; empty at the very start.
	Position []byte
	// Epoch grows with every start of the job; a connector that keeps leases fences with it.
	Epoch int64
}

// PageState says how a partition stands behind a page.
type PageState int8

// The states of a partition.
const (
	// More: there is more to read now, or it is unknown whether there is.
	More PageState = iota
	// CaughtUp: the position is the end that the server itself named. Only this proof makes a partition idle.
	CaughtUp
	// Waiting: there is nothing to read now, but no proof that the end is reached, for instance because a broker is
	// away. The partition holds its watermark.
	Waiting
	// End: the partition has ended for ever.
	End
)

// Page is what one Read gives.
type Page struct {
	// Rows are the decoded rows; nil if there are none.
	Rows *batch.Batch
	// Rejected are records that do not fit the schema. Step, Cause and Partition are filled in by the runner.
	Rejected []Letter
	// Next is the position behind this page. It carries the identity of what it counts in.
	Next []byte
	// Watermark is a lower bound for the event time of every later row of this partition, in microseconds;
	// batch.NoTime if nothing is known. It may go back: the runner keeps the largest.
	Watermark int64
	// State says whether more is to be expected.
	State PageState
	// Records is the number of source records consumed, rows and rejected ones and those dropped by rule.
	Records int64
	// Dropped counts records that a documented rule drops, by rule, such as "tombstone".
	Dropped map[string]int64
	// Lag is the number of records known to be left to read; -1 if unknown.
	Lag int64
	// Pause is the time until the next Read behind CaughtUp and Waiting. Default 50 ms.
	Pause time.Duration
}

// Ender is implemented by sources that support --until now.
type Ender interface {
	// Ends gives the position of a partition's present end, as the server names it.
	Ends(ctx context.Context, p Partition) ([]byte, error)
	// Reached says whether position lies at or behind end.
	Reached(position, end []byte) bool
}
