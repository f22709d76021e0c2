package commit

import (
	"errors"
	"fmt"
)

// ErrEarly says that a commit came before its predecessor was claimed. Nothing happened; the caller tries again when the
// predecessor has had its time, and fails after a bound of its own.
var ErrEarly = errors.New("the commit before this one is not claimed yet")

// ErrDamaged says that staged bytes are not those that were staged.
var ErrDamaged = errors.New("staged bytes are damaged")

// Identity names one commit of one history.
type Identity struct {
	ID, Incarnation string
	Epoch           int64
}

func (c Commit) identity() Identity {
	return Identity{ID: c.ID, Incarnation: c.Incarnation, Epoch: c.Epoch}
}

// History says how two histories of a job that meet in one ledger stand to each other.
type History int

// The histories that a conflict can show.
const (
	// Fenced: the job was reset, and the commit belongs to an incarnation before that.
	Fenced History = iota + 1
	// Zombie: a later start of the same job has published; this process was to be gone.
	Zombie
	// Older: what is published is ahead of the state that made the commit, or comes from a copy of it.
	Older
	// Trimmed: the number is older than what the ledger keeps, so that its id cannot be compared.
	Trimmed
)

// String names the history.
func (h History) String() string {
	switch h {
	case Fenced:
		return "fenced"
	case Zombie:
		return "zombie"
	case Older:
		return "older state"
	case Trimmed:
		return "trimmed"
	}
	return "unknown"
}

// ConflictError says that another history of the job has published under the number of a commit, or under the one before.
// Nothing of the commit became visible. The process stops; a retry meets the same conflict.
type ConflictError struct {
	Sink string
	// Seq is the number at which the histories differ.
	Seq int64
	// Ours is the commit that was refused, Theirs the one in the ledger; it is zero if the ledger has trimmed it.
	Ours, Theirs Identity
	History      History
	// Through is the number up to which all commits are done.
	Through int64
}

// Error says which history this is and what to do.
func (e *ConflictError) Error() string {
	head := fmt.Sprintf("commit: sink %s: number %d: this is commit %s of incarnation %s, start %d; ", e.Sink, e.Seq, e.Ours.ID, e.Ours.Incarnation, e.Ours.Epoch)
	theirs := fmt.Sprintf("the ledger has commit %s of incarnation %s, start %d: ", e.Theirs.ID, e.Theirs.Incarnation, e.Theirs.Epoch)
	switch e.History {
	case Fenced:
		return head + theirs + "the job was reset and this process belongs to the time before (FENCED); end it, nothing it holds will be published"
	case Zombie:
		return head + theirs + "a later start of the job has published (FENCED); end this process, the other one goes on"
	case Trimmed:
		return head + fmt.Sprintf("the ledger is done through %d and keeps no more of this number: the state is older than what is published; "+
			"go on with the newest state of the job, or reset it (reset --keep | --replace)", e.Through)
	default:
		return head + theirs + "this state is older than what is published, or a copy of it runs elsewhere; go on with the newest state of the job, " +
			"or, if that is lost, reset it (reset --keep | --replace); a claim that never became visible can be released (resolve --release)"
	}
}

// Reason says why a job must not start to publish into a place.
type Reason int

// The reasons to stop at the start.
const (
	// OccupiedPlace: another job or sink publishes there, or files of unknown origin lie there.
	OccupiedPlace Reason = iota + 1
	// StateLost: the ledger belongs to an incarnation that this state does not know: the job's directory was lost.
	StateLost
	// StateFenced: the ledger has gone on to a newer incarnation: the job was reset.
	StateFenced
	// LedgerLost: this state has published before, but the ledger is empty or gone.
	LedgerLost
	// DestinationLost: the ledger has commits, but the destination's marker is gone.
	DestinationLost
)

// AttachError says why a job must not start to publish into a place, and what to do. Nothing was changed.
type AttachError struct {
	Reason            Reason
	Sink, Job         string
	Destination       string
	Ours, Theirs      string // incarnations
	Found             string // OccupiedPlace: what was found
	LedgerPlace       string
	PublishedThrough  int64
	PublishedRowCount int64
}

// Error says what was found and what to do.
func (e *AttachError) Error() string {
	head := fmt.Sprintf("commit: sink %s of job %s: ", e.Sink, e.Job)
	reset := "; `reset --keep` goes on and leaves what is visible, `reset --replace` deletes what this job made visible first"
	switch e.Reason {
	case OccupiedPlace:
		return head + fmt.Sprintf("%s holds %s; choose an empty place, or start with --append to add to it", e.Destination, e.Found)
	case StateLost:
		return head + fmt.Sprintf("the ledger in %s belongs to incarnation %s with %d rows published through number %d, this state to %s: "+
			"the job's directory was lost or is another one; start with the old directory%s",
			e.LedgerPlace, e.Theirs, e.PublishedRowCount, e.PublishedThrough, e.Ours, reset)
	case StateFenced:
		return head + fmt.Sprintf("the job was reset: the ledger in %s goes on with incarnation %s, this state belongs to %s (FENCED); use the newer state%s",
			e.LedgerPlace, e.Theirs, e.Ours, reset)
	case LedgerLost:
		return head + fmt.Sprintf("this job has published into %s, but its ledger in %s is gone; put it back%s", e.Destination, e.LedgerPlace, reset)
	default:
		return head + fmt.Sprintf("%s has no marker of this job, but %d rows were published there through number %d: it was deleted or moved; put it back%s",
			e.Destination, e.PublishedRowCount, e.PublishedThrough, reset)
	}
}
