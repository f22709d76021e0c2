package commit

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow/object"
)

// Resolution is what an operator does with a claim that never became visible.
type Resolution int

// The resolutions.
const (
	// PublishClaim publishes it from its staged pieces.
	PublishClaim Resolution = iota + 1
	// VoidClaim gives it up: its rows are lost and counted as such, and the job goes on with the next number.
	VoidClaim
	// ReleaseClaim takes the claim of another history away, so that this job's own commit can have the number. The
	// process of the other history must have ended.
	ReleaseClaim
)

// Resolve ends a claim that is not done, by hand. Void and release are refused if a file of the claim stands, release also
// if the next number is claimed. encode is needed to publish only.
func (l *Ledger) Resolve(ctx context.Context, seq int64, how Resolution, encode Encode) error {
	fail := func(why string) error {
		return fmt.Errorf("commit: sink %s: resolve number %d: %s", l.o.Sink, seq, why)
	}
	c, found, err := l.claim(ctx, seq)
	if err != nil {
		return err
	}
	_, done, err := l.done(ctx, seq)
	switch {
	case err != nil:
		return err
	case !found:
		return fail("there is no such claim; see status for those that are open")
	case done:
		return fail("it is done; there is nothing to resolve")
	case c.Begin:
		return fail("it begins an incarnation; start or reset the job to complete it")
	case how == PublishClaim:
		_, err := l.Publish(ctx, c, encode)
		return err
	}
	standing, err := l.standing(ctx, c)
	if err != nil {
		return err
	}
	if len(standing) > 0 {
		return fail(fmt.Sprintf("%d of its %d files are visible, such as %s; publish it", len(standing), len(c.Files), standing[0].Name))
	}
	if how == VoidClaim {
		return l.void(ctx, c, nil)
	}
	if _, next, err := l.claim(ctx, seq+1); err != nil || next {
		return errors.Join(err, fail("the next number is claimed behind it; publish or void it"))
	}
	return l.o.Staging.Delete(ctx, l.name(seq, claimExt))
}

// standing gives the files of a commit that are visible.
func (l *Ledger) standing(ctx context.Context, c Commit) ([]FileResult, error) {
	var out []FileResult
	for _, f := range c.Files {
		size, err := l.o.Dest.Stat(ctx, f.Name)
		if errors.Is(err, object.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, FileResult{Name: f.Name, Rows: f.Rows, Bytes: size})
	}
	return out, nil
}

// void writes the done record of a commit of which only the given files stand.
func (l *Ledger) void(ctx context.Context, c Commit, standing []FileResult) error {
	d, err := doneOf(c, standing, true)
	if err != nil {
		return err
	}
	return l.finish(ctx, c, d)
}
