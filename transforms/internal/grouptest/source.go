package grouptest

import (
	"context"
	"time"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// Read adds a bounded source of literal rows in one partition. at gives the event time of a row; nil: rows have none.
func Read[T any](p *flow.Pipeline, step string, at func(T) time.Time, rows ...T) flow.Input {
	m, err := batch.NewMapping[T]()
	if err != nil {
		p.Errorf(step, "%w", err)
		return flow.Input{}
	}
	spec := flow.SourceSpec{Connector: "literal", Address: step, Schema: m.Schema(), EventTime: at != nil, Bounded: true}
	return flow.Read(p, step, &literal[T]{spec: spec, m: m, at: at, rows: rows})
}

type literal[T any] struct {
	spec flow.SourceSpec
	m    *batch.Mapping[T]
	at   func(T) time.Time
	rows []T
}

// Spec implements flow.Source.
func (l *literal[T]) Spec() flow.SourceSpec { return l.spec }

// Partitions implements flow.Source.
func (l *literal[T]) Partitions(context.Context) ([]flow.Partition, error) {
	return []flow.Partition{{ID: "0"}}, nil
}

// Open implements flow.Source.
func (l *literal[T]) Open(_ context.Context, a flow.Assignment) (flow.Reader, error) {
	return &literalReader[T]{l, len(a.Position) > 0}, nil
}

type literalReader[T any] struct {
	*literal[T]
	done bool
}

// Read gives all rows at once.
func (r *literalReader[T]) Read(context.Context) (flow.Page, error) {
	page := flow.Page{Next: []byte{1}, Watermark: batch.NoTime, State: flow.End}
	if r.done {
		return page, nil
	}
	r.done = true
	b, err := batch.NewBuilder(r.spec.Schema, batch.BuilderOptions{Time: r.at != nil, Offsets: batch.IntOffsets})
	if err != nil {
		return page, err
	}
	for i := range r.rows {
		if err := r.m.Append(b, &r.rows[i]); err != nil {
			return page, err
		}
		if r.at != nil {
			b.Time(r.at(r.rows[i]).UnixMicro())
		}
		b.Position("0", int64(i), 0)
		if err := b.EndRow(); err != nil {
			return page, err
		}
	}
	page.Records = int64(len(r.rows))
	page.Rows, err = b.Build()
	return page, err
}

// Close implements flow.Reader.
func (r *literalReader[T]) Close() error { return nil }
