package commit

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/flow/failpoint"
	"github.com/millrace-io/millrace/flow/object"
)

// Encode writes one file of a commit. It reads the file's ranges with ReadRange, gives the same rows for the same file,
// and fails only for reasons of storage.
type Encode func(ctx context.Context, w io.Writer, f File) error

// Publish takes one commit through the whole protocol: claim, every file in turn, done. It may be repeated after any error.
func (l *Ledger) Publish(ctx context.Context, c Commit, encode Encode) (Outcome, error) {
	outcome, err := l.Claim(ctx, c)
	if err != nil || outcome == Done {
		return outcome, err
	}
	results := make([]FileResult, 0, len(c.Files))
	for _, f := range c.Files {
		r, err := l.WriteFile(ctx, c, f, encode)
		if err != nil {
			return outcome, err
		}
		results = append(results, r)
	}
	return outcome, l.Finish(ctx, c, results)
}

// WriteFile makes one file of a claimed commit visible, whole, under its final name. A file that stands is left as it is;
// if the commit is done nothing is looked at, and the result says so.
func (l *Ledger) WriteFile(ctx context.Context, c Commit, f File, encode Encode) (FileResult, error) {
	size, err := l.o.Dest.Stat(ctx, f.Name)
	if err == nil {
		return FileResult{Name: f.Name, Rows: f.Rows, Bytes: size}, nil
	}
	if !errors.Is(err, object.ErrNotFound) {
		return FileResult{}, err
	}
	// Guarantee 2: a file that is absent is written only while its commit is not done, under a name that no other commit has.
	if done, err := l.isDone(ctx, c); done || err != nil {
		return FileResult{Name: f.Name, Done: true}, err
	}
	var n int64
	traced := object.WithTrace(ctx, object.Trace{
		Synced:  func() { failpoint.Hit("publish/file-written") },
		Visible: func() { failpoint.Hit("publish/file-renamed") },
	})
	err = l.o.Dest.Put(traced, f.Name, func(w io.Writer) error {
		c := counter{w: w}
		err := encode(ctx, &c, f)
		n = c.n
		return err
	})
	if err == nil {
		return FileResult{Name: f.Name, Rows: f.Rows, Bytes: n}, nil
	}
	// Another process with the same commit may have finished it, and its pieces are gone.
	done, doneErr := l.isDone(ctx, c)
	if done && doneErr == nil {
		return FileResult{Name: f.Name, Done: true}, nil
	}
	return FileResult{}, fmt.Errorf("commit: sink %s: number %d: %w", c.Sink, c.Seq, errors.Join(err, doneErr))
}

// isDone says whether a claimed commit is done.
func (l *Ledger) isDone(ctx context.Context, c Commit) (bool, error) {
	d, found, err := l.done(ctx, c.Seq)
	if err != nil {
		return false, err
	}
	if found {
		if d.ID != c.ID {
			return false, l.conflict(c, c.Seq, d.identity(), 0)
		}
		return true, nil
	}
	th, err := l.through(ctx)
	return c.Seq <= th.Seq, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// ReadRange reads a range of a staged piece and checks its sum. Damaged bytes are ErrDamaged.
func ReadRange(ctx context.Context, staging object.Store, g Range) (data []byte, err error) {
	r, err := staging.Open(ctx, g.Piece)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if g.Off < 0 || g.Len < 0 || g.Off > r.Size() || g.Len > r.Size()-g.Off {
		return nil, fmt.Errorf("commit: piece %s in %s has %d bytes, no range of %d at %d: %w", g.Piece, staging.URL(), r.Size(), g.Len, g.Off, ErrDamaged)
	}
	data = make([]byte, g.Len)
	if _, err := r.ReadAt(data, g.Off); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("commit: read piece %s in %s: %w", g.Piece, staging.URL(), err)
	}
	if Sum(data) != g.Sum {
		return nil, fmt.Errorf("commit: piece %s in %s, %d bytes at %d: %w: the sum differs; restore the staging place or void the commit (resolve)",
			g.Piece, staging.URL(), g.Len, g.Off, ErrDamaged)
	}
	return data, nil
}
