package flow

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow/object"
)

// Collection holds rows in memory, for tests and for small results.
type Collection[T any] struct {
	sink *memorySink
	bind *batch.Binding[T]
}

// Collect adds a sink that keeps the rows in memory, each once, through the same protocol as every sink. T sees the columns
// that its fields name. Read them with Rows when the run has ended. What was collected is gone with the process, so a job
// that collects cannot be resumed by another one.
func Collect[T any](step string, in Rows) *Collection[T] {
	c := &Collection[T]{sink: &memorySink{step: step, store: object.NewMemory(step)}}
	if c.bind = bindTo[T](step, in); c.bind != nil {
		Write(step, in, c.sink)
	}
	return c
}

// Rows gives what is published, in the order of the commits; within one commit rows keep the order in which they came.
func (c *Collection[T]) Rows(ctx context.Context) ([]T, error) {
	var out []T
	list, err := c.sink.store.List(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, info := range list {
		if !bytes.HasSuffix([]byte(info.Name), []byte(memoryExtension)) {
			continue
		}
		data, err := c.sink.store.Get(ctx, info.Name)
		if err != nil {
			return nil, err
		}
		if out, err = c.decode(data, out); err != nil {
			return nil, fmt.Errorf("step %q: read what was collected: %w", c.sink.step, err)
		}
	}
	return out, nil
}

func (c *Collection[T]) decode(data []byte, out []T) ([]T, error) {
	for len(data) > 0 {
		n, k := binary.Uvarint(data)
		b, err := batch.Decode(data[k : k+int(n)])
		if err != nil {
			return nil, err
		}
		data = data[k+int(n):]
		view, err := c.bind.View(b)
		if err != nil {
			return nil, err
		}
		for v, err := range view.All() {
			if err != nil {
				return nil, err
			}
			out = append(out, *v)
		}
	}
	return out, nil
}

const memoryExtension = ".rows"

// Stores holds what Collect has collected in the runs of one job in this process, so that a job can be resumed that
// collects. The zero value is ready.
type Stores struct {
	mu sync.Mutex
	m  map[string]*object.Memory
}

func (s *Stores) of(step string) *object.Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]*object.Memory{}
	}
	if s.m[step] == nil {
		s.m[step] = object.NewMemory(step)
	}
	return s.m[step]
}

// memorySink writes to a store in memory, which is destination, staging place and ledger in one.
type memorySink struct {
	step  string
	store *object.Memory
}

// Spec describes the sink.
func (s *memorySink) Spec() SinkSpec {
	return SinkSpec{
		Connector: "collect", URL: "memory:" + s.step, Extension: memoryExtension, Roll: Roll{Age: 10 * time.Millisecond},
		Guarantee: "each row once, in this process",
	}
}

// Check takes every schema.
func (s *memorySink) Check(*arrow.Schema) error { return nil }

// Route sends all rows to one place.
func (s *memorySink) Route(*batch.Batch) (Routing, error) { return Routing{Dests: []string{""}}, nil }

// Encode writes batches, each behind its length.
func (s *memorySink) Encode(w io.Writer, _ *arrow.Schema, in iter.Seq2[*batch.Batch, error]) error {
	for b, err := range in {
		if err != nil {
			return err
		}
		data, err := batch.Encode(b)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(binary.AppendUvarint(nil, uint64(len(data))), data...)); err != nil {
			return err
		}
	}
	return nil
}
