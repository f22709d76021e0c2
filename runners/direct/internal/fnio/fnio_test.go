package fnio

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/coder"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/exec"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/typex"
	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/runners/direct/internal/graph"
)

// keeper keeps every buffer it is given, as Output.Emit may.
type keeper struct {
	Bundle
	got [][]byte
}

func (k *keeper) OpenWrite(context.Context, exec.StreamID) (io.WriteCloser, error) { return k, nil }
func (k *keeper) Close() error                                                     { return nil }

func (k *keeper) Write(b []byte) (int, error) {
	k.got = append(k.got, b)
	return len(b), nil
}

// TestSDKGivesBuffersAway fails if the SDK begins to reuse the buffers that it encodes outputs into: the engine keeps them.
func TestSDKGivesBuffersAway(t *testing.T) {
	k := &keeper{}
	sink := &exec.DataSink{UID: 1, Coder: coder.NewW(coder.NewBytes(), coder.NewGlobalWindow())}
	ctx := t.Context()
	if err := sink.Up(ctx); err != nil {
		t.Fatal(err)
	}
	if err := sink.StartBundle(ctx, "1", exec.DataContext{Data: k, State: k}); err != nil {
		t.Fatal(err)
	}
	values := [][]byte{bytes.Repeat([]byte{1}, 50), bytes.Repeat([]byte{2}, 50), bytes.Repeat([]byte{3}, 9)}
	for _, v := range values {
		e := &exec.FullValue{Elm: v, Timestamp: 5, Windows: window.SingleGlobalWindow, Pane: typex.NoFiringPane()}
		if err := sink.ProcessElement(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	for i, b := range k.got {
		want := append(append(AppendHeader(nil, 5), byte(len(values[i]))), values[i]...)
		if d := cmp.Diff(want, b); d != "" {
			t.Errorf("element %d (-want +got):\n%s", i, d)
		}
	}
}

func key(b []byte) int {
	l, n := binary.Uvarint(b)
	if n <= 0 || l > uint64(len(b)-n) {
		return -1
	}
	return n + int(l)
}

func timerRecord(k, tag string, fire, hold int64) []byte {
	b := append(binary.AppendUvarint(nil, uint64(len(k))), k...)
	b = append(binary.AppendUvarint(b, uint64(len(tag))), tag...)
	b = append(b, 0, 0, 0, 1, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(fire)^1<<63)
	b = binary.BigEndian.AppendUint64(b, uint64(hold)^1<<63)
	return append(b, paneNone)
}

func TestParseTimer(t *testing.T) {
	rec := timerRecord("key", "tag", -5, int64(mtime.MaxTimestamp))
	got, err := ParseTimer("fam", rec, key)
	if err != nil {
		t.Fatal(err)
	}
	want := Timer{Family: "fam", Tag: "tag", Key: rec[:4], Fire: -5, Hold: int64(mtime.MaxTimestamp), Record: rec}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func FuzzParseTimer(f *testing.F) {
	f.Add(timerRecord("k", "t", 1, 2))
	f.Add([]byte{1, 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		tm, err := ParseTimer("f", b, graph.Skipper(key))
		if err == nil && !bytes.HasPrefix(b, tm.Key) {
			t.Errorf("key %x of %x", tm.Key, b)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(ImpulseElement())
	f.Add(append(AppendHeader(nil, -1)[:12], 0x2f, 1, 200, 1, 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, value, err := Header(b)
		if err != nil {
			return
		}
		if value > len(b) {
			t.Fatalf("value of %x begins at %d", b, value)
		}
		if b[12] == paneNone && !bytes.Equal(AppendHeader(nil, ts), b[:value]) {
			t.Errorf("header of %x at %d is another one", b, ts)
		}
	})
}
