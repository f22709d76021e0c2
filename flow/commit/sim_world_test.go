package commit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/flow/object"
)

var (
	errCrash = errors.New("sim: the process is gone")
	errLost  = errors.New("sim: no reply")
)

// world is one schedule: objects, processes, and the random source that decides whose turn it is and what breaks.
type world struct {
	rng     *rand.Rand
	mutant  mutant
	objects map[string][]byte // "s/" staging, "d/" destination
	rows    []string          // destination of each source row
	seen    map[string]int    // visible rows
	done    map[int64]string  // id of every number that was ever done
	late    []func()          // operations that were sent, and arrive some time
	faults  bool
	now     int64
	ids     int
	lines   []*lineage
	procs   []*proc
	broken  error
	// lastThrough is the `through` that was written last.
	lastThrough string
	trace       func(format string, args ...any)
}

func (w *world) fail(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

func (w *world) newID() string {
	w.ids++
	return fmt.Sprintf("%016x%016x", w.rng.Uint64(), w.ids)
}

// one says yes once in n times.
func (w *world) one(n int) bool { return w.rng.IntN(n) == 0 }

// proc is a running process. Its actors take turns with all others at every operation.
type proc struct {
	w       *world
	name    string
	line    *lineage // whose state it commits to
	twin    bool     // publishes what it has in hand and commits nothing
	actors  []*actor
	crashed bool
	stopped bool // paused until nothing else can go on
}

type actor struct {
	p      *proc
	next   func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	asleep int64 // until
	gone   bool
	old    map[string][]byte // for a mutant: objects as they were before the claim
}

func (p *proc) spawn(body func(a *actor)) {
	a := &actor{p: p}
	a.next, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		a.yield = yield
		if a.pause() {
			body(a)
		}
		a.gone = true
	})
	p.actors = append(p.actors, a)
}

// pause gives the turn away; false means that the process has been killed.
func (a *actor) pause() bool {
	if a.gone || a.p.crashed || !a.yield(struct{}{}) {
		a.gone = true
	}
	return !a.gone
}

// kill ends a process at once: what it has in memory is gone.
func (p *proc) kill() {
	p.crashed = true
	for _, a := range p.actors {
		a.stop()
	}
	p.actors = nil
}

// step gives one random actor a turn; false if there is none any more.
func (w *world) step() bool {
	w.now++
	if len(w.late) > 0 && w.one(20) {
		i := w.rng.IntN(len(w.late))
		w.late[i]()
		w.late = slices.Delete(w.late, i, i+1)
	}
	ready := w.ready()
	if len(ready) == 0 {
		return w.faults || w.wake()
	}
	a := ready[w.rng.IntN(len(ready))]
	if w.faults && w.one(40) {
		a.asleep = w.now + int64(w.rng.IntN(400))
		return true
	}
	a.next()
	if a.p.crashed {
		a.p.kill()
	}
	return true
}

// ready gives the actors that may have the turn.
func (w *world) ready() (out []*actor) {
	for _, p := range w.procs {
		for _, a := range p.actors {
			if !a.gone && !p.stopped && (a.asleep <= w.now || !w.faults) {
				out = append(out, a)
			}
		}
	}
	return out
}

// wake lets the stopped processes go on; false if there is none.
func (w *world) wake() bool {
	woken := false
	for _, p := range w.procs {
		woken = woken || p.stopped
		p.stopped = false
	}
	return woken
}

// store is an actor's view of the world's objects, with everything that can go wrong.
type store struct {
	a    *actor
	root string
}

func (s store) URL() string { return "sim:" + s.root }

// hurts matches the operations before which a long pause does most harm.
var hurts = regexp.MustCompile(`^create .*(\.claim$|/through/)`)

// do runs one operation. A write may be applied without a reply, not be applied, or be applied some time later.
func (s store) do(write bool, what string, apply func() error) error {
	w := s.a.p.w
	if w.faults && hurts.MatchString(what) && w.one(15) {
		s.a.p.stopped = true
	}
	if !s.a.pause() {
		return errCrash
	}
	if w.trace != nil {
		w.trace("%6d %s %s", w.now, s.a.p.name, what)
	}
	if !w.faults {
		return apply()
	}
	switch w.rng.IntN(120) {
	case 0:
		s.a.p.crashed = true
		return errCrash
	case 1:
		_ = apply()
		s.a.p.crashed = true
		return errCrash
	case 2:
		_ = apply()
		return errLost
	case 3:
		return errLost
	case 4:
		if write {
			w.late = append(w.late, func() { _ = apply() })
			return errLost
		}
	}
	return apply()
}

func (s store) Create(_ context.Context, name string, data []byte) error {
	return s.do(true, "create "+name, func() error {
		if _, ok := s.a.p.w.objects[s.root+name]; ok {
			return object.ErrExists
		}
		return s.a.p.w.set(s.root+name, data)
	})
}

func (s store) Put(_ context.Context, name string, write func(io.Writer) error) error {
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		return err
	}
	return s.do(true, "put "+name, func() error { return s.a.p.w.set(s.root+name, buf.Bytes()) })
}

func (s store) Delete(_ context.Context, name string) error {
	return s.do(true, "delete "+name, func() error { return s.a.p.w.set(s.root+name, nil) })
}

func (s store) Get(_ context.Context, name string) (data []byte, err error) {
	err = s.do(false, "get "+name, func() error {
		var ok bool
		if data, ok = s.a.view(s.root + name)[s.root+name]; !ok {
			return fmt.Errorf("%s: %w", name, object.ErrNotFound)
		}
		return nil
	})
	return data, err
}

func (s store) Stat(ctx context.Context, name string) (int64, error) {
	data, err := s.Get(ctx, name)
	return int64(len(data)), err
}

func (s store) Open(ctx context.Context, name string) (object.Reader, error) {
	data, err := s.Get(ctx, name)
	return reader{bytes.NewReader(data)}, err
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

func (s store) List(_ context.Context, prefix string) (list []object.Info, err error) {
	err = s.do(false, "list "+prefix, func() error {
		for name, data := range s.a.view(s.root + prefix) {
			if rest, ok := strings.CutPrefix(name, s.root); ok && strings.HasPrefix(rest, prefix) {
				list = append(list, object.Info{Name: rest, Size: int64(len(data))})
			}
		}
		slices.SortFunc(list, func(a, b object.Info) int { return strings.Compare(a.Name, b.Name) })
		return nil
	})
	if m := s.a.p.w.mutant.list; m != nil {
		list = m(s.a, s.root+prefix, list)
	}
	return list, err
}

// view gives the objects that the actor reads.
func (a *actor) view(name string) map[string][]byte {
	if a.old != nil && strings.Contains(name, "/through/") {
		return a.old
	}
	return a.p.w.objects
}

// set changes an object, nil to delete it, and keeps count of the visible rows: no row may be visible twice at any moment.
func (w *world) set(name string, data []byte) error {
	if strings.HasPrefix(name, "d/") && !strings.HasPrefix(name, "d/.") {
		for _, row := range strings.Fields(string(w.objects[name])) {
			w.seen[row]--
		}
		for _, row := range strings.Fields(string(data)) {
			if w.seen[row]++; w.seen[row] > 1 {
				w.fail("row %s became visible twice, last in %s", row, name)
			}
		}
	}
	if strings.Contains(name, "/through/") && data != nil {
		w.lastThrough = name
	}
	if strings.HasSuffix(name, ".done") && data != nil {
		d, err := decodeDone(data)
		if was, ok := w.done[d.Seq]; err != nil || ok && was != d.ID {
			w.fail("number %d is done with id %s and %s: %w", d.Seq, was, d.ID, err)
		}
		w.done[d.Seq] = d.ID
	}
	if data == nil {
		delete(w.objects, name)
	} else {
		w.objects[name] = data
	}
	return nil
}
