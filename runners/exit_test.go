package runners

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/runners/direct"
)

func TestExitCodeOf(t *testing.T) {
	for err, want := range map[error]int{
		nil:                            ExitOK,
		errors.New("anything"):         ExitFailed,
		syscall.ENOSPC:                 ExitFailed,
		&flow.GraphError{}:             ExitUsage,
		usageError{errors.New("flag")}: ExitUsage,
		&direct.HeldError{}:            ExitHeld,
		ErrChanged:                     ExitRefused,
		direct.ErrForeign:              ExitRefused,
		flow.ErrIdentity:               ExitRefused,
		flow.ErrSchema:                 ExitRefused,
		flow.ErrGap:                    ExitRefused,
		syscall.EXDEV:                  ExitRefused,
		&commit.AttachError{Reason: commit.StateLost}:   ExitRefused,
		&commit.AttachError{Reason: commit.StateFenced}: ExitFenced,
		&commit.ConflictError{History: commit.Older}:    ExitRefused,
		&commit.ConflictError{History: commit.Trimmed}:  ExitRefused,
		&commit.ConflictError{History: commit.Zombie}:   ExitFenced,
		&commit.ConflictError{History: commit.Fenced}:   ExitFenced,
		direct.ErrFenced: ExitFenced,
	} {
		for _, e := range []error{err, wrapped(err), errors.Join(wrapped(err), errors.New("and another"))} {
			if err != nil || e == nil {
				if got := exitCode(e); got != want {
					t.Errorf("%v: exit code %d, want %d", e, got, want)
				}
			}
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("step: %w", err)
}

func TestParseBytes(t *testing.T) {
	got := map[string]int64{}
	for _, s := range []string{"1", "2B", "3kB", "4MB", "5GB", "6KiB", "7 MiB", "0.5GiB"} {
		n, err := parseBytes(s)
		if err != nil {
			t.Error(err)
		}
		got[s] = n
	}
	want := map[string]int64{
		"1": 1, "2B": 2, "3kB": 3000, "4MB": 4_000_000, "5GB": 5_000_000_000, "6KiB": 6144, "7 MiB": 7 << 20, "0.5GiB": 1 << 29,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	for _, s := range []string{"", "MiB", "-1B", "0", "1TB", "1e30GiB", "NaN", "1 MiB B"} {
		if n, err := parseBytes(s); err == nil {
			t.Errorf("%q was read as %d", s, n)
		}
	}
}

func TestKebab(t *testing.T) {
	got := map[string]string{}
	for _, s := range []string{"Lake", "DeadLetter", "URL", "URLPrefix", "MaxOfURL", "ID"} {
		got[s] = kebab(s)
	}
	want := map[string]string{
		"Lake": "lake", "DeadLetter": "dead-letter", "URL": "url", "URLPrefix": "url-prefix", "MaxOfURL": "max-of-url", "ID": "id",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
