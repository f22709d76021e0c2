package sched

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestItemKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := item{
			seq: rapid.Uint64().Draw(t, "seq"), idx: rapid.Uint32().Draw(t, "idx"), n: rapid.Uint32().Draw(t, "n"),
			ts: rapid.Int64().Draw(t, "ts"), notBef: rapid.Int64().Draw(t, "notBef"),
		}
		stage, group := rapid.Uint64().Draw(t, "stage"), rapid.Uint16().Draw(t, "group")
		s, g, rest, err := parseStageKey(itemKey(stage, group, &want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseItem(rest)
		if err != nil || s != stage || g != group || !cmp.Equal(want, got, cmp.AllowUnexported(item{})) {
			t.Fatalf("got %d %d %+v, %v", s, g, got, err)
		}
	})
}

func TestCounterKey(t *testing.T) {
	want := fnio.Counter{Step: "a/b", Namespace: "", Name: "n"}
	got, err := parseCounter(counterKey(want))
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue[int]
		var want []int
		for i := range rapid.IntRange(0, 200).Draw(t, "ops") {
			switch op := rapid.IntRange(0, 4).Draw(t, "op"); {
			case op < 2:
				q.push(i)
				want = append(want, i)
			case op == 2:
				q.pushFront(i)
				want = append([]int{i}, want...)
			case len(want) > 0:
				if got := q.pop(); got != want[0] {
					t.Fatalf("got %d, want %d", got, want[0])
				}
				want = want[1:]
			}
			if q.len() != len(want) || (len(want) > 0 && *q.at(0) != want[0]) {
				t.Fatalf("%d items from %d, want %v", q.len(), q.head, want)
			}
		}
	})
}

func FuzzSplit(f *testing.F) {
	two := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("abcde"), 2), 3)
	f.Add(two, 2)
	f.Add([]byte("x"), 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 1 || n > 1000 {
			return
		}
		size := 0
		err := split(data, n, func(b []byte) error { size += len(b); return nil })
		if err == nil && size > len(data) {
			t.Errorf("%d bytes out of %d", size, len(data))
		}
	})
}

func TestSplitReturnsElements(t *testing.T) {
	c := chunk{n: 2, data: []byte("abcde"), lens: []uint32{2, 3}}
	var got []string
	err := split(c.seal(), 2, func(b []byte) error { got = append(got, string(b)); return nil })
	if d := cmp.Diff([]string{"ab", "cde"}, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}

type wallClock struct{}

func (wallClock) Now() time.Time                                  { return time.Now() }
func (wallClock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

func impulse(t *testing.T) *graph.Graph {
	t.Helper()
	p := beam.NewPipeline()
	s := p.Root()
	beam.Reshuffle(s, beam.Impulse(s))
	g, err := graph.Build(p)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A store with keys that no stage of the graph has, or that are no keys, is refused and not read past.
func TestRestoreRefusesDamage(t *testing.T) {
	g := impulse(t)
	good := func(kind byte) []byte { return stageKey(kind, g.Stages[1].ID, 0) }
	cases := map[string]struct {
		key, value []byte
		want       string
	}{
		"unknown stage":   {itemKey(7, 0, &item{}), nil, "belongs to no stage"},
		"short key":       {[]byte{kindQueue, 1}, nil, "too short"},
		"bad item":        {good(kindQueue), nil, "queued item"},
		"bad mark":        {good(kindMark), []byte{1}, "watermark"},
		"bad counter key": {[]byte{kindCounter, 'x'}, nil, "not a counter"},
		"bad counter":     {counterKey(fnio.Counter{Step: "s"}), []byte{1}, "counter"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			db := store.NewMemory()
			var b store.Batch
			b.Set([]byte{kindMeta, metaFingerprint}, []byte("f"))
			b.Set(c.key, c.value)
			if err := db.Commit(&b).Wait(); err != nil {
				t.Fatal(err)
			}
			_, err := New(Config{Graph: g, Store: db, Fingerprint: "f", Clock: wallClock{}, Workers: 1})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
}

// A run whose sources have ended does not call itself finished while anything is left over.
func TestLeftoverIsAFault(t *testing.T) {
	e, err := New(Config{
		Graph: impulse(t), Store: store.NewMemory(), Clock: wallClock{}, Workers: 2, Memory: 1000, BundleBytes: 10, BundleElements: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := e.stages[len(e.stages)-1]
	s.enqueue(0, item{n: 3}) // and not offered to a worker
	_, err = e.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), s.Name) || !strings.Contains(err.Error(), "3 elements") {
		t.Errorf("error is %v", err)
	}
}

func TestFailedCommitEndsTheRun(t *testing.T) {
	db := store.NewMemory()
	e, err := New(Config{
		Graph: impulse(t), Store: db, Clock: wallClock{}, Workers: 2, Memory: 1000, BundleBytes: 10, BundleElements: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Run(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("error is %v", err)
	}
}
