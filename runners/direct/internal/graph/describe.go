package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"google.golang.org/protobuf/proto"
)

// describe builds the bundle descriptor: the stage's transforms between one data source and one data sink per output.
func (g *Graph) describe(s *Stage) error {
	ts := map[string]*pipepb.PTransform{}
	coders := maps.Clone(g.comps.Coders)
	for _, id := range s.Steps[first(s):] {
		ts[id] = g.inStage(s, g.comps.Transforms[id])
	}
	s.Source = "source:" + s.Name
	payload, err := g.port(s.input, coders)
	if err != nil {
		return err
	}
	ts[s.Source] = &pipepb.PTransform{
		UniqueName: s.Source, Spec: &pipepb.FunctionSpec{Urn: "beam:runner:source:v1", Payload: payload},
		Outputs: map[string]string{"i0": s.input},
	}
	for id, sink := range s.Sinks {
		payload, err := g.port(sink.pcol, coders)
		if err != nil {
			return err
		}
		ts[id] = &pipepb.PTransform{
			UniqueName: id, Spec: &pipepb.FunctionSpec{Urn: "beam:runner:sink:v1", Payload: payload},
			Inputs: map[string]string{"i0": sink.pcol},
		}
	}
	s.Desc = &fnpb.ProcessBundleDescriptor{
		Id: s.Name, Transforms: ts, Pcollections: g.comps.Pcollections,
		WindowingStrategies: g.comps.WindowingStrategies, Coders: coders,
	}
	return nil
}

// inStage drops the inputs of a Flatten that other stages produce.
func (g *Graph) inStage(s *Stage, t *pipepb.PTransform) *pipepb.PTransform {
	if t.GetSpec().GetUrn() != graphx.URNFlatten {
		return t
	}
	c := proto.Clone(t).(*pipepb.PTransform)
	c.Inputs = map[string]string{}
	for _, local := range slices.Sorted(maps.Keys(t.Inputs)) {
		if s.has(g.comps, t.Inputs[local]) {
			c.Inputs[fmt.Sprintf("i%d", len(c.Inputs))] = t.Inputs[local]
		}
	}
	return c
}

// port adds the windowed coder of PCollection p to coders and returns the port that carries it.
func (g *Graph) port(p string, coders map[string]*pipepb.Coder) ([]byte, error) {
	col := g.comps.Pcollections[p]
	ws := g.comps.WindowingStrategies[col.GetWindowingStrategyId()]
	id := "windowed:" + col.GetCoderId() + ":" + ws.GetWindowCoderId()
	coders[id] = &pipepb.Coder{
		Spec:              &pipepb.FunctionSpec{Urn: "beam:coder:windowed_value:v1"},
		ComponentCoderIds: []string{col.GetCoderId(), ws.GetWindowCoderId()},
	}
	b, err := proto.Marshal(&fnpb.RemoteGrpcPort{CoderId: id})
	if err != nil {
		return nil, fmt.Errorf("port of %s: %w", p, err)
	}
	return b, nil
}

// String describes the graph, one line per fact, in a form that is equal for equal graphs.
func (g *Graph) String() string {
	var b strings.Builder
	for _, s := range g.Stages {
		fmt.Fprintf(&b, "stage %q %s\n", s.Name, s.Kind)
		if s.queue != "" {
			fmt.Fprintf(&b, "  input %s\n", g.coderString(g.comps.Pcollections[s.queue].GetCoderId()))
		}
		for _, id := range s.Steps {
			fmt.Fprintf(&b, "  step %q %s\n", id, g.comps.Transforms[id].GetSpec().GetUrn())
		}
		for _, line := range g.stateLines(s) {
			b.WriteString(line)
		}
		var to []string
		for _, sink := range s.Sinks {
			for _, c := range sink.Consumers {
				to = append(to, fmt.Sprintf("  to %q\n", c.Name))
			}
		}
		slices.Sort(to)
		b.WriteString(strings.Join(to, ""))
	}
	return b.String()
}

func (g *Graph) stateLines(s *Stage) []string {
	if s.Kind != Keyed {
		return nil
	}
	pd, err := parDo(g.comps.Transforms[s.Root()])
	if err != nil {
		return []string{fmt.Sprintf("  error %v\n", err)}
	}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(pd.GetStateSpecs())) {
		spec := pd.GetStateSpecs()[id]
		if bag := spec.GetBagSpec(); bag != nil {
			out = append(out, fmt.Sprintf("  bag %q %s\n", id, g.coderString(bag.GetElementCoderId())))
			continue
		}
		out = append(out, fmt.Sprintf("  value %q %s\n", id, g.coderString(spec.GetReadModifyWriteSpec().GetCoderId())))
	}
	for _, id := range slices.Sorted(maps.Keys(s.Timers)) {
		out = append(out, fmt.Sprintf("  timer %q %s\n", id, s.Timers[id]))
	}
	return out
}

func (g *Graph) coderString(id string) string {
	c := g.comps.Coders[id]
	urn := strings.TrimSuffix(strings.TrimPrefix(c.GetSpec().GetUrn(), "beam:coder:"), ":v1")
	if len(c.GetComponentCoderIds()) == 0 {
		return urn
	}
	var parts []string
	for _, p := range c.GetComponentCoderIds() {
		parts = append(parts, g.coderString(p))
	}
	return urn + "(" + strings.Join(parts, ",") + ")"
}
