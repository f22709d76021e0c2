package wm

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var seedFlag = flag.Uint64("wm.seed", 0, "run the watermark simulation with this seed only")

// work is what a stage still has to do, as the committed state of a job knows it: an element (it keeps the input watermark
// back), a timer or a residual (they keep the output watermark back).
type work struct {
	id    int
	what  string // element, timer, residual
	stage int
	ts    int64 // of the element, or the hold
	fire  int64 // of a timer
	left  int   // emissions that a residual has left
	late  bool  // it comes from an element that its source emitted behind its own watermark
}

// bundle does one piece of work. Its results count when it is committed.
type bundle struct {
	in  work
	out []work
	wm  []Value // the watermarks that the commit saves
}

// sim is a job: its committed state, its bundles in flight and the watermarks of its memory.
type sim struct {
	rng       *rand.Rand
	dag       [][]int
	consumers [][]int
	build     func() tracker
	faults

	todo  []work // committed, in no bundle
	saved []Value
	ids   int

	wm        tracker
	seen      []Value
	running   []bundle
	committed []bundle // handed to the store, durable in this order
	elements  int
}

func newSim(seed uint64, build func(dag [][]int) tracker, f faults) *sim {
	s := &sim{rng: rand.New(rand.NewPCG(seed, 1)), faults: f}
	n := 2 + s.rng.IntN(6)
	s.dag, s.consumers = make([][]int, n), make([][]int, n)
	for i := 1; i < n; i++ {
		for p := range i {
			if s.rng.IntN(2) == 0 {
				s.dag[i] = append(s.dag[i], p)
				s.consumers[p] = append(s.consumers[p], i)
			}
		}
	}
	s.build = func() tracker { return build(s.dag) }
	s.saved = slices.Repeat([]Value{{Min, Min}}, n)
	for i := range n {
		if len(s.dag[i]) == 0 {
			s.todo = append(s.todo, s.work(work{what: "residual", stage: i, ts: s.rng.Int64N(20), left: 1 + s.rng.IntN(8)}))
		}
	}
	return s
}

func (s *sim) work(w work) work {
	s.ids++
	w.id = s.ids
	return w
}

func (w work) kind() kind {
	if w.what == "element" {
		return pending
	}
	return hold
}

// run ends with nil when all work is done and every watermark is at the end.
func (s *sim) run() error {
	if err := s.start(); err != nil {
		return err
	}
	for step := range 100_000 {
		if len(s.todo)+len(s.running)+len(s.committed) == 0 {
			return s.atEnd()
		}
		ready := s.ready()
		if len(ready)+len(s.running)+len(s.committed) == 0 {
			s.wm.advance() // what was published without an advance may be what the timers wait for
			if err := s.check(); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
			if len(s.ready()) == 0 {
				return fmt.Errorf("step %d: timers wait for ever: %+v", step, s.todo)
			}
			continue
		}
		if err := s.step(ready); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	return errors.New("the schedule does not end")
}

func (s *sim) step(ready []int) error {
	switch n := s.rng.IntN(100); {
	case n < 45 && len(ready) > 0:
		s.begin(ready[s.rng.IntN(len(ready))])
	case n < 65 && len(s.running) > 0:
		i := s.rng.IntN(len(s.running))
		b := s.running[i]
		b.wm = s.values()
		s.running = slices.Delete(s.running, i, i+1)
		s.committed = append(s.committed, b)
	case n < 90 && len(s.committed) > 0:
		b := s.committed[0]
		s.committed = s.committed[1:]
		s.durable(b)
		if s.rng.IntN(4) > 0 { // sometimes several bundles are published at once
			s.wm.advance()
		}
	case n < 95 && len(s.running) > 0:
		i := s.rng.IntN(len(s.running))
		s.giveBack(s.running[i])
		s.running = slices.Delete(s.running, i, i+1)
	case n == 99:
		return s.crash()
	}
	return s.check()
}

// ready lists the work that may start: all elements and residuals, and the timers that the input watermark has reached.
func (s *sim) ready() []int {
	var out []int
	for i, w := range s.todo {
		if w.what != "timer" || s.wm.value(w.stage).Input >= w.fire {
			out = append(out, i)
		}
	}
	return out
}

func (s *sim) begin(i int) {
	w := s.todo[i]
	s.todo = slices.Delete(s.todo, i, i+1)
	if s.forgetsRunning && w.what == "element" {
		s.wm.remove(pending, w.stage, w.ts)
		s.wm.advance()
	}
	b := bundle{in: w}
	switch w.what {
	case "residual":
		for range s.rng.IntN(3) {
			ts, late := w.ts+s.rng.Int64N(10), w.late
			if s.rng.IntN(6) == 0 {
				ts, late = w.ts-1-s.rng.Int64N(10), true
			}
			b.out = append(b.out, s.emit(w.stage, ts, late)...)
		}
		if w.left > 1 {
			b.out = append(b.out, s.work(work{what: "residual", stage: w.stage, ts: w.ts + s.rng.Int64N(10), left: w.left - 1, late: w.late}))
		}
	case "timer":
		b.out = s.emit(w.stage, w.ts+s.rng.Int64N(5), w.late)
	case "element":
		switch s.rng.IntN(5) {
		case 0:
			at := w.ts + s.rng.Int64N(5)
			b.out = append(b.out, s.work(work{what: "timer", stage: w.stage, ts: at, fire: at + s.rng.Int64N(20), late: w.late}))
		case 1:
			b.out = append(b.out, s.work(work{what: "residual", stage: w.stage, ts: w.ts, left: 1 + s.rng.IntN(2), late: w.late}))
		default:
			b.out = s.emit(w.stage, w.ts+s.rng.Int64N(5), w.late)
		}
	}
	s.running = append(s.running, b)
}

// emit makes an element for every consumer, and for none once the job is large enough.
func (s *sim) emit(stage int, ts int64, late bool) []work {
	var out []work
	for _, c := range s.consumers[stage] {
		if s.elements < 200 {
			s.elements++
			out = append(out, s.work(work{what: "element", stage: c, ts: ts, late: late}))
		}
	}
	return out
}

func (s *sim) giveBack(b bundle) {
	if s.forgetsRunning && b.in.what == "element" {
		s.wm.add(pending, b.in.stage, b.in.ts)
	}
	s.todo = append(s.todo, b.in)
}

// durable makes a bundle part of the committed state and publishes it to the watermarks.
func (s *sim) durable(b bundle) {
	s.saved = b.wm
	s.todo = append(s.todo, b.out...)
	if !s.forgetsRunning || b.in.what != "element" {
		s.wm.remove(b.in.kind(), b.in.stage, b.in.ts)
	}
	if s.halfPublished {
		s.wm.advance()
	}
	for _, w := range b.out {
		s.wm.add(w.kind(), w.stage, w.ts)
	}
}

// crash loses the memory: bundles in flight never were, and the watermarks start from what is committed.
func (s *sim) crash() error {
	for _, b := range slices.Concat(s.running, s.committed) {
		s.todo = append(s.todo, b.in)
	}
	s.running, s.committed = nil, nil
	return s.start()
}

func (s *sim) start() error {
	s.wm = s.build()
	s.wm.restore(s.saved)
	for _, w := range s.todo {
		if w.kind() == pending || !s.restoredBare {
			s.wm.add(w.kind(), w.stage, w.ts)
		}
	}
	s.wm.advance()
	s.seen = s.saved
	return s.check()
}

func (s *sim) values() []Value {
	var out []Value
	for i := range s.dag {
		out = append(out, s.wm.value(i))
	}
	return out
}

func (s *sim) check() error {
	now := s.values()
	for i, v := range now {
		if v.Output > v.Input {
			return fmt.Errorf("stage %s: output %d is ahead of input %d", name(i), v.Output, v.Input)
		}
		if v.Input < s.seen[i].Input || v.Output < s.seen[i].Output {
			return fmt.Errorf("stage %s went back from %v to %v", name(i), s.seen[i], v)
		}
	}
	s.seen = now
	all := slices.Clone(s.todo)
	for _, b := range slices.Concat(s.running, s.committed) {
		all = append(all, b.in)
	}
	for _, w := range all {
		passed := w.kind() == pending && now[w.stage].Input > w.ts || w.kind() == hold && now[w.stage].Output > w.ts
		if passed && !w.late {
			return fmt.Errorf("stage %s at %v passed %+v", name(w.stage), now[w.stage], w)
		}
	}
	return nil
}

func (s *sim) atEnd() error {
	s.wm.advance()
	for i, v := range s.values() {
		if v.Input != Max || v.Output != Max {
			return fmt.Errorf("all is done, but stage %s is at %v", name(i), v)
		}
	}
	return s.check()
}

func seeds(n uint64) []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	var out []uint64
	for s := range n {
		out = append(out, s+1)
	}
	return out
}

// both runs the Tracker and the model side by side and reports where they differ.
type both struct {
	*tracked
	m *model
}

func (b both) add(k kind, stage int, ts int64) {
	b.tracked.add(k, stage, ts)
	b.m.add(k, stage, ts)
}

func (b both) remove(k kind, stage int, ts int64) {
	b.tracked.remove(k, stage, ts)
	b.m.remove(k, stage, ts)
}

func (b both) advance() {
	b.tracked.advance()
	b.m.advance()
	for i, want := range b.m.values {
		if got := b.tracked.value(i); got != want {
			b.fail("stage %s is at %v, the model at %v", name(i), got, want)
		}
	}
}

func (b both) restore(values []Value) {
	b.tracked.restore(values)
	b.m.restore(values)
}

func TestSimulation(t *testing.T) {
	for _, seed := range seeds(3000) {
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d (-wm.seed): "+format, append([]any{seed}, args...)...)
		}
		s := newSim(seed, func(dag [][]int) tracker { return both{newReal(dag, fail), newModel(dag, faults{})} }, faults{})
		if err := s.run(); err != nil {
			fail("%v", err)
		}
	}
}

func TestSimulationCatchesMutants(t *testing.T) {
	for name, f := range map[string]faults{
		"elements ignored":                       {ignore: [2]bool{pending: true}},
		"holds ignored":                          {ignore: [2]bool{hold: true}},
		"elements in flight ignored":             {forgetsRunning: true},
		"goes back for late elements":            {goesBack: true},
		"follows one producer only":              {oneProducer: true},
		"output does not follow input":           {outputAlone: true},
		"holds never released":                   {keepsHolds: true},
		"restored too high":                      {restoredHigh: true},
		"not restored":                           {notRestored: true},
		"restored without holds":                 {restoredBare: true},
		"consumed published before its products": {halfPublished: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, seed := range seeds(3000) {
				s := newSim(seed, func(dag [][]int) tracker { return newModel(dag, f) }, f)
				if err := s.run(); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("the simulation does not notice")
		})
	}
}
