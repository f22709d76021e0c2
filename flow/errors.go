package flow

import (
	"errors"

	"github.com/millrace-io/millrace/flow/commit"
)

// Sentinels that callers branch on.
var (
	// ErrIdentity: a stored position belongs to another thing than the one that was opened, such as a topic that was
	// created anew, a changed file, or another database.
	ErrIdentity = errors.New("the source is not the one the job has read before")
	// ErrGap: the stored position is gone, for instance because retention has passed it.
	ErrGap = errors.New("data between the stored position and the oldest readable one is gone")
	// ErrSchema: the source's schema is not the one the job was started with.
	ErrSchema = errors.New("the source's schema has changed")
	// ErrPermanent marks an error that a retry cannot mend.
	ErrPermanent = errors.New("permanent")
)

// Permanent says whether a repetition would fail in the same way. Whatever is not known to is tried again.
func Permanent(err error) bool {
	for _, p := range []error{ErrPermanent, ErrIdentity, ErrGap, ErrSchema, commit.ErrDamaged} {
		if errors.Is(err, p) {
			return true
		}
	}
	_, conflict := errors.AsType[*commit.ConflictError](err)
	return conflict
}
