package flow

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/millrace-io/millrace/flow/commit"
)

// orphans are the staged pieces of a sink that earlier starts of the job have left. Those that no state names, since the
// bundle that staged them died, would stay for ever.
//
// A copy of the job's directory may run elsewhere, and names pieces that this state does not. So a piece of an earlier start
// is deleted only behind a commit that this start has cut, when
//
//   - the commit is done: every history without it stops at its number, and no operator can release the number any more;
//   - all that earlier starts staged had come to the roll when the commit was cut. That is proved by a piece of this start
//     in the commit or in the roll behind it, since a roll gets its input in the order in which it was staged, and by END.
//
// What is needed then is what the roll held behind the commit, and what open claims name. A start that publishes nothing of
// its own deletes nothing.
type orphans struct {
	epoch int64

	mu    sync.Mutex
	found map[string]bool
	// waiting are the older pieces in the roll behind a commit of this start, by the commit's id.
	waiting map[string][]string
}

func piecesPrefix(step string) string { return "pieces/" + step + "/" }

// pieceEpoch reads the start that staged a piece from its name; 0 if it says nothing.
func pieceEpoch(name string) int64 {
	epoch, _, _ := strings.Cut(path.Base(name), "-")
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// findOrphans lists the pieces of earlier starts.
func (st *sinkState) findOrphans(ctx context.Context, step string, epoch int64) error {
	list, err := st.staging.List(ctx, piecesPrefix(step))
	if err != nil {
		return err
	}
	st.orphans = orphans{epoch: epoch, found: map[string]bool{}, waiting: map[string][]string{}}
	for _, i := range list {
		if e := pieceEpoch(i.Name); e > 0 && e < epoch {
			st.orphans.found[i.Name] = true
		}
	}
	return nil
}

// cut notes what waits behind a commit that was cut just now.
func (o *orphans) cut(c commit.Commit, waiting []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.found) == 0 || !c.End && !o.reached(c, waiting) {
		return
	}
	var older []string
	for _, p := range waiting {
		if o.found[p] {
			older = append(older, p)
		}
	}
	o.waiting[c.ID] = older
}

// reached says whether the roll has seen a piece of this start.
func (o *orphans) reached(c commit.Commit, waiting []string) bool {
	for _, p := range waiting {
		if pieceEpoch(p) == o.epoch {
			return true
		}
	}
	for _, f := range c.Files {
		for _, r := range f.Ranges {
			if pieceEpoch(r.Piece) == o.epoch {
				return true
			}
		}
	}
	return false
}

// behind gives the pieces that are garbage once the commit is done, but for those that open claims name; none if the commit
// proves nothing. It gives them once.
func (o *orphans) behind(id string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting, ok := o.waiting[id]
	if !ok {
		return nil
	}
	for _, p := range waiting {
		delete(o.found, p)
	}
	var garbage []string
	for p := range o.found {
		garbage = append(garbage, p)
	}
	o.found, o.waiting = nil, nil
	return garbage
}

// collect deletes what is garbage behind a commit that is done.
func (st *sinkState) collect(ctx context.Context, c commit.Commit) error {
	garbage := st.orphans.behind(c.ID)
	if len(garbage) == 0 {
		return nil
	}
	open, err := st.ledger.OpenPieces(ctx)
	if err != nil {
		return err
	}
	return st.deletePieces(ctx, garbage, open)
}

// collectAll deletes every older piece: the job has ended, or begins anew, and nothing that is staged will be published.
func (st *sinkState) collectAll(ctx context.Context) error {
	var all []string
	for p := range st.orphans.found {
		all = append(all, p)
	}
	st.orphans.found = nil
	return st.deletePieces(ctx, all, nil)
}

func (st *sinkState) deletePieces(ctx context.Context, names []string, but map[string]bool) error {
	for _, p := range names {
		if but[p] {
			continue
		}
		if err := st.staging.Delete(ctx, p); err != nil {
			return fmt.Errorf("collect what earlier starts have staged: %w", err)
		}
	}
	return nil
}
