package fileio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/millrace-io/millrace/flow"
)

// Sentinels that callers branch on, besides flow.ErrIdentity.
var (
	// ErrNoFile: no file has a name that the pattern takes.
	ErrNoFile = errors.New("no file matches")
	// ErrFormat: the format is not supported.
	ErrFormat = errors.New("the format is not known")
	// ErrDamaged: a compressed file cannot be decompressed.
	ErrDamaged = errors.New("the compressed file is damaged or cut off")

	errPaused = errors.New("the context has ended")
)

// explain says what a failed read of a file means.
func (f *file) explain(err error) error {
	system := new(fs.PathError)
	if f.compression == "" || errors.As(err, &system) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("fileio: read %s: %w", f.id.Name, err)
	}
	return fmt.Errorf("fileio: read %s: %w: %w: %w: check it with %s -t, and give a whole file to a new job",
		f.id.Name, ErrDamaged, flow.ErrPermanent, err, map[string]string{".gz": "gzip", ".zst": "zstd"}[f.compression])
}
