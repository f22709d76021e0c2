// Package grouptest runs the Group of an operator as a runner does, for unit tests: its log and header outlive it.
package grouptest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// TB is what the package needs of a test.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Harness is one key group.
type Harness struct {
	// Rows and Late are what the group has emitted.
	Rows, Late []*batch.Batch
	// Log is the stored log, encoded.
	Log [][]byte

	t     TB
	open  func() flow.Group
	group flow.Group
}

// New opens an empty group.
func New(t TB, open func() flow.Group) *Harness { return &Harness{t: t, open: open, group: open()} }

// Process hands the next batch to the group.
func (h *Harness) Process(in *batch.Batch) {
	h.t.Helper()
	h.call(func(out *flow.Out) error { return h.group.Process(in, out) })
}

// Close lets the watermark pass a time, in milliseconds.
func (h *Harness) Close(upTo int64) {
	h.t.Helper()
	h.call(func(out *flow.Out) error { return h.group.Close(upTo, out) })
}

// Closes gives what the group waits for.
func (h *Harness) Closes() []flow.Closing { return h.group.Closes() }

func (h *Harness) call(do func(*flow.Out) error) {
	h.t.Helper()
	var out flow.Out
	if err := do(&out); err != nil {
		h.t.Fatalf("group: %v", err)
	}
	h.Rows, h.Late = append(h.Rows, out.Rows()...), append(h.Late, out.LateRows()...)
	log, rewritten := out.Log()
	if rewritten {
		h.Log = nil
	}
	for _, b := range log {
		data, err := batch.Encode(b)
		if err != nil {
			h.t.Fatalf("encode: %v", err)
		}
		h.Log = append(h.Log, data)
	}
}

// Restart throws the group away and restores it from header and log.
func (h *Harness) Restart() {
	h.t.Helper()
	header := slices.Clone(h.group.Header())
	h.group = h.open()
	var log []*batch.Batch
	for _, data := range h.Log {
		b, err := batch.Decode(data)
		if err != nil {
			h.t.Fatalf("decode: %v", err)
		}
		log = append(log, b)
	}
	if err := h.group.Restore(header, log); err != nil {
		h.t.Fatalf("restore: %v", err)
	}
}

// Batch makes a batch of a JSON array of objects, with event times in microseconds if there are any.
func Batch(t TB, schema *arrow.Schema, json string, times ...int64) *batch.Batch {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(json))
	if err != nil {
		t.Fatalf("batch: %v", err)
	}
	b, err := batch.New(rec)
	if err == nil && times != nil {
		b, err = b.WithHidden(batch.TimeColumn, Ints(times))
	}
	if err != nil {
		t.Fatalf("batch: %v", err)
	}
	return b
}

// Ints makes a column.
func Ints(x []int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(x, nil)
	return b.NewArray()
}

// Lines prints all columns of all rows, one line per row.
func Lines(batches ...*batch.Batch) []string {
	var out []string
	for _, b := range batches {
		for row := range b.Rows() {
			var parts []string
			for i, c := range b.Record().Columns() {
				parts = append(parts, fmt.Sprintf("%s=%s", b.Record().ColumnName(i), c.ValueStr(row)))
			}
			out = append(out, strings.Join(parts, " "))
		}
	}
	return out
}
