package commit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/flow/failpoint"
	"github.com/millrace-io/millrace/flow/object"
)

// LedgerOptions says where a sink's ledger lies and what it publishes to.
type LedgerOptions struct {
	// Job and Sink name the owner. Required.
	Job, Sink string
	// Staging holds the ledger, below ledger/<sink>/, and the staged pieces. Required.
	Staging object.Store
	// Dest is the root of the destination. Required.
	Dest object.Store
	// Keep is the number of commits behind `through` whose objects stay. It must exceed the number of commits that can be
	// seen again after a failure. Default 1,000.
	Keep int64
}

// Ledger is the record of one sink's commits. Its methods are safe for use by several goroutines and processes, and may be
// repeated after any error.
//
//	ledger/<sink>/0000000007.claim           the whole commit; whoever creates it owns the number
//	ledger/<sink>/0000000007.done            what became of it
//	ledger/<sink>/through/0000000006         all commits up to 6 are done, and their totals; the greatest one counts
type Ledger struct {
	o LedgerOptions
}

// NewLedger gives the ledger of a sink. It touches nothing.
func NewLedger(o LedgerOptions) *Ledger {
	o.Keep = max(1, cmp.Or(o.Keep, 1000))
	return &Ledger{o: o}
}

// Outcome is what a claim found.
type Outcome int

// The outcomes of a claim.
const (
	// New: the number is ours since now.
	New Outcome = iota + 1
	// Again: the number was ours before, and the commit is not done.
	Again
	// Done: the commit is done. There is nothing to do, whatever its files look like now.
	Done
)

// String names the outcome.
func (o Outcome) String() string { return [...]string{"none", "new", "again", "done"}[o&3] }

// Claim takes the commit's number for its id. Only after it has returned New or Again may a file of the commit be made
// visible. It returns a *ConflictError if another history has the number, and ErrEarly if the number before is not claimed.
func (l *Ledger) Claim(ctx context.Context, c Commit) (Outcome, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	if err := l.follows(ctx, c); err != nil {
		return 0, err
	}
	data, err := c.Encode()
	if err != nil {
		return 0, err
	}
	failpoint.Hit("publish/before-claim")
	// Guarantee 3: whoever creates the claim has the number.
	err = l.o.Staging.Create(ctx, l.name(c.Seq, claimExt), data)
	if err != nil && !errors.Is(err, object.ErrExists) {
		return 0, err
	}
	failpoint.Hit("publish/after-claim")
	return l.judge(ctx, c, err == nil)
}

// judge says what a claim means that was created just now, or stood. A number that was done and trimmed can be created
// anew by a zombie, so `through` is read behind the claim; and what stands under such a number proves nothing, so the done
// record comes before the claim.
func (l *Ledger) judge(ctx context.Context, c Commit, created bool) (Outcome, error) {
	th, err := l.through(ctx)
	if err != nil {
		return 0, err
	}
	if created && c.Seq > th.Seq {
		return New, nil
	}
	d, found, err := l.done(ctx, c.Seq)
	switch {
	case err != nil:
		return 0, err
	case found && d.ID != c.ID:
		return 0, l.conflict(c, c.Seq, d.identity(), th.Seq)
	case found:
		return Done, l.advance(ctx)
	case c.Seq <= th.Seq:
		return 0, l.conflict(c, c.Seq, Identity{}, th.Seq)
	}
	was, found, err := l.claim(ctx, c.Seq)
	switch {
	case err != nil:
		return 0, err
	case !found:
		return l.Claim(ctx, c) // released in between
	case was.ID != c.ID:
		return 0, l.conflict(c, c.Seq, was.identity(), th.Seq)
	}
	return Again, nil
}

// follows checks that the number before is claimed by the commit's predecessor. A number that is done says nothing about
// the one before, which may be trimmed; then the number itself decides.
func (l *Ledger) follows(ctx context.Context, c Commit) error {
	if c.Seq == 1 {
		return nil
	}
	prev, found, err := l.claim(ctx, c.Seq-1)
	if err != nil || found && prev.ID == c.Prev {
		return err
	}
	th, err := l.through(ctx)
	switch {
	case err != nil || c.Seq <= th.Seq:
		return err
	case found:
		return l.conflict(c, c.Seq-1, prev.identity(), th.Seq)
	}
	return fmt.Errorf("commit: sink %s: number %d: %w", c.Sink, c.Seq, ErrEarly)
}

func (l *Ledger) conflict(c Commit, seq int64, theirs Identity, through int64) error {
	e := &ConflictError{Sink: c.Sink, Seq: seq, Ours: c.identity(), Theirs: theirs, History: Older, Through: through}
	switch {
	case theirs.ID == "":
		e.History = Trimmed
	case theirs.Incarnation != c.Incarnation:
		e.History = Fenced
	case theirs.Epoch > c.Epoch:
		e.History = Zombie
	}
	return e
}

// Finish ends a claimed commit: all its files stand, with the given results. It deletes the pieces that no undone commit
// needs, moves `through` on and trims the ledger. If the commit is done already, only that is repeated.
func (l *Ledger) Finish(ctx context.Context, c Commit, results []FileResult) error {
	for _, r := range results {
		if r.Done {
			return l.finished(ctx, c)
		}
	}
	d, err := doneOf(c, results, false)
	if err != nil {
		return err
	}
	return l.finish(ctx, c, d)
}

func (l *Ledger) finish(ctx context.Context, c Commit, d doneRecord) error {
	data, err := encodeRecord("done record", d)
	if err != nil {
		return err
	}
	failpoint.Hit("publish/before-done")
	err = l.o.Staging.Create(ctx, l.name(c.Seq, doneExt), data)
	if errors.Is(err, object.ErrExists) {
		return l.finished(ctx, c)
	}
	if err != nil {
		return err
	}
	failpoint.Hit("publish/after-done")
	return l.advance(ctx)
}

// finished repeats what follows the done record of a commit that has one.
func (l *Ledger) finished(ctx context.Context, c Commit) error {
	d, found, err := l.done(ctx, c.Seq)
	switch {
	case err != nil:
		return err
	case found && d.ID != c.ID:
		return l.conflict(c, c.Seq, d.identity(), 0)
	}
	return l.advance(ctx) // a record that is gone was trimmed
}

// advance moves `through` over all commits that are done, in order. The pieces of a commit are deleted only here: a piece
// is named by the commit that took its last range, while ranges of it may lie in earlier commits.
func (l *Ledger) advance(ctx context.Context) error {
	from, err := l.through(ctx)
	if err != nil {
		return err
	}
	to := from
	var pieces []string
	for {
		d, found, err := l.done(ctx, to.Seq+1)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		to = to.next(d)
		pieces = append(pieces, d.Pieces...)
	}
	if to.Seq == from.Seq {
		return nil
	}
	failpoint.Hit("publish/before-piece-delete")
	// Guarantee 4: all commits up to here are done.
	for _, p := range pieces {
		if err := l.o.Staging.Delete(ctx, p); err != nil {
			return err
		}
	}
	failpoint.Hit("publish/after-piece-delete")
	data, err := encodeRecord("through record", to)
	if err != nil {
		return err
	}
	if err := l.o.Staging.Create(ctx, l.throughName(to.Seq), data); err != nil && !errors.Is(err, object.ErrExists) {
		return err
	}
	return l.trim(ctx, from.Seq, to.Seq)
}

// trim deletes what lies Keep commits behind `through`, claims first: a number is done as long as anything is left of it.
func (l *Ledger) trim(ctx context.Context, from, to int64) error {
	for seq := max(0, from-l.o.Keep) + 1; seq <= to-l.o.Keep; seq++ {
		for _, ext := range []string{claimExt, doneExt} {
			if err := l.o.Staging.Delete(ctx, l.name(seq, ext)); err != nil {
				return err
			}
		}
	}
	if from > 0 {
		return l.o.Staging.Delete(ctx, l.throughName(from))
	}
	return nil
}

const (
	claimExt    = "claim"
	doneExt     = "done"
	throughKind = "through"
)

func (l *Ledger) prefix() string { return "ledger/" + pathSegment(l.o.Sink) + "/" }

func (l *Ledger) name(seq int64, ext string) string {
	return fmt.Sprintf("%s%010d.%s", l.prefix(), seq, ext)
}

func (l *Ledger) throughName(seq int64) string {
	return fmt.Sprintf("%sthrough/%010d", l.prefix(), seq)
}

// pathSegment gives a step's name as one segment of an object's name.
func pathSegment(s string) string {
	s = url.PathEscape(s)
	if strings.HasPrefix(s, ".") {
		return "%2E" + s[1:]
	}
	return s
}

// claim reads a claim.
func (l *Ledger) claim(ctx context.Context, seq int64) (Commit, bool, error) {
	return get(ctx, l.o.Staging, l.name(seq, claimExt), DecodeCommit)
}

// done reads a done record.
func (l *Ledger) done(ctx context.Context, seq int64) (doneRecord, bool, error) {
	return get(ctx, l.o.Staging, l.name(seq, doneExt), decodeDone)
}

// get reads and decodes an object; found is false if there is none.
func get[T any](ctx context.Context, s object.Store, name string, decode func([]byte) (T, error)) (v T, found bool, err error) {
	data, err := s.Get(ctx, name)
	if errors.Is(err, object.ErrNotFound) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	if v, err = decode(data); err != nil {
		return v, false, fmt.Errorf("%w: object %s in %s", err, name, s.URL())
	}
	return v, true, nil
}

// through reads the greatest `through`; it is zero in a new ledger. The greatest one may go between the listing and the
// reading, when a greater one has come.
func (l *Ledger) through(ctx context.Context) (through, error) {
	for {
		list, err := l.o.Staging.List(ctx, l.prefix()+"through/")
		if err != nil || len(list) == 0 {
			return through{}, err
		}
		t, found, err := get(ctx, l.o.Staging, list[len(list)-1].Name, decodeThrough)
		if found || err != nil {
			return t, err
		}
	}
}

// seqOf reads the number and the kind from a name in the ledger; the kind is empty for a name that the ledger did not give.
func seqOf(name string) (seq int64, kind string) {
	num, kind, _ := strings.Cut(path.Base(name), ".")
	if strings.HasSuffix(path.Dir(name), "/through") && kind == "" {
		kind = throughKind
	}
	seq, err := strconv.ParseInt(num, 10, 64)
	if err != nil || kind != throughKind && kind != claimExt && kind != doneExt {
		return 0, ""
	}
	return seq, kind
}
