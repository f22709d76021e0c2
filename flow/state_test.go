package flow

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestHeadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := head{
			entries: rapid.Uint64().Draw(t, "entries"), bytes: rapid.Uint64().Draw(t, "bytes"),
			timers: rapid.SliceOf(rapid.Int64()).Draw(t, "timers"), header: rapid.SliceOf(rapid.Byte()).Draw(t, "header"),
		}
		h.redraw()
		got, err := decodeHead(h.encode())
		if err != nil {
			t.Fatal(err)
		}
		if got.nonce != h.nonce || got.entries != h.entries || got.bytes != h.bytes || !slices.Equal(got.timers, h.timers) || !bytes.Equal(got.header, h.header) {
			t.Errorf("got %+v, want %+v", got, h)
		}
	})
}

func FuzzDecodeHead(f *testing.F) {
	h := head{entries: 3, bytes: 500, timers: []int64{-1, 7}, header: []byte("x")}
	f.Add(h.encode())
	f.Add([]byte{})
	f.Add(append(make([]byte, 16), 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := decodeHead(data)
		if err != nil {
			return
		}
		again, err := decodeHead(h.encode())
		if err != nil || !bytes.Equal(again.encode(), h.encode()) {
			t.Errorf("%x gives %+v, and that %+v, %v", data, h, again, err)
		}
	})
}

// An index comes back once, and only to the state that it belongs to.
func TestIndexes(t *testing.T) {
	var x indexes[string]
	a, b := [16]byte{1}, [16]byte{2}
	type answer struct {
		Index string
		OK    bool
	}
	take := func(key string, nonce [16]byte) answer {
		index, ok := x.take(key, nonce)
		return answer{index, ok}
	}
	var got []answer
	got = append(got, take("k", a)) // nothing was put
	x.put("k", indexed[string]{a, "first"})
	got = append(got, take("other", a), take("k", a), take("k", a)) // another key, its own, taken already
	x.put("k", indexed[string]{a, "first"})
	got = append(got, take("k", b), take("k", a)) // of another state: gone
	x.put("k", indexed[string]{a, "first"})
	x.put("k", indexed[string]{b, "second"})
	got = append(got, take("k", b))
	want := []answer{{}, {}, {"first", true}, {}, {}, {}, {"second", true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("indexes (-want +got)\n%s", diff)
	}
}

// The timers that have fired are forgotten, those to come stay.
func TestFiredUpTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := head{timers: rapid.SliceOfDistinct(rapid.Int64Range(-9, 9), rapid.ID[int64]).Draw(t, "timers")}
		slices.Sort(h.timers)
		all, at := slices.Clone(h.timers), rapid.Int64Range(-10, 10).Draw(t, "at")
		fired := h.firedUpTo(at)
		if !slices.Equal(slices.Concat(fired, h.timers), all) {
			t.Errorf("%v and %v are not %v", fired, h.timers, all)
		}
		if slices.ContainsFunc(fired, func(x int64) bool { return x > at }) || slices.ContainsFunc(h.timers, func(x int64) bool { return x <= at }) {
			t.Errorf("at %d %v fired and %v stay", at, fired, h.timers)
		}
	})
}
