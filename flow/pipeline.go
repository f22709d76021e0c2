// Package flow is the DSL: sources, stateless and stateful steps and sinks over Arrow record batches, built as an Apache
// Beam pipeline.
//
// A step's name is the first argument behind what it reads, is required and unique in the pipeline: state, metrics
// and positions hang on it. Mistakes are collected while the graph is built and returned together, each with the
// user's file and line; steps behind a mistake are skipped quietly.
package flow

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// Pipeline collects steps. It belongs to one call of Build.
type Pipeline struct {
	name  string
	beam  *beam.Pipeline
	root  beam.Scope
	nodes map[string]*node
	order []*node
	errs  []error
	once  map[string][]byte // what Once recorded or replays
	asked map[string]bool
}

// Rows is the only collection type: batches whose schema is known when the graph is built. It is a value; the zero
// value is invalid and every step on it does nothing.
type Rows struct {
	p      *Pipeline
	from   *node
	col    beam.PCollection
	schema *arrow.Schema
	time   bool
	role   role
}

// role says what a collection is to its step; Dead needs it.
type role int8

const (
	roleRows role = iota
	roleRejected
	roleLate
)

// node is one step of the graph.
type node struct {
	name, kind string
	identity   string
	detail     string
	guarantee  string
	site       string
	inputs     []*node
	side       bool // takes rows that a step before it has rejected or given out as late
	schema     *arrow.Schema
	impl       any
}

// Valid says whether the collection came from steps without mistakes.
func (r Rows) Valid() bool { return r.p != nil && r.col.IsValid() }

// Schema gives the visible schema; nil for invalid rows.
func (r Rows) Schema() *arrow.Schema { return r.schema }

// HasTime says whether the rows carry an event time.
func (r Rows) HasTime() bool { return r.time }

// Step gives the name of the step that produced the rows.
func (r Rows) Step() string {
	if r.from == nil {
		return ""
	}
	return r.from.name
}

// Errorf records a mistake in the use of a step, at the user's file and line. It does nothing on invalid rows.
func (r Rows) Errorf(step, format string, args ...any) {
	if r.p != nil {
		r.p.Errorf(step, format, args...)
	}
}

// Name gives the pipeline's name.
func (p *Pipeline) Name() string { return p.name }

// Errorf records a mistake in the use of a step, at the user's file and line.
func (p *Pipeline) Errorf(step, format string, args ...any) {
	// Guarantee 13: a mistake is kept, and building goes on to find the others.
	err := fmt.Errorf(format, args...)
	p.errs = append(p.errs, &GraphError{Site: userSite(), Step: step, Err: err})
}

// GraphError is one mistake in a graph.
type GraphError struct {
	// Site is the user's file:line.
	Site string
	// Step is the step's name.
	Step string
	// Err says what is wrong.
	Err error
}

func (e *GraphError) Error() string {
	return fmt.Sprintf("%s: step %q: %v", e.Site, e.Step, e.Err)
}

func (e *GraphError) Unwrap() error { return e.Err }

var stepName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// add enters a step. It returns nil after recording the mistake if the name is missing, malformed or taken.
func (p *Pipeline) add(name, kind string, inputs ...Rows) *node {
	n := &node{name: name, kind: kind, site: userSite()}
	switch old := p.nodes[name]; {
	case !stepName.MatchString(name):
		p.Errorf(name, "a step's name is made of letters, digits, '_', '-' and '.', and starts with a letter or digit")
		return nil
	case old != nil:
		p.Errorf(name, "the name is taken by the step at %s; names are unique, since state and positions hang on them", old.site)
		return nil
	}
	for _, in := range inputs {
		if !in.Valid() {
			return nil
		}
		if in.p != p {
			p.Errorf(name, "its input %q belongs to another pipeline", in.from.name)
			return nil
		}
		n.inputs = append(n.inputs, in.from)
		n.side = n.side || in.role != roleRows || in.from.side
	}
	p.nodes[name] = n
	p.order = append(p.order, n)
	return n
}

func (p *Pipeline) scope(n *node) beam.Scope { return p.root.Scope(n.name) }

const module = "github.com/millrace-io/millrace/"

// userSite finds the file:line of the first caller outside of Millrace's own packages. Tests count as users.
func userSite() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	last := "unknown"
	for {
		f, more := frames.Next()
		if f.File != "" {
			last = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !ours(f) || !more {
			return last
		}
	}
}

func ours(f runtime.Frame) bool {
	rest, ok := strings.CutPrefix(f.Function, module)
	if !ok || strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	pkg, _, _ := strings.Cut(rest, "/")
	pkg, _, _ = strings.Cut(pkg, ".")
	switch pkg {
	case "flow", "batch", "io", "transforms", "runners":
		return true
	}
	return false
}

// Build runs build on a new pipeline and returns its graph, or all mistakes joined. It starts nothing. A panic in build
// is a mistake too.
func Build(name string, build func(*Pipeline)) (*Graph, error) {
	return BuildRecorded(name, nil, build)
}

// BuildRecorded is Build for a job that was started before: calls of Once return what was recorded then.
func BuildRecorded(name string, recorded map[string][]byte, build func(*Pipeline)) (g *Graph, err error) {
	p := &Pipeline{name: name, nodes: map[string]*node{}, once: map[string][]byte{}, asked: map[string]bool{}}
	for k, v := range recorded {
		p.once[k] = v
	}
	p.beam, p.root = beam.NewPipelineWithRoot()
	if !stepName.MatchString(name) {
		return nil, fmt.Errorf("pipeline name %q: use letters, digits, '_', '-' and '.'", name)
	}
	func() {
		defer func() {
			if r := recover(); r != nil {
				p.errs = append(p.errs, fmt.Errorf("building pipeline %q: %v", name, r))
			}
		}()
		build(p)
	}()
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return newGraph(p)
}

// Once asks the outside world while the graph is built, such as for a table's schema, and records the answer under key.
// When the job is resumed, and in a worker that builds the graph again, the recorded answer is returned and fn is not
// called.
func Once(p *Pipeline, key string, fn func() ([]byte, error)) ([]byte, error) {
	if p.asked[key] {
		return nil, fmt.Errorf("flow.Once: key %q is used twice", key)
	}
	p.asked[key] = true
	if v, ok := p.once[key]; ok {
		return v, nil
	}
	v, err := fn()
	if err == nil {
		p.once[key] = v
	}
	return v, err
}
