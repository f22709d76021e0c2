package deadletter

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// Options of Write. URL is required; the zero value of every other field works.
type Options struct {
	// URL is the folder that the files lie in, such as "/data/dead". Required.
	URL string
	// FileBytes cuts the letters of one step and commit into several files. Bytes, as staged; default 256 MiB.
	FileBytes int64
	// Roll says when the letters that have gathered are published.
	Roll flow.Roll
	// Staging is the place of staged letters and of the ledger. It lies on the same file system as URL. Default: .millrace
	// in the parent of URL.
	Staging string
	// Append allows a first commit into a folder that holds other files. Default: it is refused.
	Append bool
}

// Validate returns every fault of the options, joined.
func (o Options) Validate() error {
	var errs []error
	if o.URL == "" {
		errs = append(errs, errors.New("URL is missing: name the folder that the files lie in"))
	}
	for _, f := range []struct {
		name  string
		value int64
	}{{"FileBytes", o.FileBytes}, {"Roll.Rows", o.Roll.Rows}, {"Roll.Bytes", o.Roll.Bytes}, {"Roll.Age", int64(o.Roll.Age)}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s is negative: leave it out for the default", f.name))
		}
	}
	return errors.Join(errs...)
}

// Write writes dead letters, as flow.Dead gives them, as JSON lines below Options.URL, one folder per step.
func Write(step string, letters flow.Rows, o Options) flow.Written {
	s, err := NewSink(o)
	if err != nil {
		letters.Errorf(step, "deadletter.Write: %w", err)
		return flow.Written{}
	}
	return flow.Write(step, letters, s)
}

// NewSink gives the sink behind Write, for tests.
func NewSink(o Options) (flow.Sink, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &sink{o}, nil
}

type sink struct{ o Options }

// Spec describes the sink.
func (s *sink) Spec() flow.SinkSpec {
	return flow.SinkSpec{
		Connector: "deadletter",
		URL:       s.o.URL,
		Staging:   s.o.Staging,
		Extension: ".jsonl",
		Roll:      s.o.Roll,
		FileBytes: s.o.FileBytes,
		Append:    s.o.Append,
		Guarantee: "whole files, each letter once, none lost, also for a plain listing",
	}
}

// Check takes dead letters only.
func (s *sink) Check(in *arrow.Schema) error {
	same := in.NumFields() == flow.DeadSchema.NumFields()
	for i := 0; same && i < in.NumFields(); i++ {
		f, want := in.Field(i), flow.DeadSchema.Field(i)
		same = f.Name == want.Name && arrow.TypeEqual(f.Type, want.Type)
	}
	if !same {
		return errors.New("deadletter: the rows are no dead letters: give it what flow.Dead returns")
	}
	return nil
}

// maxStep is the number of bytes of a step's name that its folder has; the letters have it whole.
const maxStep = 80

// Route gives each step a folder. No letter is refused.
func (s *sink) Route(b *batch.Batch) (flow.Routing, error) {
	steps, ok := b.Find("step").(*array.String)
	if !ok {
		return flow.Routing{}, errors.New("deadletter: the rows have no column step of texts")
	}
	r := flow.Routing{Of: make([]int32, b.Rows())}
	known := map[string]int32{}
	for row := range r.Of {
		step := steps.Value(row)
		d, ok := known[step]
		if !ok {
			d = int32(len(r.Dests))
			known[step] = d
			r.Dests = append(r.Dests, folder(step))
		}
		r.Of[row] = d
	}
	return r, nil
}

// folder names a step's folder. Steps that flow has named consist of letters, digits, '_', '-' and '.'.
func folder(step string) string {
	if step == "" {
		return "step=__HIVE_DEFAULT_PARTITION__"
	}
	return "step=" + url.PathEscape(step[:min(len(step), maxStep)])
}
