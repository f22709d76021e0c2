// Package graph turns a Beam pipeline into the stages that the embedded engine runs.
//
// A stage is a chain of fused transforms with one input. Every transform without state is fused into the stages that
// produce its input, through a Flatten into each of its branches, so a new stage begins only where the engine has to
// put elements into a queue:
//
//	impulse -> pair, split | process (splittable) -> map -> map | keyed (state, timers) -> map | group by key -> map
//	  Impulse                Source                               Keyed                          Group
//
// Whatever the engine cannot run is refused here by the name of its step.
package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"github.com/zeebo/xxh3"
)

// Kind says how a stage gets its input.
type Kind int

const (
	// Impulse stages get one empty element when the job is new.
	Impulse Kind = iota
	// Parallel stages take elements in any order (Reshuffle).
	Parallel
	// Source stages process one restriction of a splittable DoFn per bundle.
	Source
	// Keyed stages have state or timers: one bundle at a time per key group.
	Keyed
	// Group stages get the values of a key that have arrived, one bundle at a time per key group.
	Group
)

// String returns the kind's name as it stands in descriptions and status output.
func (k Kind) String() string {
	return [...]string{"impulse", "parallel", "source", "keyed", "group"}[k]
}

// KeyGroups is the number of key groups of a Keyed or Group stage. It is part of the stored state's layout.
const KeyGroups = 128

// Graph is a pipeline cut into stages, producers before consumers.
type Graph struct {
	Stages []*Stage

	comps *pipepb.Components
}

// Stage is a fused part of the pipeline that runs as one plan.
type Stage struct {
	Name  string // unique name of its first transform: the same in every run of the same pipeline
	ID    uint64 // hash of Name
	Index int    // position in Graph.Stages
	Kind  Kind

	Desc   *fnpb.ProcessBundleDescriptor
	Source string           // id of the plan's data source
	Sinks  map[string]*Sink // by the id of the plan's data sink

	Producers []*Stage
	Key       Skipper                           // length of an encoded key; Keyed and Group
	State     map[string]StateKind              // by state id; Keyed
	Timers    map[string]pipepb.TimeDomain_Enum // by timer family; Keyed
	Steps     []string                          // unique names of the transforms, in topological order

	input string // PCollection that the plan reads
	queue string // PCollection whose elements the stage is fed with
}

// Sink is an output of a stage that other stages read.
type Sink struct {
	ID        string
	Consumers []*Stage

	pcol string
}

// StateKind is the kind of a state cell.
type StateKind int

const (
	// Value is a state that holds one value.
	Value StateKind = iota
	// Bag is a state that values are appended to.
	Bag
)

// Sharded reports whether the stage's input is divided into key groups.
func (s *Stage) Sharded() bool { return s.Kind == Keyed || s.Kind == Group }

// Root is the id of the transform that the stage begins with.
func (s *Stage) Root() string { return s.Steps[0] }

// Build translates p into stages, or returns every reason why the engine cannot run it.
func Build(p *beam.Pipeline) (*Graph, error) {
	edges, _, err := p.Build()
	if err != nil {
		return nil, fmt.Errorf("pipeline is not complete: %w", err)
	}
	pb, err := graphx.Marshal(edges, &graphx.Options{Environment: &pipepb.Environment{}})
	if err != nil {
		return nil, fmt.Errorf("pipeline cannot be marshalled: %w", err)
	}
	return FromProto(pb)
}

// FromProto is Build for a marshalled pipeline. It takes p over.
func FromProto(p *pipepb.Pipeline) (*Graph, error) {
	comps, leaves, err := expand(p.GetComponents())
	if err != nil {
		return nil, err
	}
	if err := check(comps, leaves); err != nil {
		return nil, err
	}
	g := &Graph{comps: comps}
	if err := g.fuse(leaves); err != nil {
		return nil, err
	}
	seen := map[uint64]string{}
	for i, s := range g.Stages {
		s.Index, s.ID = i, xxh3.HashString(s.Name)
		if other, ok := seen[s.ID]; ok {
			return nil, fmt.Errorf("steps %q and %q have the same identity: rename one of them", other, s.Name)
		}
		seen[s.ID] = s.Name
		if err := g.describe(s); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Fingerprint identifies the parts of the graph that stored state depends on: stages, steps, coders, state and timer
// specs and edges.
func (g *Graph) Fingerprint() string {
	h := sha256.Sum256([]byte(g.String()))
	return hex.EncodeToString(h[:])
}
