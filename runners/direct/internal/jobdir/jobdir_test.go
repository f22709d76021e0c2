package jobdir

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		hold(dir)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	goleak.VerifyTestMain(m)
}

func mustOpen(t *testing.T, dir string) *Dir {
	t.Helper()
	d, err := Open(dir, Options{Name: "orders", Pipeline: "lake"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustClose(t *testing.T, d *Dir) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "jobs", "orders")
	d := mustOpen(t, dir)
	first := d.Meta()
	if len(first.Incarnation) != 32 || first.Name != "orders" || first.Pipeline != "lake" || d.Epoch() != 1 {
		t.Errorf("epoch %d, %+v", d.Epoch(), first)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	err := d.Update(func(m *Meta) {
		m.State, m.Fingerprint, m.Recorded = "stopped", "f", map[string][]byte{"a": {0, 255}}
		m.Name, m.Incarnation, m.Version = "x", "x", 7 // these are not to be changed
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Meta().Recorded["a"] = nil // of a copy
	if d.Meta().Recorded["a"] == nil {
		t.Error("what Meta returns is shared")
	}
	mustClose(t, d)

	d = mustOpen(t, dir)
	defer mustClose(t, d)
	want := first
	want.State, want.Fingerprint, want.Recorded = "stopped", "f", map[string][]byte{"a": {0, 255}}
	if diff := cmp.Diff(want, d.Meta()); diff != "" || d.Epoch() != 2 {
		t.Errorf("epoch %d, (-want +got):\n%s", d.Epoch(), diff)
	}
	if d.StatePath() != filepath.Join(d.Path(), "state") {
		t.Error(d.StatePath())
	}
}

func TestFenced(t *testing.T) {
	for name, happens := range map[string]func(t *testing.T, dir string) error{
		"a later start":  func(t *testing.T, dir string) error { return replace(filepath.Join(dir, epochName), []byte("2")) },
		"another holder": func(t *testing.T, dir string) error { return replace(filepath.Join(dir, lockName), []byte("{}")) },
		"a removal":      func(t *testing.T, dir string) error { return os.RemoveAll(dir) },
		"a directory anew": func(t *testing.T, dir string) error {
			err := os.RemoveAll(dir)
			mustClose(t, mustOpen(t, dir)) // it is at start 1, too
			return err
		},
	} {
		dir := filepath.Join(t.TempDir(), "job")
		d := mustOpen(t, dir)
		if err := d.Check(); err != nil {
			t.Errorf("before %s: %v", name, err)
		}
		if err := happens(t, dir); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(); !errors.Is(err, ErrFenced) {
			t.Errorf("after %s: %v", name, err)
		}
		if err := d.Update(func(m *Meta) { m.State = "zombie" }); !errors.Is(err, ErrFenced) {
			t.Errorf("update after %s: %v", name, err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, metaName)); err == nil && bytes.Contains(b, []byte("zombie")) {
			t.Errorf("after %s a zombie has written", name)
		}
		mustClose(t, d)
	}
}

func TestRefusedDirectories(t *testing.T) {
	const meta = `{"version":1,"name":"orders","incarnation":"a"}`
	for _, c := range []struct {
		file, content, want string
		foreign             bool
	}{
		{"notes.txt", "", `it holds "notes.txt"`, true},
		{"state", "", `it holds "state"`, true},
		{metaName, `{"version":1,"name":"other","pipeline":"p","incarnation":"a"}`, `holds job "other" of pipeline "p", not "orders"`, true},
		{metaName, `{"version":2,"name":"orders","incarnation":"a"}`, "version 2 is not known", false},
		{metaName, `{"version":1,"name":"orders"}`, "no incarnation", false},
		{metaName, `{"vers`, "the file job.json cannot be read", false},
		{epochName, "seven", `the file epoch is damaged: "seven"`, false},
		{epochName, "-1", `the file epoch is damaged`, false},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, c.file), c.content)
		_, err := Open(dir, Options{Name: "orders"})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) || errors.Is(err, ErrForeign) != c.foreign {
			t.Errorf("%s %q: got %v, want %q", c.file, c.content, err, c.want)
		}
	}
	for _, leftover := range []string{lockName, tempPrefix + "epoch-1", "lost+found"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, leftover), "{ half")
		mustClose(t, mustOpen(t, dir))
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, metaName), meta)
	write(t, filepath.Join(dir, "notes.txt"), "") // of a person who knows whose directory this is
	mustClose(t, mustOpen(t, dir))

	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	if _, err := Open(file, Options{Name: "orders"}); err == nil {
		t.Error("a file was opened as a directory")
	}
}

func TestInspectNothing(t *testing.T) {
	s, err := Inspect(filepath.Join(t.TempDir(), "none"))
	if diff := cmp.Diff(Status{}, s); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestReset(t *testing.T) {
	dir := t.TempDir()
	if err := Reset(filepath.Join(dir, "none"), "orders"); err != nil {
		t.Errorf("reset of nothing: %v", err)
	}
	d := mustOpen(t, dir)
	before := d.Meta().Incarnation
	if err := os.MkdirAll(filepath.Join(d.StatePath(), "kv"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustClose(t, d)
	if err := Reset(dir, "other"); !errors.Is(err, ErrForeign) {
		t.Errorf("reset of another job: %v", err)
	}
	if err := Reset(dir, "orders"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{stateName, metaName} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there after the reset: %v", name, err)
		}
	}

	// What a reset that was interrupted has left is not taken for state of the new incarnation.
	write(t, filepath.Join(dir, stateName), "old")
	d = mustOpen(t, dir)
	defer mustClose(t, d)
	if _, err := os.Stat(d.StatePath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("old state is there: %v", err)
	}
	if d.Meta().Incarnation == before || d.Epoch() != 2 {
		t.Errorf("incarnation %s after %s, epoch %d", d.Meta().Incarnation, before, d.Epoch())
	}
}

func TestRequests(t *testing.T) {
	dir := t.TempDir()
	if err := Request(dir, "drain"); err == nil {
		t.Error("a request to nobody")
	}
	write(t, filepath.Join(dir, lockName), "")
	d := mustOpen(t, dir)
	mustClose(t, d)
	if err := Request(dir, "drain"); err == nil {
		t.Error("a request to a process that is gone")
	}
	write(t, filepath.Join(dir, requestName), `{"verb":"cancel","epoch":2}`) // it came too late
	d = mustOpen(t, dir)
	defer mustClose(t, d)
	if _, err := os.Stat(filepath.Join(dir, requestName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an old request is still there: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		asked := d.Requests(ctx)
		for _, ignored := range []string{`{"verb":"cancel","epoch":1}`, `{"verb`, ``} {
			write(t, filepath.Join(dir, requestName), ignored)
			<-time.After(2 * pollRequests)
			if _, err := os.Stat(filepath.Join(dir, requestName)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is still there: %v", ignored, err)
			}
		}
		for _, verb := range []string{"drain", "cancel", "drain"} {
			if err := Request(dir, verb); err != nil {
				t.Fatal(err)
			}
			if got := <-asked; got != verb {
				t.Errorf("asked for %q, got %q", verb, got)
			}
		}
		if err := Request(dir, "close"); err != nil { // nobody listens when it is read
			t.Fatal(err)
		}
		stop()
		if verb, open := <-asked; open && verb != "close" {
			t.Errorf("got %q", verb)
		}
	})
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte(`{"version":1,"name":"a","incarnation":"b","recorded":{"x":"AA=="}}`))
	f.Add([]byte(`{"pid":1,"host":"h","since":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte("1 (a) b) R 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = parseHolder(b).String()
		_ = parseBegan(b)
		m, err := parseMeta(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		m2, err := parseMeta(again)
		if diff := cmp.Diff(m, m2); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}
