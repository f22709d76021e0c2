package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
)

// TestDamage changes or cuts one file of a closed store. Whoever then reads everything gets an error or the truth.
func TestDamage(t *testing.T) {
	h, undamaged := damageable(t, true)
	want := h.after[len(h.batches)]
	damageAll(t, undamaged, func(s Store) (string, error) { return want.diff(s, "") })
}

// TestDamageAfterACrash does it to a store that was not closed. Then the last commits may be missing, but nothing else.
func TestDamageAfterACrash(t *testing.T) {
	h, undamaged := damageable(t, false)
	damageAll(t, undamaged, func(s Store) (string, error) {
		n, err := h.last(s)
		if err != nil {
			return "", err
		}
		return h.after[n].diff(s, "")
	})
}

// damageable makes a store of several segments and tables, and leaves it closed or not.
func damageable(t *testing.T, closed bool) (*history, *vfs.MemFS) {
	h := newHistory(rand.New(rand.NewPCG(3, 5)), 30)
	fs := vfs.NewCrashableMem()
	for i := range 2 {
		s := open(t, fs)
		var sent, acked atomic.Int64
		part := &history{batches: h.batches[15*i : 15*i+15]}
		if err := part.run(s, &sent, &acked); err != nil {
			t.Fatal(err)
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{})
		closeStore(t, s)
		if !closed {
			fs = crashed
		}
	}
	return h, fs
}

func damageAll(t *testing.T, undamaged *vfs.MemFS, read func(Store) (string, error)) {
	const damages = 150
	found := 0
	for seed := range uint64(damages) {
		rng := rand.New(rand.NewPCG(seed, 6))
		fs := vfs.NewMem()
		if _, err := vfs.Clone(undamaged, fs, "job", "job"); err != nil {
			t.Fatal(err)
		}
		what := damage(t, fs, rng)
		var d string
		s, err := OpenPebble("job", Options{fs: fs, segmentSize: 512 << 10, Log: quiet()})
		if err == nil {
			d, err = read(s)
			closeStore(t, s)
		}
		switch {
		case err != nil:
			found++
			if strings.Contains(what, "segments") {
				checkDamageError(t, what, err)
			}
		case d != "":
			t.Fatalf("seed %d: %s: wrong data without an error:\n%s", seed, what, d)
		}
	}
	if found < damages/4 {
		t.Errorf("only %d of %d damages were found", found, damages)
	}
}

func checkDamageError(t *testing.T, what string, err error) {
	t.Helper()
	for _, part := range []string{".seg", "offset", "key"} {
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: the error does not name file, offset and key, or is no ErrDamaged: %v", what, err)
		}
	}
}

// damage does something to a random file and says what.
func damage(t *testing.T, fs *vfs.MemFS, rng *rand.Rand) string {
	t.Helper()
	dir := fs.PathJoin("job", []string{"kv", "segments"}[rng.IntN(2)])
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := fs.PathJoin(dir, names[rng.IntN(len(names))])
	what := path
	err = rewrite(fs, path, func(data []byte) []byte {
		if len(data) == 0 {
			return data
		}
		at := rng.IntN(len(data))
		if rng.IntN(4) == 0 {
			what = fmt.Sprintf("%s: cut to %d of %d", path, at, len(data))
			return data[:at]
		}
		what = fmt.Sprintf("%s: bit flipped at %d of %d", path, at, len(data))
		data[at] ^= 1 << rng.IntN(8)
		return data
	})
	if err != nil {
		t.Fatal(err)
	}
	return what
}

func FuzzDecodeValue(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{tagInline, 1, 2})
	f.Add(extent{segment: 3, off: 17, size: 100_000, sum: 5}.encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		inline, e, isExtent, err := decodeValue(raw)
		switch {
		case err != nil:
		case isExtent:
			if d := cmp.Diff(raw, e.encode()); d != "" {
				t.Error(d)
			}
		default:
			if d := cmp.Diff(raw, append([]byte{tagInline}, inline...)); d != "" {
				t.Error(d)
			}
		}
	})
}

func TestOpenNoticesCutAndMissingSegments(t *testing.T) {
	const path = "job/segments/000000000000.seg"
	for name, harm := range map[string]func(fs *vfs.MemFS) error{
		"has only 60000 bytes": func(fs *vfs.MemFS) error { return rewrite(fs, path, func(b []byte) []byte { return b[:60_000] }) },
		"is missing":           func(fs *vfs.MemFS) error { return fs.Remove(path) },
	} {
		fs := vfs.NewMem()
		s := open(t, fs)
		mustCommit(t, s, set("a", value(1, 70_000)))
		closeStore(t, s)
		if err := harm(fs); err != nil {
			t.Fatal(err)
		}
		_, err := OpenPebble("job", Options{fs: fs, Log: quiet()})
		want := `key "a": its value of 70000 bytes lies in ` + path + ` at offset 0: the file ` + name
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// rewrite replaces a file by what change makes of its bytes.
func rewrite(fs *vfs.MemFS, path string, change func([]byte) []byte) error {
	data, err := fs.UnsafeGetFileDataBuffer(path)
	if err != nil {
		return err
	}
	data = change(append([]byte(nil), data...))
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
