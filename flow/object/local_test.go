package object

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newLocal(t *testing.T) *Local {
	t.Helper()
	l, err := NewLocal(filepath.Join(t.TempDir(), "a", "lake"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func put(t *testing.T, s Store, name, text string) {
	t.Helper()
	err := s.Put(t.Context(), name, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, s Store, prefix string) []string {
	t.Helper()
	list, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, i := range list {
		out = append(out, i.Name)
	}
	return out
}

func TestCreateKeepsTheFirst(t *testing.T) {
	l := newLocal(t)
	if err := l.Create(t.Context(), "ledger/trips/1.claim", []byte("first")); err != nil {
		t.Fatal(err)
	}
	err := l.Create(t.Context(), "ledger/trips/1.claim", []byte("second"))
	if !errors.Is(err, ErrExists) {
		t.Fatalf("second create: %v", err)
	}
	got, err := l.Get(t.Context(), "ledger/trips/1.claim")
	if err != nil || string(got) != "first" {
		t.Fatalf("got %q, %v", got, err)
	}
	if n, err := SweepTemp(t.Context(), l, ""); n != 0 || err != nil {
		t.Fatalf("%d temporary files left, %v", n, err)
	}
}

func TestCreateHasOneWinner(t *testing.T) {
	l := newLocal(t)
	var wg sync.WaitGroup
	won := make([]bool, 8)
	for i := range won {
		wg.Go(func() {
			err := l.Create(t.Context(), "x", []byte{byte(i)})
			won[i] = err == nil
			if err != nil && !errors.Is(err, ErrExists) {
				t.Errorf("create: %v", err)
			}
		})
	}
	wg.Wait()
	got, err := l.Get(t.Context(), "x")
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	want := make([]bool, len(won))
	want[got[0]] = true
	if d := cmp.Diff(want, won); d != "" {
		t.Fatal(d)
	}
}

func TestPutIsWholeOrAbsent(t *testing.T) {
	l := newLocal(t)
	boom := errors.New("boom")
	err := l.Put(t.Context(), "p/x", func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 1<<20))
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	if d := cmp.Diff([]string{}, names(t, l, "")); d != "" {
		t.Fatal(d)
	}
	put(t, l, "p/x", "one")
	put(t, l, "p/x", "three")
	if size, err := l.Stat(t.Context(), "p/x"); size != 5 || err != nil {
		t.Fatalf("size %d, %v", size, err)
	}
	if n, _ := SweepTemp(t.Context(), l, ""); n != 0 {
		t.Fatalf("%d temporary files left", n)
	}
}

func TestTraceOrder(t *testing.T) {
	l := newLocal(t)
	var got []string
	note := func(what string) func() {
		return func() {
			_, err := os.Stat(filepath.Join(l.Path(), "x"))
			got = append(got, what+map[bool]string{true: " visible", false: " hidden"}[err == nil])
		}
	}
	ctx := WithTrace(t.Context(), Trace{Written: note("written"), Synced: note("synced"), Visible: note("visible")})
	if err := l.Put(ctx, "x", func(io.Writer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"written hidden", "synced hidden", "visible visible"}, got); d != "" {
		t.Fatal(d)
	}
}

func TestOpenReadsRanges(t *testing.T) {
	l := newLocal(t)
	put(t, l, "x", "0123456789")
	r, err := l.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := make([]byte, 3)
	if _, err := r.ReadAt(buf, 4); err != nil || string(buf) != "456" || r.Size() != 10 {
		t.Fatalf("%q of %d bytes, %v", buf, r.Size(), err)
	}
}

func TestListIsSortedAndFiltered(t *testing.T) {
	l := newLocal(t)
	for _, n := range []string{"a/2", "a/1/x", "a-b", "ab", "b", "a/1.claim"} {
		put(t, l, n, n)
	}
	if err := os.WriteFile(filepath.Join(l.Path(), "a", tempPrefix+rand.Text()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{
		"":     {"a-b", "a/1.claim", "a/1/x", "a/2", "ab", "b"},
		"a":    {"a-b", "a/1.claim", "a/1/x", "a/2", "ab"},
		"a/":   {"a/1.claim", "a/1/x", "a/2"},
		"a/1":  {"a/1.claim", "a/1/x"},
		"none": {}, "none/x": {}, "b/": {},
	} {
		if d := cmp.Diff(want, names(t, l, prefix)); d != "" {
			t.Errorf("prefix %q: %s", prefix, d)
		}
	}
	if n, err := SweepTemp(t.Context(), l, "a/"); n != 1 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
}

func TestAbsentRoot(t *testing.T) {
	l := newLocal(t)
	if _, err := l.Get(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if _, err := l.Stat(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("stat: %v", err)
	}
	if _, err := l.Open(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("open: %v", err)
	}
	if err := l.Delete(t.Context(), "x"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if d := cmp.Diff([]string{}, names(t, l, "")); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(l.Path()); err == nil {
		t.Error("reading created the root")
	}
}

func TestNamesStayBelowTheRoot(t *testing.T) {
	l := newLocal(t)
	for _, n := range []string{"", ".", "..", "../x", "a/../../x", "/x", "a//b", "a/", "a\x00b", "d/.tmp-x"} {
		if err := l.Create(t.Context(), n, nil); !errors.Is(err, ErrName) {
			t.Errorf("create %q: %v", n, err)
		}
		if _, err := l.Get(t.Context(), n); !errors.Is(err, ErrName) {
			t.Errorf("get %q: %v", n, err)
		}
		if err := l.Delete(t.Context(), n); !errors.Is(err, ErrName) {
			t.Errorf("delete %q: %v", n, err)
		}
	}
	if _, err := l.List(t.Context(), "../"); !errors.Is(err, ErrName) {
		t.Errorf("list: %v", err)
	}
}

func TestSymlinkOutOfTheRootIsRefused(t *testing.T) {
	l, outside := newLocal(t), t.TempDir()
	put(t, l, "x", "x")
	if err := os.Symlink(outside, filepath.Join(l.Path(), "out")); err != nil {
		t.Fatal(err)
	}
	if err := l.Create(t.Context(), "out/y", nil); err == nil || errors.Is(err, ErrExists) {
		t.Errorf("create: %v", err)
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("written outside: %v", left)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	l := newLocal(t)
	put(t, l, "file", "x")
	err := l.Create(t.Context(), "file/x", nil)
	if err == nil || !strings.Contains(err.Error(), "move it away") || !strings.Contains(err.Error(), l.Path()) {
		t.Errorf("file in the way: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	cancel(stop)
	if err := l.Create(ctx, "y", nil); !errors.Is(err, stop) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestEveryKnownCauseHasARemedy(t *testing.T) {
	for _, cause := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EXDEV, syscall.EMFILE, syscall.EIO,
	} {
		err := explain("write", "/lake/x", &os.PathError{Op: "open", Path: "x", Err: cause})
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), "/lake/x") || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%v", err)
		}
	}
}

func TestWorkingDirectoriesArePrivate(t *testing.T) {
	l, err := NewLocal(filepath.Join(t.TempDir(), ".millrace", "job"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, l, "p", "")
	info, err := os.Stat(filepath.Dir(l.Path()))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
}

func TestOpenAddresses(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		dir: "file://" + dir, "file://" + dir: "file://" + dir, "rel/x": "file://" + dir + "/rel/x", "file:///a%20b": "file:///a%20b",
	} {
		if s, err := Open(address); err != nil || s.URL() != want {
			t.Errorf("%s: %v, %v", address, s, err)
		}
	}
	for address, want := range map[string]string{
		"": "give a path", "gs://bucket/x": "use a path, file:///path or s3://bucket/prefix", "file://host/x": "a path only", "file:///x?secret=1": "a path only",
		"file://u:topsecret@h%zz/": "no URL",
	} {
		_, err := Open(address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestSameFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := SameFileSystem(dir, filepath.Join(dir, "not", "there")); err != nil {
		t.Error(err)
	}
	if err := SameFileSystem(dir, "/proc"); err == nil || !strings.Contains(err.Error(), "one file system") {
		t.Errorf("got %v", err)
	}
}

// A closed store holds no directory open, and is used again as if it were new.
func TestLocalClose(t *testing.T) {
	l, err := NewLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(Close(l), Close(l), Close(NewMemory("m"))); err != nil || l.root != nil {
			t.Fatalf("root %v, %v", l.root, err)
		}
		put(t, l, "a", "x")
	}
}

// What a writer of this package left is swept at any depth; what is only named alike is not.
func TestSweepTemp(t *testing.T) {
	l, err := NewLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, l, "d/kept", "x")
	left := filepath.Join(l.Path(), "d")
	for _, name := range []string{tempPrefix + rand.Text(), tempPrefix + rand.Text(), ".tmp-of-others", tempPrefix + rand.Text() + ".crc"} {
		if err := os.WriteFile(filepath.Join(left, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := SweepTemp(t.Context(), l, ""); n != 2 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	entries, err := os.ReadDir(left)
	if len(entries) != 3 || err != nil {
		t.Errorf("left %v, %v", entries, err)
	}
}
