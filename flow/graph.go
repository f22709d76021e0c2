package flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/millrace-io/millrace/batch"
)

// Graph is a pipeline that was built without mistakes. One Graph is run once.
type Graph struct {
	name     string
	beam     *beam.Pipeline
	nodes    map[string]*node
	order    []*node
	recorded map[string][]byte

	job     Job
	control *Control
	readers readers
	groups  indexes[Group]
	sinks   sinkStates
}

func newGraph(p *Pipeline) (*Graph, error) {
	g := &Graph{name: p.name, beam: p.beam, nodes: p.nodes, order: p.order, recorded: p.once}
	for _, n := range g.order {
		if _, ok := n.impl.(*source); ok {
			return g, nil
		}
	}
	return nil, fmt.Errorf("pipeline %q has no source; read one with jdbcio.Read, kafkaio.Read or another connector", p.name)
}

// Name gives the pipeline's name.
func (g *Graph) Name() string { return g.name }

// Beam gives the Beam pipeline, for a runner.
func (g *Graph) Beam() *beam.Pipeline { return g.beam }

// Recorded gives what calls of Once have recorded, to be kept with the job.
func (g *Graph) Recorded() map[string][]byte { return g.recorded }

// DefaultJob is the job's name where none is given: the pipeline's and a short hash of the addresses of its sources and
// sinks, so that another history or another lake is another job.
func (g *Graph) DefaultJob() string {
	h := sha256.New()
	for _, n := range g.order {
		switch x := n.impl.(type) {
		case *source:
			fmt.Fprintf(h, "%s\x00%s\x00", n.name, x.spec.Address)
		case *sink:
			fmt.Fprintf(h, "%s\x00%s\x00", n.name, x.spec.URL)
		}
	}
	return g.name + "-" + hex.EncodeToString(h.Sum(nil))[:8]
}

// Fingerprint is a hash of everything that stored state depends on: steps, edges, schemas, and what each stateful step
// says of its state. Sizes, ages and codecs may change between two runs of a job, these may not.
func (g *Graph) Fingerprint() string {
	h := sha256.New()
	for _, n := range g.order {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00", n.name, n.kind, n.identity)
		for _, in := range n.inputs {
			fmt.Fprintf(h, "<%s\x00", in.name)
		}
		if n.schema != nil {
			fmt.Fprintf(h, "%s\x00", n.schema.Fingerprint())
			for _, f := range n.schema.Fields() {
				fmt.Fprintf(h, "%s %s %t\x00", f.Name, f.Type, f.Nullable)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Job is one run of a graph under a name.
type Job struct {
	// Name is the job's identity in ledgers and staging places. Required.
	Name string
	// Incarnation is drawn when the job's state is made, and stays with it. Required.
	Incarnation string
	// Epoch grows with every start.
	Epoch int64
	// Fresh says that the job has no state yet.
	Fresh bool
	// Append allows sinks a first commit into places that hold other files.
	Append bool
	// Control is how the run is asked to stop. Default: a run that goes on until its sources end.
	Control *Control
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Stores keeps what Collect collects over the runs of a job in one process. Default: each run has its own.
	Stores *Stores
	// Log takes what an operator should see. Default: nothing is logged.
	Log *slog.Logger
}

type graphKey struct{}

// Start attaches the sinks to their destinations and returns a context in which the graph's steps find it. Close ends what
// Start began.
func (g *Graph) Start(ctx context.Context, job Job) (context.Context, error) {
	if job.Now == nil {
		job.Now = time.Now
	}
	if job.Log == nil {
		job.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if job.Control == nil {
		job.Control = &Control{}
	}
	g.job, g.control = job, job.Control
	g.control.start(g)
	if err := g.attach(ctx); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return context.WithValue(ctx, graphKey{}, g), nil
}

// Close closes readers and sinks.
func (g *Graph) Close() error { return errors.Join(g.readers.close(), g.sinks.close()) }

func (g *Graph) now() time.Time { return g.job.Now() }

var (
	workersMu sync.Mutex
	workers   = map[string]*Graph{}
)

// RegisterWorker makes a graph known to the whole process under its pipeline's name: in a worker process the runner's
// context does not carry it. It is replaced by the next graph of that name.
func RegisterWorker(g *Graph) {
	workersMu.Lock()
	defer workersMu.Unlock()
	workers[g.name] = g
}

// stepOf finds the graph and the implementation of a step.
func stepOf[T any](ctx context.Context, pipeline, step string) (*Graph, T, error) {
	var zero T
	g, _ := ctx.Value(graphKey{}).(*Graph)
	if g == nil {
		workersMu.Lock()
		g = workers[pipeline]
		workersMu.Unlock()
	}
	if g == nil {
		return nil, zero, fmt.Errorf("step %q of pipeline %q runs in a process that has not built it; run it with runners.Run or runners.Main", step, pipeline)
	}
	n := g.nodes[step]
	if n == nil {
		return nil, zero, fmt.Errorf("pipeline %q has no step %q", pipeline, step)
	}
	impl, ok := n.impl.(T)
	if !ok {
		return nil, zero, fmt.Errorf("step %q of pipeline %q is a %s", step, pipeline, n.kind)
	}
	return g, impl, nil
}

func epochOf(ctx context.Context) int64 {
	if g, ok := ctx.Value(graphKey{}).(*Graph); ok {
		return g.job.Epoch
	}
	return 0
}

// StepError is an error of a running step.
type StepError struct {
	// Step is the step's name.
	Step string
	// Partition is the source partition or the key group; empty if neither applies.
	Partition string
	// Position is the position in it, or the span of positions of the batch; empty if unknown.
	Position string
	// Op says what was being done.
	Op string
	// Err is the cause.
	Err error
}

func (e *StepError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "step %q", e.Step)
	if e.Partition != "" {
		fmt.Fprintf(&b, ", partition %q", e.Partition)
	}
	if e.Position != "" {
		fmt.Fprintf(&b, ", position %s", e.Position)
	}
	fmt.Fprintf(&b, ": %s: %v", e.Op, e.Err)
	return b.String()
}

func (e *StepError) Unwrap() error { return e.Err }

// describe prints a position as its connector does.
func describe(s Source, pos []byte) string {
	if d, ok := s.(interface{ Describe(pos []byte) string }); ok {
		return d.Describe(pos)
	}
	if len(pos) == 0 {
		return "start"
	}
	return fmt.Sprintf("%q", pos)
}

// span prints the positions that batches cover.
func span(bs ...*batch.Batch) string {
	var parts []string
	for _, b := range bs {
		for _, r := range batch.PartRanges(b) {
			parts = append(parts, fmt.Sprintf("%s[%x-%x]", r.Part, r.First, r.Last))
		}
		if len(parts) > 3 {
			return strings.Join(parts[:3], " ") + " ..."
		}
	}
	return strings.Join(parts, " ")
}

// schemaDiff says how two schemas differ; "" if columns, types and order are equal.
func schemaDiff(a, b *arrow.Schema) string {
	if a.NumFields() != b.NumFields() {
		return fmt.Sprintf("%s against %s", columnNames(a), columnNames(b))
	}
	for i, f := range a.Fields() {
		g := b.Field(i)
		if f.Name != g.Name || !arrow.TypeEqual(f.Type, g.Type) {
			return fmt.Sprintf("column %d is %s %s against %s %s", i+1, f.Name, f.Type, g.Name, g.Type)
		}
	}
	return ""
}

func columnNames(s *arrow.Schema) string {
	names := make([]string, 0, s.NumFields())
	for _, f := range s.Fields() {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
