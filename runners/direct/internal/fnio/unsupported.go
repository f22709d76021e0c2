package fnio

import (
	"context"
	"io"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/exec"
)

const (
	mapState  = "map or set state"
	listState = "ordered list state"
)

// The signatures below are fixed by exec.StateReader.

// OpenMultimapUserStateReader implements exec.StateReader.
func (b *Bundle) OpenMultimapUserStateReader(context.Context, exec.StreamID, string, []byte, []byte, []byte) (io.ReadCloser, error) {
	return nil, b.refuse(mapState)
}

// OpenMultimapUserStateAppender implements exec.StateReader.
func (b *Bundle) OpenMultimapUserStateAppender(context.Context, exec.StreamID, string, []byte, []byte, []byte) (io.Writer, error) {
	return nil, b.refuse(mapState)
}

// OpenMultimapUserStateClearer implements exec.StateReader.
func (b *Bundle) OpenMultimapUserStateClearer(context.Context, exec.StreamID, string, []byte, []byte, []byte) (io.Writer, error) {
	return nil, b.refuse(mapState)
}

// OpenMultimapKeysUserStateReader implements exec.StateReader.
func (b *Bundle) OpenMultimapKeysUserStateReader(context.Context, exec.StreamID, string, []byte, []byte) (io.ReadCloser, error) {
	return nil, b.refuse(mapState)
}

// OpenMultimapKeysUserStateClearer implements exec.StateReader.
func (b *Bundle) OpenMultimapKeysUserStateClearer(context.Context, exec.StreamID, string, []byte, []byte) (io.Writer, error) {
	return nil, b.refuse(mapState)
}

// OpenOrderedListUserStateReader implements exec.StateReader.
func (b *Bundle) OpenOrderedListUserStateReader(context.Context, exec.StreamID, string, []byte, []byte, int64, int64) (io.ReadCloser, error) {
	return nil, b.refuse(listState)
}

// OpenOrderedListUserStateAppender implements exec.StateReader.
func (b *Bundle) OpenOrderedListUserStateAppender(context.Context, exec.StreamID, string, []byte, []byte) (io.Writer, error) {
	return nil, b.refuse(listState)
}

// OpenOrderedListUserStateClearer implements exec.StateReader.
func (b *Bundle) OpenOrderedListUserStateClearer(context.Context, exec.StreamID, string, []byte, []byte, int64, int64) (io.Writer, error) {
	return nil, b.refuse(listState)
}
