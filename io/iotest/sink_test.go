package iotest

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// boxes is a sink for numbers: the odd ones go to one folder, the even ones to another, negative ones nowhere.
type boxes struct {
	keeper
	fault string
}

func (b boxes) Spec() flow.SinkSpec {
	s := b.keeper.Spec()
	s.Connector = "boxes"
	if b.fault == "forgets the dot" {
		s.Extension = "arrow"
	}
	return s
}

func (b boxes) Check(s *arrow.Schema) error {
	if b.fault != "takes every schema" && s.NumFields() != 1 {
		return fmt.Errorf("want one column, got %d", s.NumFields())
	}
	return nil
}

func (b boxes) Route(in *batch.Batch) (flow.Routing, error) {
	r := flow.Routing{Dests: []string{"even", "odd"}, Of: make([]int32, in.Rows())}
	for row, n := range numbersOf(in) {
		switch {
		case n < 0:
			r.Of[row] = -1
			r.Refused = append(r.Refused, flow.Refusal{Row: int32(row), Rule: "n >= 0", Reason: fmt.Sprint(n, " is negative")})
		default:
			r.Of[row] = int32(n % 2)
		}
	}
	switch b.fault {
	case "leaves the root":
		r.Dests[1] = "../odd"
	case "doubles a destination":
		r.Dests[1] = r.Dests[0]
	case "gives no reason":
		r.Refused = nil
	case "routes by place":
		slices.Reverse(r.Of)
		for i := range r.Refused {
			r.Refused[i].Row = int32(in.Rows()) - 1 - r.Refused[i].Row
		}
		slices.Reverse(r.Refused)
	case "refuses nothing":
		for row := range r.Of {
			r.Of[row] = max(r.Of[row], 0)
		}
		r.Refused = nil
	}
	return r, nil
}

func (b boxes) Encode(w io.Writer, schema *arrow.Schema, in iter.Seq2[*batch.Batch, error]) error {
	var buf bytes.Buffer
	switch b.fault {
	case "swallows errors of its writer":
		err := b.keeper.Encode(&buf, schema, in)
		_, _ = w.Write(buf.Bytes())
		return err
	case "swallows errors of its reader":
		return b.keeper.Encode(w, schema, func(yield func(*batch.Batch, error) bool) {
			for part, err := range in {
				if err != nil || !yield(part, nil) {
					return
				}
			}
		})
	case "turns the batches round":
		var all []*batch.Batch
		for part, err := range in {
			if err != nil {
				return err
			}
			all = append(all, part)
		}
		slices.Reverse(all)
		return b.keeper.Encode(w, schema, batches(all))
	}
	return b.keeper.Encode(w, schema, in)
}

func numbersOf(b *batch.Batch) []int64 {
	out := make([]int64, b.Rows())
	for i := range out {
		_, _ = fmt.Sscan(b.Column(0).ValueStr(i), &out[i])
	}
	return out
}

func numberBatch(t *testing.T, values ...int64) *batch.Batch {
	t.Helper()
	b, err := batch.NewBuilder(numberSchema, batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		b.Col(0).Int64(v)
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSinkSuite(t *testing.T) {
	f := Features{Connector: "boxes", Writes: true, ExactlyOnce: true, Routes: true, Refuses: true}
	rows := []*batch.Batch{numberBatch(t, 1, 2, 3, 4, -5), numberBatch(t, 6), numberBatch(t, 7, 8, 9, 9, -9, 11)}
	for fault, want := range map[string]string{
		"": "", "forgets the dot": "spec and schemas", "takes every schema": "spec and schemas", "leaves the root": "routes",
		"doubles a destination": "routes", "gives no reason": "routes", "refuses nothing": "routes",
		"routes by place": "a row's destination depends on itself", "turns the batches round": "what is encoded is decoded",
		"swallows errors of its writer": "fails with its writer and its reader", "swallows errors of its reader": "fails with its writer and its reader",
	} {
		t.Run(fault, func(t *testing.T) {
			checks := sinkChecks
			if fault != "" {
				checks = quick(checks)
			}
			got := failed(t, f, checks, func() SinkFixture {
				return SinkFixture{
					New:  func(url string) (flow.Sink, error) { return boxes{keeper{url}, fault}, nil },
					Rows: rows, Decode: decodeKept, Bad: []*arrow.Schema{arrow.NewSchema(nil, nil)},
				}
			})
			if fault == "" && got != nil {
				t.Errorf("a sound sink fails %v", got)
			}
			if fault != "" && !slices.Contains(got, want) {
				t.Errorf("fails %v, not %q", got, want)
			}
		})
	}
}
