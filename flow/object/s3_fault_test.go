package object

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A create whose answer is lost is found to be done by its repetition; that of another is not.
func TestS3CreateWhoseAnswerIsLost(t *testing.T) {
	s, f := newS3(t)
	f.faults["PutObject"] = []string{lost}
	if err := s.Create(t.Context(), "x", []byte("mine")); err != nil {
		t.Error(err)
	}
	f.faults["PutObject"] = []string{"SlowDown", "ConditionalRequestConflict"}
	if err := s.Create(t.Context(), "x", []byte("mine")); !errors.Is(err, ErrExists) {
		t.Errorf("the same bytes of another write: %v", err)
	}
}

func TestS3RepeatsWhatFails(t *testing.T) {
	s, f := newS3(t)
	for _, op := range []string{"PutObject", "GetObject", "HeadObject", "ListObjectsV2", "DeleteObject", "UploadPart", "CompleteMultipartUpload"} {
		f.faults[op] = []string{"SlowDown", "InternalError"}
	}
	f.faults["GetObject"] = append(f.faults["GetObject"], lost)
	put(t, s, "a", "text")
	if got, err := s.Get(t.Context(), "a"); string(got) != "text" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if n, err := s.Stat(t.Context(), "a"); n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := putParts(t, s, "x", func() {}); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"a", "x"}, names(t, s, "")); d != "" {
		t.Error(d)
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	for op, left := range f.faults {
		if len(left) > 0 {
			t.Errorf("%s: not met: %v", op, left)
		}
	}
}

func TestS3GivesUpAfterItsAttempts(t *testing.T) {
	s, f := newS3(t)
	for range 100 {
		f.faults["DeleteObject"] = append(f.faults["DeleteObject"], "SlowDown")
	}
	if err := s.Delete(t.Context(), "x"); err == nil || len(f.log) != s3Attempts {
		t.Errorf("%d attempts, %v", len(f.log), err)
	}
}

func TestS3CompleteWhoseAnswerIsLost(t *testing.T) {
	s, f := newS3(t)
	f.faults["CompleteMultipartUpload"] = []string{lost}
	if err := putParts(t, s, "x", func() {}); err != nil {
		t.Error(err)
	}
	if n, err := s.Stat(t.Context(), "x"); n != s3PartBytes+1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// A part that fails fails the write even if the writer passes over it, and what was sent is removed.
func TestS3PartFails(t *testing.T) {
	s, f := newS3(t)
	f.faults["UploadPart"] = []string{"AccessDenied"}
	err := s.Put(t.Context(), "x", func(w io.Writer) error {
		for range 3 {
			_, _ = w.Write(make([]byte, s3PartBytes))
		}
		return nil
	})
	if err == nil || len(f.m) != 0 || len(f.parts) != 0 {
		t.Errorf("%d objects, %d uploads, %v", len(f.m), len(f.parts), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.Put(ctx, "x", func(w io.Writer) error {
		_, err := w.Write(make([]byte, s3PartBytes+1))
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) || len(f.m) != 0 || len(f.parts) != 0 {
		t.Errorf("cancelled: %d objects, %d uploads, %v", len(f.m), len(f.parts), err)
	}
}

func TestS3ErrorsSayWhatToDo(t *testing.T) {
	s, f := newS3(t)
	put(t, s, "x", "x")
	for code, want := range map[string]string{
		"NoSuchBucket": "create the bucket", "AccessDenied": "s3:GetObject", "PermanentRedirect": "another region", "ExpiredToken": "expired",
	} {
		for _, op := range []string{"PutObject", "GetObject", "HeadObject"} {
			f.faults[op] = []string{code, code}
		}
		_, get := s.Get(t.Context(), "x")
		f.faults["GetObject"] = []string{code, code}
		_, stat := s.Stat(t.Context(), "x")
		for _, err := range []error{get, stat, s.Create(t.Context(), "y", nil)} {
			if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "s3://lake/t/") ||
				strings.Contains(err.Error(), "topsecret") {
				t.Errorf("%s: %v", code, err)
			}
		}
		f.faults = map[string][]string{}
	}
}

func TestS3NoticesAReplacedObject(t *testing.T) {
	s, _ := newS3(t)
	put(t, s, "x", "old text")
	r, err := s.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put(t, s, "x", "new text")
	if _, err := r.ReadAt(make([]byte, 3), 0); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("got %v", err)
	}
}

func TestS3OpenTouchesNothing(t *testing.T) {
	_, f := newS3(t)
	if len(f.log) > 0 {
		t.Errorf("sent %v", f.log)
	}
}

func TestS3TraceOrder(t *testing.T) {
	s, f := newS3(t)
	var got []string
	note := func(what string) func() {
		return func() { got = append(got, what+map[bool]string{true: " visible", false: " hidden"}[len(f.m) > 0]) }
	}
	ctx := WithTrace(t.Context(), Trace{Written: note("written"), Synced: note("synced"), Visible: note("visible")})
	err := s.Put(ctx, "x", func(w io.Writer) error {
		_, err := w.Write(make([]byte, s3PartBytes+1))
		return err
	})
	if d := cmp.Diff([]string{"written hidden", "synced hidden", "visible visible"}, got); d != "" || err != nil {
		t.Error(d, err)
	}
}
