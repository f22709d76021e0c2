package keyed

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"testing"

	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
	"github.com/millrace-io/millrace/runners/direct/internal/graph"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

var kinds = map[string]graph.StateKind{"v": graph.Value, "b": graph.Bag}

// TestStateAgainstMap runs random bundles of reads, appends and clears, which commit, fail or are followed by a restart,
// against a map.
func TestStateAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db := store.NewMemory()
		s := NewState(db, []byte("p"), kinds)
		committed := map[string]string{}
		for seq := range rapid.IntRange(1, 12).Draw(t, "bundles") {
			now := map[string]string{}
			for k, v := range committed {
				now[k] = v
			}
			for range rapid.IntRange(0, 12).Draw(t, "ops") {
				step(t, s, now)
			}
			switch rapid.SampledFrom([]string{"commit", "commit", "fail", "restart"}).Draw(t, "end") {
			case "fail":
				s.Reset()
				continue
			case "restart":
				s = NewState(db, []byte("p"), kinds)
				continue
			}
			var b store.Batch
			s.Flush(&b, uint64(seq))
			if err := db.Commit(&b).Wait(); err != nil {
				t.Fatal(err)
			}
			committed = now
		}
	})
}

func step(t *rapid.T, s *State, now map[string]string) {
	id := rapid.SampledFrom([]string{"v", "b"}).Draw(t, "state")
	key := rapid.SampledFrom([]string{"", "k", "kk"}).Draw(t, "key")
	c, err := s.Cell(id, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	name := id + key
	switch rapid.IntRange(0, 3).Draw(t, "op") {
	case 0:
		if err := c.Clear(); err != nil {
			t.Fatal(err)
		}
		delete(now, name)
	case 1, 2:
		data := rapid.StringN(1, 3, 6).Draw(t, "data")
		if _, err := c.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
		now[name] += data
	default:
		got, err := io.ReadAll(c.Open())
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != now[name] {
			t.Fatalf("%s is %q, want %q", name, got, now[name])
		}
	}
}

// The SDK keeps the reader of a value state that was empty and reads it again after a write.
func TestReaderOfEmptyStateSeesWrites(t *testing.T) {
	s := NewState(store.NewMemory(), nil, kinds)
	c, err := s.Cell("v", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Open()
	var b [4]byte
	if n, err := r.Read(b[:]); n != 0 || err != io.EOF {
		t.Fatalf("empty state reads %d, %v", n, err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != "x" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestUnknownState(t *testing.T) {
	if _, err := NewState(store.NewMemory(), nil, kinds).Cell("other", nil); err == nil {
		t.Error("no error")
	}
}

// holds counts holds as the watermark would.
type holds map[int64]int

func (h holds) AddHold(ts int64) { h[ts]++ }
func (h holds) RemoveHold(ts int64) {
	if h[ts]--; h[ts] == 0 {
		delete(h, ts)
	}
}

// TestTimersAgainstMap compares random sets, clears, firings and failures with a map.
func TestTimersAgainstMap(t *testing.T) {
	st := &graph.Stage{Timers: map[string]pipepb.TimeDomain_Enum{
		"e": pipepb.TimeDomain_EVENT_TIME, "p": pipepb.TimeDomain_PROCESSING_TIME,
	}}
	rapid.Check(t, func(t *rapid.T) {
		ts, h := NewTimers(st), holds{}
		model := map[string]fnio.Timer{}
		for range rapid.IntRange(1, 40).Draw(t, "ops") {
			tm := fnio.Timer{
				Family: rapid.SampledFrom([]string{"e", "p"}).Draw(t, "family"),
				Key:    []byte(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")),
				Tag:    rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "tag"),
				Fire:   rapid.Int64Range(0, 20).Draw(t, "fire"), Hold: rapid.Int64Range(0, 3).Draw(t, "hold"),
			}
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0:
				ts.Remove(&tm, h)
				delete(model, name(tm))
			case 1, 2:
				ts.Set(tm, h)
				model[name(tm)] = tm
			default:
				fire(t, ts, h, model)
			}
			want := holds{}
			for _, tm := range model {
				want.AddHold(tm.Hold)
			}
			if d := gocmp.Diff(want, h); d != "" {
				t.Fatalf("holds (-want +got):\n%s", d)
			}
		}
	})
}

func name(t fnio.Timer) string { return fmt.Sprintf("%s/%s/%s", t.Family, t.Key, t.Tag) }

// fire takes what is due at a random time, and fails or removes it.
func fire(t *rapid.T, ts *Timers, h holds, model map[string]fnio.Timer) {
	now := rapid.Int64Range(0, 20).Draw(t, "now")
	family, take := "e", ts.TakeEvent
	if rapid.Bool().Draw(t, "processing") {
		family, take = "p", ts.TakeProcessing
	}
	var due []fnio.Timer
	for _, tm := range model {
		if tm.Family == family && tm.Fire <= now {
			due = append(due, tm)
		}
	}
	slices.SortFunc(due, func(a, b fnio.Timer) int {
		return cmp.Or(cmp.Compare(a.Fire, b.Fire), slices.Compare(a.Key, b.Key), cmp.Compare(a.Tag, b.Tag))
	})
	seen := map[string]bool{}
	for i, tm := range due { // up to the first key that comes again
		if seen[string(tm.Key)] {
			due = due[:i]
			break
		}
		seen[string(tm.Key)] = true
	}
	got := take(now, 100)
	if d := gocmp.Diff(due, got); d != "" {
		t.Fatalf("due at %d (-want +got):\n%s", now, d)
	}
	if rapid.Bool().Draw(t, "fails") {
		ts.Return(got)
		return
	}
	for i := range got {
		ts.Remove(&got[i], h)
		delete(model, name(got[i]))
	}
}
