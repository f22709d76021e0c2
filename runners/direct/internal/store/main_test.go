package store

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDirEnv); dir != "" {
		commitUntilKilled(dir)
		os.Exit(1)
	}
	if os.Getenv(brokenEnv) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func open(t testing.TB, fs vfs.FS) *disk {
	t.Helper()
	s, err := OpenPebble("job", Options{fs: fs, segmentSize: 512 << 10, Log: quiet()})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s.(*disk)
}

func closeStore(t testing.TB, s Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// value makes n bytes that depend on seed.
func value(seed, n int) []byte {
	b := bytes.Repeat(fmt.Appendf(nil, "%d,", seed), n/2+1)
	return b[:n]
}

type content map[string]string

// apply changes a copy of c as the batch should.
func (c content) apply(b *Batch) content {
	c = maps.Clone(c)
	if c == nil {
		c = content{}
	}
	for _, o := range b.ops {
		switch o.kind {
		case opSet:
			c[string(o.key)] = string(o.val)
		case opDelete:
			delete(c, string(o.key))
		case opDeletePrefix:
			maps.DeleteFunc(c, func(k, _ string) bool { return strings.HasPrefix(k, string(o.key)) })
		}
	}
	return c
}

func (c content) keys(prefix string) []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(c)) {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

// diff compares what Scan and Get say under a prefix with c. It reads values one after the other to stay small.
func (c content) diff(s Store, prefix string) (string, error) {
	var keys []string
	var wrong []string
	err := s.Scan([]byte(prefix), func(key []byte, v Value) error {
		k := string(key)
		keys = append(keys, k)
		val, err := v.Load()
		if err != nil {
			return err
		}
		got, found, err := s.Get(key)
		if err != nil {
			return err
		}
		if v.Len() != len(val) || string(val) != c[k] || !found || string(got) != c[k] {
			wrong = append(wrong, fmt.Sprintf("%q: Len %d, Load %d bytes, Get %v %d bytes, want %d bytes", k, v.Len(), len(val), found, len(got), len(c[k])))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return cmp.Diff(c.keys(prefix), keys) + strings.Join(wrong, "\n"), nil
}

func (c content) check(t testing.TB, s Store) {
	t.Helper()
	d, err := c.diff(s, "")
	if err != nil {
		t.Fatal(err)
	}
	if d != "" {
		t.Fatalf("content differs (-want +got):\n%s", d)
	}
}

func mustCommit(t testing.TB, s Store, changes ...func(*Batch)) {
	t.Helper()
	var b Batch
	for _, c := range changes {
		c(&b)
	}
	if err := s.Commit(&b).Wait(); err != nil {
		t.Fatal(err)
	}
}

func set(key string, val []byte) func(*Batch) { return func(b *Batch) { b.Set([]byte(key), val) } }
func del(key string) func(*Batch)             { return func(b *Batch) { b.Delete([]byte(key)) } }

func segmentFiles(t testing.TB, fs vfs.FS) []string {
	t.Helper()
	names, err := fs.List("job/segments")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}
