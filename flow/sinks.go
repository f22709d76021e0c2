package flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/flow/object"
)

// sinkState is a sink of a running graph.
type sinkState struct {
	staging object.Store
	ledger  *commit.Ledger
	roll    commit.RollOptions
	rolls   indexes[*commit.Roll]
	head    []byte // of the staged IPC streams
	ended   bool
}

// sinkStates are the sinks of a running graph by step.
type sinkStates struct{ m map[string]*sinkState }

func (s *sinkStates) of(step string) *sinkState { return s.m[step] }

func (s *sinkStates) close() error { return nil }

// pieceName draws a name for a staged object. The epoch tells, after a restart, which objects no live process can still
// be writing.
func (s *sinkStates) pieceName(g *Graph, step string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("pieces/%s/%010d-%s", step, g.job.Epoch, hex.EncodeToString(b[:]))
}

// SinkPlace says where a sink keeps its ledger and what it stages: below <staging>/<job>.
func SinkPlace(spec SinkSpec, job string) string {
	staging := spec.Staging
	if staging == "" {
		staging = parent(spec.URL) + ".millrace"
	}
	return strings.TrimSuffix(staging, "/") + "/" + job
}

// parent gives the address above, with a slash at its end.
func parent(url string) string {
	url = strings.TrimRight(url, "/")
	if !strings.Contains(url, "://") {
		return filepath.Dir(url) + "/"
	}
	return url[:strings.LastIndex(url, "/")+1]
}

// openLedger opens a sink's stores and its ledger; it touches nothing.
func (s *sink) openLedger(job string) (staging object.Store, ledger *commit.Ledger, err error) {
	if m, ok := s.Sink.(*memorySink); ok {
		return m.store, commit.NewLedger(commit.LedgerOptions{Job: job, Sink: s.n.name, Staging: m.store, Dest: m.store}), nil
	}
	if staging, err = object.Open(SinkPlace(s.spec, job)); err != nil {
		return nil, nil, err
	}
	dest, err := object.Open(s.spec.URL)
	if err != nil {
		return nil, nil, err
	}
	return staging, commit.NewLedger(commit.LedgerOptions{Job: job, Sink: s.n.name, Staging: staging, Dest: dest}), nil
}

// eachSink visits the sinks in the order of the graph and joins the errors.
func (g *Graph) eachSink(visit func(*sink) error) error {
	var errs []error
	for _, n := range g.order {
		if s, ok := n.impl.(*sink); ok {
			if err := visit(s); err != nil {
				errs = append(errs, &StepError{Step: n.name, Op: "attach", Err: err})
			}
		}
	}
	return errors.Join(errs...)
}

// attach proves that state, ledgers and destinations belong together before anything is read.
func (g *Graph) attach(ctx context.Context) error {
	g.sinks.m = map[string]*sinkState{}
	return g.eachSink(func(s *sink) error {
		memory, inMemory := s.Sink.(*memorySink)
		if inMemory && g.job.Stores != nil {
			memory.store = g.job.Stores.of(s.n.name)
		}
		staging, ledger, err := s.openLedger(g.job.Name)
		if err != nil {
			return err
		}
		if !inMemory {
			if err := object.SameFileSystem(SinkPlace(s.spec, g.job.Name), s.spec.URL); err != nil {
				return err
			}
		}
		at, err := ledger.Attach(ctx, commit.AttachOptions{
			Incarnation: g.job.Incarnation, Resumed: !g.job.Fresh, Append: s.spec.Append || g.job.Append,
		})
		if err != nil {
			return err
		}
		head, err := stagedSchema(s.in)
		if err != nil {
			return err
		}
		g.sinks.m[s.n.name] = &sinkState{staging: staging, ledger: ledger, head: head, ended: at.Ended, roll: s.rollOptions(g.job, at)}
		return nil
	})
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
	err := g.eachSink(func(s *sink) error {
		_, ledger, err := s.openLedger(job)
		if err != nil {
			return err
		}
		st, err := ledger.State(ctx)
		out = append(out, SinkStatus{Step: s.n.name, URL: s.spec.URL, Status: st})
		return err
	})
	return out, err
}

// Reset begins a new incarnation in every ledger of a job. With replace, what the job has published is deleted.
func (g *Graph) Reset(ctx context.Context, job string, o commit.ResetOptions) error {
	return g.eachSink(func(s *sink) error {
		_, ledger, err := s.openLedger(job)
		if err != nil {
			return err
		}
		_, err = ledger.Reset(ctx, o)
		return err
	})
}

// NewIncarnation draws the id of a job's state.
func NewIncarnation() string { return commit.NewID() }
