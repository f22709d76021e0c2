package runners_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/runners/direct"
)

// three gives the numbers 1 to 3, if nothing is wrong with it.
type three struct {
	empty
	panics string // the method that panics
}

func (s *three) Partitions(context.Context) ([]flow.Partition, error) {
	s.method("Partitions")
	return []flow.Partition{{ID: "all"}}, nil
}

func (s *three) Open(context.Context, flow.Assignment) (flow.Reader, error) {
	s.method("Open")
	return s, nil
}

func (s *three) Read(context.Context) (flow.Page, error) {
	s.method("Read")
	b := array.NewRecordBuilder(memory.DefaultAllocator, numbers)
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 2, 3}, nil)
	rows, err := batch.New(b.NewRecordBatch())
	return flow.Page{Rows: rows, Records: 3, Watermark: batch.NoTime, State: flow.End, Next: []byte("end")}, err
}

func (*three) Close() error { return nil }

func (s *three) method(name string) {
	if s.panics == name {
		panic(name + " is broken")
	}
}

type number struct{ N int64 }

// A panic in a source or in the user's function ends the run with the step's name and without a stack; nothing of its bundle
// stays, and when the cause is gone the next run goes on.
func TestPanics(t *testing.T) {
	for _, where := range []string{"Partitions", "Open", "Read", "double"} {
		t.Run(where, func(t *testing.T) {
			src := &three{panics: where}
			dir, stores := t.TempDir(), &flow.Stores{}
			var out *flow.Collection[number]
			run := func() error {
				_, err := runners.Run(t.Context(), func(p *flow.Pipeline) {
					out = flow.Collect[number]("out", flow.Map("double", flow.Read(p, "in", src).Rows, func(n number) number {
						src.method("double")
						return number{2 * n.N}
					}).Rows)
				}, runners.Options{Pipeline: "numbers", Job: dir, Stores: stores})
				return err
			}
			err := run()
			step, ok := errors.AsType[*flow.StepError](err)
			if !ok || step.Step != map[bool]string{true: "double", false: "in"}[where == "double"] {
				t.Fatalf("got %v", err)
			}
			st, stErr := direct.InspectJob(dir)
			for _, text := range []string{err.Error(), st.String()} {
				if !strings.Contains(text, where+" is broken") || strings.Contains(text, "goroutine ") {
					t.Errorf("%v: %s", stErr, text)
				}
			}
			src.panics = ""
			if err := run(); err != nil {
				t.Fatal(err)
			}
			got, err := out.Rows(context.Background())
			if d := cmp.Diff([]number{{2}, {4}, {6}}, got); d != "" || err != nil {
				t.Errorf("%v (-want +got)\n%s", err, d)
			}
		})
	}
}
