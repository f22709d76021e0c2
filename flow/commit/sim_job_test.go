package commit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// maxQueue bounds the span of numbers between roll and publish. The ledger of the simulation keeps as many commits.
const maxQueue = 3

// state is what a job has committed, as a value: the engine changes it in one step per bundle.
type state struct {
	pos    int      // rows read
	staged []Staged // between stage and roll
	roll   []byte   // state of the roll
	queue  []Commit // between roll and publish: stable input
	end    bool     // the source is read
	ended  bool     // the end is cut
}

// lineage is a job directory: one line of committed states. A copy of it is another one.
type lineage struct {
	name        string
	state       state
	past        []state
	incarnation string
	stopped     error // why it must not go on
	started     int64
	tried       map[string]bool // ids that were published or tried
}

func (p *proc) commit(s state) {
	if p.twin || p.crashed {
		return
	}
	p.line.past = append(p.line.past, p.line.state)
	p.line.state = s
}

func (a *actor) ledger() *Ledger {
	return NewLedger(LedgerOptions{Job: testJob, Sink: testSink, Staging: store{a, "s/"}, Dest: store{a, "d/"}, Keep: maxQueue})
}

// start runs a process of a lineage: attach, then stage, roll and two publishers beside each other.
func (w *world) start(l *lineage, attach bool) {
	l.started++
	p := &proc{w: w, name: fmt.Sprintf("%s.%d", l.name, l.started), line: l}
	w.procs = append(w.procs, p)
	p.spawn(func(a *actor) {
		first, ok := p.attach(a, attach)
		if !ok {
			return
		}
		p.spawn(p.stage)
		p.spawn(func(a *actor) { p.roll(a, first) })
		for slot := range 2 {
			p.spawn(func(a *actor) { p.publish(a, slot) })
		}
	})
}

// startTwin runs a process that has the same stable input in hand and can commit nothing: a zombie.
func (w *world) startTwin(l *lineage) {
	p := &proc{w: w, name: l.name + ".twin", line: l, twin: true}
	w.procs = append(w.procs, p)
	queue := slices.Clone(l.state.queue)
	p.spawn(func(a *actor) {
		for _, c := range queue {
			for p.publishOne(a, c) != nil {
				if !a.pause() || w.one(4) {
					return
				}
			}
		}
	})
}

func (p *proc) attach(a *actor, whole bool) (int64, bool) {
	l := p.line
	for !a.gone {
		var at Attached
		var err error
		if whole {
			at, err = a.ledger().Attach(context.Background(), AttachOptions{Incarnation: l.incarnation, Resumed: l.state.pos > 0})
		} else {
			at.First, err = a.ledger().First(context.Background(), l.incarnation)
		}
		if err == nil {
			return at.First, true
		}
		if _, refused := errors.AsType[*AttachError](err); refused {
			p.stop(err)
			return 0, false
		}
	}
	return 0, false
}

// stop ends the lineage: its process has found that it must not go on.
func (p *proc) stop(err error) {
	if !p.twin && p.line.stopped == nil {
		p.line.stopped = err
	}
	p.crashed = true
}

// stage reads up to three rows, writes them as one piece and commits.
func (p *proc) stage(a *actor) {
	w := p.w
	for !a.gone && !p.line.state.end {
		s := p.line.state
		n := min(1+w.rng.IntN(3), len(w.rows)-s.pos)
		byDest := map[string][]int{}
		for i := s.pos; i < s.pos+n; i++ {
			byDest[w.rows[i]] = append(byDest[w.rows[i]], i)
		}
		st, body := stagedRows("pieces/"+w.newID(), byDest)
		err := store{a, "s/"}.Put(context.Background(), st.Piece, func(out io.Writer) error {
			_, err := io.WriteString(out, body)
			return err
		})
		if err != nil {
			continue
		}
		s = p.line.state
		s.pos += n
		s.staged = append(slices.Clone(s.staged), st)
		s.end = s.pos == len(w.rows)
		p.commit(s)
	}
}

func stagedRows(piece string, byDest map[string][]int) (Staged, string) {
	s, body := Staged{Piece: piece, NumRanges: len(byDest)}, ""
	for _, dest := range []string{"fast", "medium", "slow"} {
		text := ""
		for _, i := range byDest[dest] {
			text += fmt.Sprintf("row%d\n", i)
		}
		if text == "" {
			continue
		}
		n := Counts{Rows: int64(len(byDest[dest])), Weight: int64(len(byDest[dest]))}
		s.Manifests = append(s.Manifests, Manifest{
			Piece: piece, Dest: dest, Off: int64(len(body)), Len: int64(len(text)), Counts: n, Sum: Sum([]byte(text)),
			Parts: []PartRange{{Partition: "source", Counts: n}},
		})
		body += text
	}
	return s, body
}

func (p *proc) rollOptions(first int64) RollOptions {
	return RollOptions{
		Sink: testSink, Job: testJob, Incarnation: p.line.incarnation, First: first, Epoch: p.line.started, Rows: 4, FileBytes: 12,
		AgeOf: func(dest string) time.Duration {
			return map[string]time.Duration{"fast": 10, "medium": 60, "slow": 400}[dest] * time.Millisecond
		},
	}
}

// roll takes one staged element, or a deadline, or the end, and commits the new state together with what it cut.
func (p *proc) roll(a *actor, first int64) {
	for a.pause() && !p.line.state.ended {
		s := p.line.state
		r, err := DecodeRoll(s.roll, p.rollOptions(first))
		if err == nil && len(s.queue) > 0 && r.next-s.queue[0].Seq >= maxQueue {
			continue
		}
		if err == nil && len(s.staged) > 0 {
			err = r.Add(s.staged[0], p.w.now)
			s.staged = s.staged[1:]
		}
		if err != nil {
			p.w.fail("roll of %s: %w", p.name, err)
			return
		}
		end := s.end && len(s.staged) == 0 && p.w.one(3)
		c, ok := r.Cut(r.Due(p.w.now), CutOptions{NewID: p.w.newID, End: end})
		if ok {
			s.queue = append(slices.Clone(s.queue), c)
		}
		s.ended = r.Ended()
		s.roll = r.Encode()
		p.commit(s)
	}
}

// publish takes the commit at its place in the queue through the ledger, again after each failure, and removes it.
func (p *proc) publish(a *actor, slot int) {
	for a.pause() {
		s := p.line.state
		if slot >= len(s.queue) {
			if s.ended && len(s.queue) == 0 {
				return
			}
			continue
		}
		c := s.queue[slot]
		if p.publishOne(a, c) != nil {
			continue
		}
		s = p.line.state
		s.queue = slices.DeleteFunc(slices.Clone(s.queue), func(q Commit) bool { return q.ID == c.ID })
		p.commit(s)
	}
}

// publishOne runs the protocol, or a mutant of it, and judges what comes back.
func (p *proc) publishOne(a *actor, c Commit) error {
	l, m := a.ledger(), p.w.mutant
	var err error
	defer func(id string) { p.line.tried[id] = true }(c.ID)
	switch {
	case m.publish != nil:
		c, err = m.publish(a, l, c)
	default:
		_, err = l.Publish(context.Background(), c, a.encode)
	}
	_, conflict := errors.AsType[*ConflictError](err)
	switch {
	case a.gone || p.crashed:
		return errCrash
	case conflict && m.skipConflicts:
		return nil
	case conflict:
		p.stop(err)
	case err != nil && !errors.Is(err, errLost) && !errors.Is(err, ErrEarly):
		p.w.fail("%s: number %d: %w", p.name, c.Seq, err) // such as a piece that is gone
	case err == nil && p.w.done[c.Seq] != c.ID:
		p.w.fail("%s went on behind number %d of another history", p.name, c.Seq)
	}
	return err
}

func (a *actor) encode(ctx context.Context, w io.Writer, f File) error {
	for _, g := range f.Ranges {
		data, err := ReadRange(ctx, store{a, "s/"}, g)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, strings.Clone(string(data))); err != nil {
			return err
		}
	}
	return nil
}
