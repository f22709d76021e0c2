package object

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestS3Addresses(t *testing.T) {
	for address, want := range map[string]string{
		"s3://bucket":                     "s3://bucket/",
		"s3://bucket/a/b/?region=eu":      "s3://bucket/a/b?region=eu",
		"s3://bucket/a?pathstyle=true":    "s3://bucket/a?pathstyle=true",
		"s3://bucket/a?endpoint=http://h": "s3://bucket/a?endpoint=http%3A%2F%2Fh",
	} {
		if s, err := Open(address); err != nil || s.URL() != want {
			t.Errorf("%s: %v, %v", address, s, err)
		}
	}
	for address, want := range map[string]string{
		"s3://key:topsecret@bucket/x": "no password", "s3:///x": "no name of a bucket", "s3://.millrace/x": "no name of a bucket",
		"s3://bucket/a/../b": ". or ..", "s3://bucket/x?secret=topsecret": "no option", "s3://bucket/x?region=a&region=b": "twice",
		"s3://bucket/x?endpoint=http://u:topsecret@h": "without a user", "s3://bucket/x?pathstyle=topsecret": "true or false",
		"s3://bucket/x#y": "no #", "s3://bucket/x?%zztopsecret": "key=value",
	} {
		if _, err := Open(address); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestSameFileSystemOfS3(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"s3://bucket/x/.millrace/job?region=eu", "s3://bucket/x/trips?region=eu", ""},
		{"s3://bucket/x", "s3://bucket/x", ""},
		{"s3://bucket/x", "s3://bucket2/x", "one bucket"},
		{"s3://bucket/x", "s3://bucket/y?endpoint=http://h", "one bucket"},
		{"s3://bucket/x", t.TempDir(), "one place is s3://bucket/x"},
		{t.TempDir(), "s3://bucket/x", "one place is s3://bucket/x"},
		{"s3://bucket/.millrace/job", "s3://bucket", "inside"},
		{"s3://u:topsecret@bucket/x", "s3://bucket", "no password"},
	} {
		err := SameFileSystem(c.a, c.b)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "topsecret")) {
			t.Errorf("%s and %s: %v", c.a, c.b, err)
		}
	}
}

func TestS3KeepsTheContract(t *testing.T) {
	s, _ := newS3(t)
	testContract(t, s)
}

// TestS3Service runs against the service at MILLRACE_S3, an address s3://bucket/prefix?endpoint=... .
func TestS3Service(t *testing.T) {
	address := os.Getenv("MILLRACE_S3")
	if address == "" {
		t.Skip("MILLRACE_S3 is not set")
	}
	s, err := Open(Join(address, rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	defer Close(s)
	testContract(t, s)
	gone, err := Open("s3://there-is-no-such-bucket/x" + address[strings.IndexByte(address, '?'):])
	if err != nil {
		t.Fatal(err)
	}
	defer Close(gone)
	for what, err := range everyOperation(t, gone) {
		if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "create the bucket") {
			t.Errorf("%s without a bucket: %v", what, err)
		}
	}
}

// everyOperation gives how the operations on an absent object end.
func everyOperation(t *testing.T, s Store) map[string]error {
	t.Helper()
	ctx, out := t.Context(), map[string]error{}
	_, out["get"] = s.Get(ctx, "no/such")
	_, out["stat"] = s.Stat(ctx, "no/such")
	_, out["open"] = s.Open(ctx, "no/such")
	return out
}

// testContract asks of an empty store what Store promises.
func testContract(t *testing.T, s Store) {
	for what, err := range everyOperation(t, s) {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Delete(t.Context(), "no/such"); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff([]string{}, names(t, s, "")); d != "" {
		t.Fatal(d)
	}
	testOneWinner(t, s)
	testFailedPut(t, s)
	testSweptPut(t, s)
	for _, size := range []int{0, 1, s3PartBytes, s3PartBytes + 1, 2*s3PartBytes + 5} {
		testRoundTrip(t, s, size)
	}
	for _, n := range []string{"l/2", "l/1/x y+z%ü", "l-b", "l/1.claim"} {
		put(t, s, n, n)
	}
	for prefix, want := range map[string][]string{
		"l": {"l-b", "l/1.claim", "l/1/x y+z%ü", "l/2"}, "l/": {"l/1.claim", "l/1/x y+z%ü", "l/2"}, "l/1": {"l/1.claim", "l/1/x y+z%ü"}, "none/": {},
	} {
		if d := cmp.Diff(want, names(t, s, prefix)); d != "" {
			t.Errorf("prefix %q: %s", prefix, d)
		}
	}
	for _, n := range []string{"", "..", "a/../../x", "/x", "a//b", "a\x00b", ".tmp-x"} {
		if err := s.Create(t.Context(), n, nil); !errors.Is(err, ErrName) {
			t.Errorf("create %q: %v", n, err)
		}
	}
	if _, err := s.List(t.Context(), "../"); !errors.Is(err, ErrName) {
		t.Errorf("list: %v", err)
	}
}

func testOneWinner(t *testing.T, s Store) {
	t.Helper()
	won := make(chan byte, 8)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			switch err := s.Create(t.Context(), "one/x", []byte{byte(i)}); {
			case err == nil:
				won <- byte(i)
			case !errors.Is(err, ErrExists):
				t.Errorf("create: %v", err)
			}
		})
	}
	wg.Wait()
	close(won)
	var winners []byte
	for w := range won {
		winners = append(winners, w)
	}
	got, err := s.Get(t.Context(), "one/x")
	if err != nil || len(winners) != 1 || !bytes.Equal(got, winners) {
		t.Errorf("won %v, stands %v, %v", winners, got, err)
	}
}

// testFailedPut lets a write fail after two parts: the object that stands stays, and nothing is left.
func testFailedPut(t *testing.T, s Store) {
	t.Helper()
	put(t, s, "failed", "stands")
	boom := errors.New("boom")
	err := s.Put(t.Context(), "failed", func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 2*s3PartBytes+1))
		return boom
	})
	if got, gerr := s.Get(t.Context(), "failed"); !errors.Is(err, boom) || string(got) != "stands" || gerr != nil {
		t.Errorf("put: %v; stands %q, %v", err, got, gerr)
	}
	if n, err := SweepTemp(t.Context(), s, ""); n != 0 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
}

// testSweptPut sweeps an upload away: it makes no object, and does not take the one that stands for its own.
func testSweptPut(t *testing.T, s Store) {
	t.Helper()
	put(t, s, "swept/x", "stands")
	err := putParts(t, s, "swept/x", func() {
		for prefix, want := range map[string]int{"other/": 0, "swept/": 1} {
			if n, err := SweepTemp(t.Context(), s, prefix); n != want || err != nil {
				t.Errorf("%d swept below %s, %v", n, prefix, err)
			}
		}
	})
	if got, _ := s.Get(t.Context(), "swept/x"); err == nil || !strings.Contains(err.Error(), "another process") || string(got) != "stands" {
		t.Errorf("%q stands, %v", got, err)
	}
}

// putParts writes an object of two parts. It calls sent once the first is being sent.
func putParts(t *testing.T, s Store, name string, sent func()) error {
	t.Helper()
	return s.Put(t.Context(), name, func(w io.Writer) error {
		_, err := w.Write(make([]byte, s3PartBytes+1))
		sent()
		return err
	})
}

func testRoundTrip(t *testing.T, s Store, size int) {
	t.Helper()
	data := make([]byte, size)
	_, _ = rand.Read(data)
	if err := s.Put(t.Context(), "trip", func(w io.Writer) error {
		_, err := io.Copy(w, iotest.OneByteReader(bytes.NewReader(data[:min(size, 7)])))
		_, werr := w.Write(data[min(size, 7):])
		return errors.Join(err, werr)
	}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), "trip")
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
	}
	if n, err := s.Stat(t.Context(), "trip"); int(n) != size || err != nil {
		t.Errorf("stat of %d bytes: %d, %v", size, n, err)
	}
	r, err := s.Open(t.Context(), "trip")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes in pieces: got %d, %v", size, len(got), err)
	}
	buf := make([]byte, size+3)
	if n, err := r.ReadAt(buf, 0); n != size || err != io.EOF || !bytes.Equal(buf[:n], data) { //nolint:errorlint // io.ReaderAt's own word
		t.Errorf("read %d of %d bytes, %v", n, size, err)
	}
}
