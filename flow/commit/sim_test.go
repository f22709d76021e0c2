package commit

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	simSeed      = flag.Uint64("sim.seed", 0, "run this one schedule of the simulation, with a trace")
	simSchedules = flag.Uint64("sim.schedules", defaultSchedules, "number of schedules of the simulation")
)

// TestSimulation runs the protocol through random schedules: a job and its crashes, zombies with the same input, copies that
// run on from an older state, resets, lost and late replies at every operation. Three destinations with different ages
// share pieces, and the ledger keeps three commits. See world and check for what must hold.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		if err := simulate(*simSeed, mutant{}, t.Logf); err != nil {
			t.Fatal(err)
		}
		return
	}
	if seed, err := simulateAll(mutant{}, *simSchedules); err != nil {
		t.Fatalf("%v\nrun it again: go test ./flow/commit -run TestSimulation -v -sim.seed=%d", err, seed)
	}
}

// simulateAll runs the schedules 1 to n, two at a time, and gives the first fault that it finds.
func simulateAll(m mutant, n uint64) (seed uint64, err error) {
	var next atomic.Uint64
	var once sync.Once
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for s := next.Add(1); s <= n; s = next.Add(1) {
				if e := simulate(s, m, nil); e != nil {
					once.Do(func() { seed, err = s, e })
					next.Store(n)
				}
			}
		})
	}
	wg.Wait()
	return seed, err
}

// simulate runs one schedule: a time of faults, then a time in which everything that may go on comes to its end.
func simulate(seed uint64, m mutant, trace func(string, ...any)) error {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), mutant: m, objects: map[string][]byte{},
		seen: map[string]int{}, done: map[int64]string{}, faults: true, trace: trace,
	}
	defer func() {
		for _, p := range w.procs {
			p.kill()
		}
	}()
	for range 4 + w.rng.IntN(14) {
		w.rows = append(w.rows, []string{"fast", "medium", "slow"}[w.rng.IntN(3)])
	}
	w.newLineage("job", state{}, w.newID())
	reset := w.one(8)
	for n := 150 + w.rng.IntN(450); n > 0 && w.broken == nil; n-- {
		w.happen()
		w.step()
		if reset && n == 100 {
			w.reset()
		}
	}
	w.faults = false
	for _, late := range w.late {
		late()
	}
	w.late = nil
	for n := 0; w.broken == nil; n++ {
		w.restart(1)
		if !w.step() {
			break
		}
		if n == 20_000 {
			w.fail("the schedule does not end")
		}
	}
	if w.broken == nil {
		w.check()
	}
	return w.broken
}

func (w *world) newLineage(name string, s state, incarnation string) *lineage {
	l := &lineage{name: name, state: s, incarnation: incarnation, tried: map[string]bool{}}
	w.lines = append(w.lines, l)
	w.start(l, true)
	return l
}

// happen is what befalls the processes from outside.
func (w *world) happen() {
	l := w.lines[w.rng.IntN(len(w.lines))]
	switch w.rng.IntN(120) {
	case 0:
		w.startTwin(l)
	case 1:
		// A copy of the job's directory, as it was some commits ago. It may have attached before it was paused.
		if past := l.past; len(past) > 0 && len(w.lines) < 4 && l.stopped == nil {
			old := past[max(0, len(past)-1-w.rng.IntN(12))]
			c := &lineage{name: fmt.Sprintf("copy%d", len(w.lines)), state: old, incarnation: l.incarnation, started: l.started, tried: map[string]bool{}}
			w.lines = append(w.lines, c)
			w.start(c, w.one(2))
		}
	case 2:
		if len(w.procs) > 0 {
			w.procs[w.rng.IntN(len(w.procs))].kill()
		}
	default:
		w.restart(30)
	}
}

// restart starts lineages that have no process, each once in n times.
func (w *world) restart(n int) {
	for _, l := range w.lines {
		running := slices.ContainsFunc(w.procs, func(p *proc) bool { return p.line == l && !p.twin && !p.crashed })
		finished := l.state.ended && len(l.state.queue) == 0
		if !running && !finished && l.stopped == nil && w.one(n) {
			w.start(l, true)
		}
	}
	w.procs = slices.DeleteFunc(w.procs, func(p *proc) bool { return p.crashed })
}

// reset ends every process, as an operator must, and begins a new incarnation that replaces what is visible. Zombies and
// copies of the time before may come back later.
func (w *world) reset() {
	for _, p := range w.procs {
		p.kill()
	}
	for _, late := range w.late {
		late()
	}
	w.late = nil
	incarnation := w.newID()
	done := false
	for try := 0; !done; try++ {
		p := &proc{w: w, name: "operator"}
		w.procs = append(w.procs, p)
		p.spawn(func(a *actor) {
			_, err := a.ledger().Reset(context.Background(), ResetOptions{Incarnation: incarnation, Replace: true})
			done = err == nil
		})
		for len(p.actors) > 0 && !p.actors[0].gone {
			p.actors[0].next()
		}
		p.kill()
	}
	for _, l := range w.lines {
		l.stopped = nil // it may try once more, and must be refused
	}
	w.newLineage("reset", state{}, incarnation)
}

// check says what must hold in the end: every row is visible once, the end was published once, what was refused was
// reported, and the ledger's totals are those of the destination.
func (w *world) check() {
	for i := range w.rows {
		if row := fmt.Sprintf("row%d", i); w.seen[row] != 1 {
			w.fail("row %s is visible %d times", row, w.seen[row])
		}
	}
	st, done := w.ledgerState()
	ends := 0
	for _, d := range done {
		if d.End && d.Incarnation == st.Current().ID {
			ends++
		}
	}
	total := Counts{Rows: int64(len(w.rows)), Weight: int64(len(w.rows))}
	switch {
	case w.broken != nil:
		return
	case !st.Ended || len(st.Open) > 0 || ends != 1:
		w.fail("the ledger does not show the end: %+v", st)
	case st.Totals.Visible != total || len(st.Totals.Parts) != 1 || st.Totals.Parts[0].Counts != total || st.Totals.Lost != Counts{}:
		w.fail("totals %+v of %d rows", st.Totals, len(w.rows))
	}
	survivors, reasons := 0, ""
	for _, l := range w.lines {
		reasons += fmt.Sprintf("\n%s: %v", l.name, l.stopped)
		if l.stopped == nil {
			survivors++
		}
		for _, q := range l.state.queue {
			if l.stopped == nil {
				w.fail("%s has number %d left", l.name, q.Seq)
			}
		}
	}
	if survivors == 0 {
		w.fail("no process came to the end:%s", reasons)
	}
	for _, d := range done {
		for _, piece := range d.Pieces {
			if _, ok := w.objects["s/"+piece]; ok {
				w.fail("piece %s of number %d is left", piece, d.Seq)
			}
		}
	}
}

// ledgerState reads the ledger without faults.
func (w *world) ledgerState() (st Status, done []doneRecord) {
	p := &proc{w: w, name: "check"}
	p.spawn(func(a *actor) {
		var err error
		if st, err = a.ledger().State(context.Background()); err != nil {
			w.fail("read the ledger: %w", err)
		}
	})
	for !p.actors[0].gone {
		p.actors[0].next()
	}
	for name, data := range w.objects {
		if strings.HasSuffix(name, ".done") {
			d, err := decodeDone(data)
			if err != nil {
				w.fail("%w", err)
			}
			done = append(done, d)
		}
	}
	return st, done
}
