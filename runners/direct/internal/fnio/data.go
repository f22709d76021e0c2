package fnio

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/exec"

	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// OpenElementChan implements exec.DataManager: the whole input is ready.
func (b *Bundle) OpenElementChan(_ context.Context, _ exec.StreamID, _ []string) (<-chan exec.Elements, error) {
	ch := make(chan exec.Elements, len(b.Input))
	for _, e := range b.Input {
		ch <- e
	}
	close(ch)
	return ch, nil
}

// OpenWrite implements exec.DataManager.
func (b *Bundle) OpenWrite(_ context.Context, id exec.StreamID) (io.WriteCloser, error) {
	s := b.stage.Sinks[id.PtransformID]
	if s == nil {
		return nil, fmt.Errorf("step %q has no output %q", b.stage.Name, id.PtransformID)
	}
	return &sinkWriter{b: b, sink: s}, nil
}

// sinkWriter gets one whole windowed element per Write, in a buffer of its own, which it may keep. This is what the
// SDK's DataSink does, and a test fails if it changes.
type sinkWriter struct {
	b    *Bundle
	sink *graph.Sink
}

func (w *sinkWriter) Write(elem []byte) (int, error) {
	if err := w.b.Out.Emit(w.sink, elem); err != nil {
		return 0, err
	}
	return len(elem), nil
}

func (w *sinkWriter) Close() error { return nil }

// OpenTimerWrite implements exec.DataManager.
func (b *Bundle) OpenTimerWrite(_ context.Context, _ exec.StreamID, family string) (io.WriteCloser, error) {
	return &timerWriter{b: b, family: family}, nil
}

// timerWriter gets one whole timer record per Write. The SDK ignores what Write returns, so an error is kept in the
// bundle.
type timerWriter struct {
	b      *Bundle
	family string
}

func (w *timerWriter) Write(rec []byte) (int, error) {
	t, err := ParseTimer(w.family, append([]byte(nil), rec...), w.b.stage.Key)
	if err != nil {
		if w.b.err == nil {
			w.b.err = fmt.Errorf("step %q: timer of family %q: %w", w.b.stage.Name, w.family, err)
		}
		return 0, err
	}
	w.b.Timers = append(w.b.Timers, t)
	return len(rec), nil
}

func (w *timerWriter) Close() error { return nil }
