package fnio

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/exec"
)

// clearer clears a cell when it is written to: opening it does nothing.
type clearer struct{ c Cell }

func (w clearer) Write(b []byte) (int, error) { return len(b), w.c.Clear() }

func (b *Bundle) cell(id string, key []byte) (Cell, error) {
	if b.State == nil {
		return nil, fmt.Errorf("step %q has no state %q", b.stage.Name, id)
	}
	return b.State.Cell(id, key)
}

// OpenBagUserStateReader implements exec.StateReader. Value states are bags of one to the SDK.
func (b *Bundle) OpenBagUserStateReader(_ context.Context, _ exec.StreamID, id string, key, _ []byte) (io.ReadCloser, error) {
	c, err := b.cell(id, key)
	if err != nil {
		return nil, err
	}
	return c.Open(), nil
}

// OpenBagUserStateAppender implements exec.StateReader.
func (b *Bundle) OpenBagUserStateAppender(_ context.Context, _ exec.StreamID, id string, key, _ []byte) (io.Writer, error) {
	return b.cell(id, key)
}

// OpenBagUserStateClearer implements exec.StateReader.
func (b *Bundle) OpenBagUserStateClearer(_ context.Context, _ exec.StreamID, id string, key, _ []byte) (io.Writer, error) {
	c, err := b.cell(id, key)
	return clearer{c}, err
}

// passCache is a side input cache that keeps nothing: the SDK asks for one even without side inputs.
type passCache struct{}

func (passCache) QueryCache(context.Context, string, string, []byte, []byte) exec.ReStream {
	return nil
}

func (passCache) SetCache(_ context.Context, _, _ string, _, _ []byte, in exec.ReStream) exec.ReStream {
	return in
}

// GetSideInputCache implements exec.StateReader.
func (b *Bundle) GetSideInputCache() exec.SideCache { return passCache{} }

// refuse is the answer to requests that the graph check keeps from happening.
func (b *Bundle) refuse(what string) error {
	return fmt.Errorf("step %q asks for %s, which the direct runner does not support", b.stage.Name, what)
}

// OpenIterable implements exec.StateReader.
func (b *Bundle) OpenIterable(context.Context, exec.StreamID, []byte) (io.ReadCloser, error) {
	return nil, b.refuse("a state-backed iterable")
}

// OpenIterableSideInput implements exec.StateReader.
func (b *Bundle) OpenIterableSideInput(context.Context, exec.StreamID, string, []byte) (io.ReadCloser, error) {
	return nil, b.refuse("side inputs")
}

// OpenMultiMapSideInput implements exec.StateReader.
func (b *Bundle) OpenMultiMapSideInput(context.Context, exec.StreamID, string, []byte, []byte) (io.ReadCloser, error) {
	return nil, b.refuse("side inputs")
}
