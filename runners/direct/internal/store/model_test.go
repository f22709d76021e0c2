package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

var sizes = []int{0, 1, 100, 10_000, maxInline - 1, maxInline, maxInline + 1, 100_000, 200_000}

func drawKey(t *rapid.T, label string) []byte {
	return []byte(rapid.StringOfN(rapid.SampledFrom([]rune{'a', 'b', 0, 'z'}), 0, 3, -1).Draw(t, label) +
		rapid.SampledFrom([]string{"", "", "\xff", "\xff\xff"}).Draw(t, label+" end"))
}

func drawBatch(t *rapid.T) *Batch {
	var b Batch
	for range rapid.IntRange(0, 6).Draw(t, "changes") {
		key := drawKey(t, "key")
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			b.DeletePrefix(key)
		case 1, 2:
			b.Delete(key)
		default:
			b.Set(key, value(rapid.IntRange(0, 99).Draw(t, "seed"), rapid.SampledFrom(sizes).Draw(t, "size")))
		}
	}
	return &b
}

// machine runs a store beside a map.
type machine struct {
	s       Store
	want    content
	pending []*Pending
	reopen  func(t *rapid.T) Store // nil: the store forgets
}

func (m *machine) settle(t *rapid.T) {
	for _, p := range m.pending {
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	m.pending = nil
}

func (m *machine) run(t *rapid.T) {
	actions := map[string]func(*rapid.T){
		"commit": func(t *rapid.T) {
			b := drawBatch(t)
			m.want = m.want.apply(b)
			m.pending = append(m.pending, m.s.Commit(b))
		},
		"scan": func(t *rapid.T) {
			m.settle(t)
			prefix := string(drawKey(t, "prefix"))
			if d, err := m.want.diff(m.s, prefix); d != "" || err != nil {
				t.Fatalf("scan %q: %v\n%s", prefix, err, d)
			}
		},
		"get": func(t *rapid.T) {
			m.settle(t)
			key := drawKey(t, "key")
			val, found, err := m.s.Get(key)
			want, there := m.want[string(key)]
			if err != nil || found != there || string(val) != want {
				t.Fatalf("get %q: %d bytes, %v, %v; want %d bytes, %v", key, len(val), found, err, len(want), there)
			}
		},
	}
	if m.reopen != nil {
		actions["reopen"] = func(t *rapid.T) {
			if err := m.s.Close(); err != nil {
				t.Fatal(err)
			}
			m.settle(t)
			m.s = m.reopen(t)
		}
	}
	t.Repeat(actions)
	m.settle(t)
	if d, err := m.want.diff(m.s, ""); d != "" || err != nil {
		t.Fatalf("at the end: %v\n%s", err, d)
	}
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { (&machine{s: NewMemory()}).run(t) })
}

func TestPebbleAgainstAMap(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		m := &machine{s: open(outer, fs), reopen: func(*rapid.T) Store { return open(outer, fs) }}
		m.run(t)

		// What no key refers to any more is gone at the latest when the store is opened again.
		s := open(outer, fs)
		mustCommit(outer, s, func(b *Batch) { b.DeletePrefix(nil) })
		closeStore(outer, s)
		s = open(outer, fs)
		if n := s.Stats().Segments; n != 0 || len(segmentFiles(outer, fs)) != 0 {
			t.Fatalf("an empty store has %d segments, files %v", n, segmentFiles(outer, fs))
		}
		closeStore(outer, s)
	})
}

func TestTreeKeepsSnapshots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			root *node[[]byte]
			want content
		}
		versions := []version{{}}
		for range rapid.IntRange(1, 30).Draw(t, "batches") {
			last := versions[len(versions)-1]
			m := &memory{root: last.root}
			b := drawBatch(t)
			if err := m.apply(b); err != nil {
				t.Fatal(err)
			}
			versions = append(versions, version{m.root, last.want.apply(b)})
		}
		for i, v := range versions {
			if d, err := v.want.diff(&memory{root: v.root}, ""); d != "" || err != nil {
				t.Fatalf("version %d has changed: %v\n%s", i, err, d)
			}
		}
	})
}
