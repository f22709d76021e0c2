package flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/flow/object"
)

// sinkState is a sink of a running graph.
type sinkState struct {
	staging object.Store
	dest    object.Store
	ledger  *commit.Ledger
	roll    commit.RollOptions
	rolls   indexes[*commit.Roll]
	head    []byte // of the staged IPC streams
	ended   bool
	orphans orphans
}

// sinkStates are the sinks of a running graph by step.
type sinkStates struct{ m map[string]*sinkState }

func (s *sinkStates) of(step string) *sinkState { return s.m[step] }

func (s *sinkStates) close() error {
	var errs []error
	for _, st := range s.m {
		errs = append(errs, st.close())
	}
	return errors.Join(errs...)
}

func (st *sinkState) close() error {
	return errors.Join(object.Close(st.staging), object.Close(st.dest))
}

// pieceName draws a name for a staged object. The epoch tells, after a restart, which objects no live process can still
// be writing.
func (s *sinkStates) pieceName(g *Graph, step string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s%010d-%s", piecesPrefix(step), g.job.Epoch, hex.EncodeToString(b[:]))
}

// SinkPlace says where a sink keeps its ledger and what it stages: below <staging>/<job>.
func SinkPlace(spec SinkSpec, job string) string {
	staging := spec.Staging
	if staging == "" {
		staging = object.Join(parent(spec.URL), ".millrace")
	}
	return object.Join(staging, job)
}

// parent gives the address above with the options of the address. Above a whole bucket there is nothing.
func parent(address string) string {
	root, rest, ok := strings.Cut(address, "://")
	if !ok {
		return filepath.Dir(strings.TrimRight(address, "/"))
	}
	place, options, has := strings.Cut(rest, "?")
	place = strings.TrimRight(place, "/")
	if i := strings.LastIndexByte(place, '/'); i >= 0 {
		place = place[:i+1]
	}
	if has {
		options = "?" + options
	}
	return root + "://" + place + options
}

// open opens a sink's stores and its ledger; it touches nothing.
func (s *sink) open(job string) (*sinkState, error) {
	head, err := stagedSchema(s.in)
	if err != nil {
		return nil, err
	}
	st := &sinkState{head: head}
	if m, ok := s.Sink.(*memorySink); ok {
		st.staging, st.dest = m.store, m.store
	} else {
		if st.staging, err = object.Open(SinkPlace(s.spec, job)); err != nil {
			return nil, err
		}
		if st.dest, err = object.Open(s.spec.URL); err != nil {
			return nil, err
		}
	}
	st.ledger = commit.NewLedger(commit.LedgerOptions{Job: job, Sink: s.n.name, Staging: st.staging, Dest: st.dest})
	return st, nil
}

// eachSink visits the sinks in the order of the graph and joins the errors.
func (g *Graph) eachSink(op string, visit func(*sink) error) error {
	var errs []error
	for _, n := range g.order {
		if s, ok := n.impl.(*sink); ok {
			if err := visit(s); err != nil {
				errs = append(errs, &StepError{Step: n.name, Op: op, Err: err})
			}
		}
	}
	return errors.Join(errs...)
}

// attach proves that state, ledgers and destinations belong together before anything is read.
func (g *Graph) attach(ctx context.Context) error {
	g.sinks.m = map[string]*sinkState{}
	return g.eachSink("attach", func(s *sink) error {
		memory, inMemory := s.Sink.(*memorySink)
		if inMemory && g.job.Stores != nil {
			memory.store = g.job.Stores.of(s.n.name)
		}
		st, err := s.open(g.job.Name)
		if err != nil {
			return err
		}
		g.sinks.m[s.n.name] = st
		if !inMemory {
			if err := object.SameFileSystem(SinkPlace(s.spec, g.job.Name), s.spec.URL); err != nil {
				return err
			}
		}
		at, err := st.ledger.Attach(ctx, commit.AttachOptions{
			Incarnation: g.job.Incarnation, Resumed: !g.job.Fresh, Append: s.spec.Append || g.job.Append,
		})
		if err != nil {
			return err
		}
		st.ended, st.roll = at.Ended, s.rollOptions(g.job, at)
		return st.sweep(ctx, s.n.name, sweep{epoch: g.job.Epoch, alone: at.Alone})
	})
}

// sweep is what a start knows of a sink's places.
type sweep struct {
	epoch int64
	alone bool // no other job or sink publishes into the destination
}

// sweep deletes files that processes which died were writing, and finds what they have staged. A copy of the job that runs
// elsewhere, against the rules, may lose a file that it is writing: it writes it again.
func (st *sinkState) sweep(ctx context.Context, step string, s sweep) error {
	if _, err := object.SweepTemp(ctx, st.staging, ""); err != nil {
		return err
	}
	if s.alone {
		if _, err := object.SweepTemp(ctx, st.dest, ""); err != nil {
			return err
		}
	}
	if err := st.findOrphans(ctx, step, s.epoch); err != nil {
		return err
	}
	if st.ended {
		return st.collectAll(ctx)
	}
	return nil
}

func (s *sink) rollOptions(job Job, at commit.Attached) commit.RollOptions {
	return commit.RollOptions{
		Sink: s.n.name, Job: job.Name, Incarnation: job.Incarnation, Epoch: job.Epoch, First: at.First, Extension: s.spec.Extension,
		Rows: s.spec.Roll.Rows, Bytes: s.spec.Roll.Bytes, Age: s.spec.Roll.Age, FileBytes: cmp.Or(s.spec.FileBytes, 256<<20),
	}
}

// Ended says whether every ledger shows the job's end: there is nothing left to do.
func (g *Graph) Ended() bool {
	for _, s := range g.sinks.m {
		if !s.ended {
			return false
		}
	}
	return len(g.sinks.m) > 0
}

// SinkStatus is how a sink's ledger stands.
type SinkStatus struct {
	// Step is the sink's name, URL its destination.
	Step, URL string
	commit.Status
}

// SinkStatus reads the ledgers of a job. It changes nothing and may run beside the job.
func (g *Graph) SinkStatus(ctx context.Context, job string) ([]SinkStatus, error) {
	var out []SinkStatus
	err := g.eachSink("read the ledger", func(s *sink) error {
		st, err := s.open(job)
		if err != nil {
			return err
		}
		status, err := st.ledger.State(ctx)
		out = append(out, SinkStatus{Step: s.n.name, URL: s.spec.URL, Status: status})
		return errors.Join(err, st.close())
	})
	return out, err
}

// Reset begins a new incarnation in every ledger of a job, and deletes what is staged. With replace, what the job has
// published is deleted. No other process may run the job meanwhile.
func (g *Graph) Reset(ctx context.Context, job string, o commit.ResetOptions) error {
	return g.eachSink("reset", func(s *sink) error {
		st, err := s.open(job)
		if err != nil {
			return err
		}
		return errors.Join(st.reset(ctx, s.n.name, o), st.close())
	})
}

func (st *sinkState) reset(ctx context.Context, step string, o commit.ResetOptions) error {
	if _, err := st.ledger.Reset(ctx, o); err != nil {
		return err
	}
	if err := st.findOrphans(ctx, step, math.MaxInt64); err != nil {
		return err
	}
	return st.collectAll(ctx)
}

// Resolution says which open claim of a job is ended by hand, and how.
type Resolution struct {
	// Job is the job's name, Step the sink's, Seq the number of the claim.
	Job, Step string
	Seq       int64
	How       commit.Resolution
}

// Resolve ends a claim that is not done, by hand. No other process may run the job meanwhile.
func (g *Graph) Resolve(ctx context.Context, r Resolution) error {
	var sinks []string
	for _, n := range g.order {
		s, ok := n.impl.(*sink)
		if !ok {
			continue
		}
		sinks = append(sinks, n.name)
		if n.name != r.Step {
			continue
		}
		st, err := s.open(r.Job)
		if err != nil {
			return err
		}
		err = st.ledger.Resolve(ctx, r.Seq, r.How, func(ctx context.Context, w io.Writer, file commit.File) error {
			return s.Encode(w, s.in, st.rows(ctx, file))
		})
		return errors.Join(err, st.close())
	}
	return fmt.Errorf("resolve: there is no sink %q; the sinks are %s", r.Step, strings.Join(sinks, ", "))
}

// NewIncarnation draws the id of a job's state.
func NewIncarnation() string { return commit.NewID() }
