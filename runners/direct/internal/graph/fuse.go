package graph

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
)

// fuser cuts the leaves into stages. at lists, per PCollection, the stages in whose plan it exists.
type fuser struct {
	g  *Graph
	at map[string][]*Stage
}

func (g *Graph) fuse(order []string) error {
	f := &fuser{g: g, at: map[string][]*Stage{}}
	for _, id := range order {
		if err := f.add(g.comps.Transforms[id]); err != nil {
			return err
		}
	}
	return nil
}

func (f *fuser) add(t *pipepb.PTransform) error {
	in, out := t.Inputs["i0"], t.Outputs["i0"]
	switch t.GetSpec().GetUrn() {
	case graphx.URNImpulse:
		f.begin(t, &Stage{Kind: Impulse, input: out})
	case graphx.URNReshuffle:
		f.begin(t, &Stage{Kind: Parallel, queue: in, input: out})
	case graphx.URNGBK:
		return f.keyed(t, &Stage{Kind: Group, queue: in, input: out})
	case urnProcess:
		f.begin(t, &Stage{Kind: Source, queue: in, input: in})
	case graphx.URNFlatten:
		f.flatten(t)
	default:
		pd, err := parDo(t)
		if err != nil {
			return err
		}
		if len(pd.GetStateSpecs())+len(pd.GetTimerFamilySpecs()) > 0 {
			return f.keyed(t, stateful(pd, in))
		}
		f.join(t, f.at[in])
	}
	return nil
}

// begin makes s the stage of t and feeds it from every stage that has its queue's PCollection.
func (f *fuser) begin(t *pipepb.PTransform, s *Stage) {
	s.Name, s.Steps = t.GetUniqueName(), []string{t.GetUniqueName()}
	s.Sinks = map[string]*Sink{}
	f.g.Stages = append(f.g.Stages, s)
	for _, p := range f.at[s.queue] {
		id := "sink:" + s.queue
		if p.Sinks[id] == nil {
			p.Sinks[id] = &Sink{ID: id, pcol: s.queue}
		}
		p.Sinks[id].Consumers = append(p.Sinks[id].Consumers, s)
		s.Producers = append(s.Producers, p)
	}
	for _, o := range t.Outputs {
		f.at[o] = []*Stage{s}
	}
}

func (f *fuser) keyed(t *pipepb.PTransform, s *Stage) error {
	c := f.g.comps
	coder := c.Coders[c.Pcollections[s.queue].GetCoderId()]
	if coder.GetSpec().GetUrn() != urnKV {
		return fmt.Errorf("step %q needs key-value elements, its input has the coder %s", t.GetUniqueName(), coder.GetSpec().GetUrn())
	}
	skip, err := NewSkipper(c.Coders, coder.GetComponentCoderIds()[0])
	if err != nil {
		return fmt.Errorf("step %q: key coder: %w", t.GetUniqueName(), err)
	}
	s.Key = skip
	f.begin(t, s)
	return nil
}

func stateful(pd *pipepb.ParDoPayload, in string) *Stage {
	s := &Stage{Kind: Keyed, queue: in, input: in, State: map[string]StateKind{}, Timers: map[string]pipepb.TimeDomain_Enum{}}
	for id, spec := range pd.GetStateSpecs() {
		s.State[id] = Value
		if spec.GetBagSpec() != nil {
			s.State[id] = Bag
		}
	}
	for id, spec := range pd.GetTimerFamilySpecs() {
		s.Timers[id] = spec.GetTimeDomain()
	}
	return s
}

// join puts t into stages; its outputs exist there.
func (f *fuser) join(t *pipepb.PTransform, stages []*Stage) {
	for _, s := range stages {
		s.Steps = append(s.Steps, t.GetUniqueName())
	}
	for _, o := range t.Outputs {
		f.at[o] = stages
	}
}

// flatten puts t into every stage that has one of its inputs.
func (f *fuser) flatten(t *pipepb.PTransform) {
	var all []*Stage
	for _, local := range slices.Sorted(maps.Keys(t.Inputs)) {
		for _, s := range f.at[t.Inputs[local]] {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *Stage) int {
		return slices.Index(f.g.Stages, a) - slices.Index(f.g.Stages, b)
	})
	f.join(t, all)
}

// has reports whether PCollection p exists in the plan of s.
func (s *Stage) has(c *pipepb.Components, p string) bool {
	if p == s.input {
		return true
	}
	for _, id := range s.Steps[first(s):] {
		for _, o := range c.Transforms[id].Outputs {
			if o == p {
				return true
			}
		}
	}
	return false
}

// first is the index of the first step that runs in the plan: the engine itself does impulse, reshuffle and grouping.
func first(s *Stage) int {
	if s.Kind == Source || s.Kind == Keyed {
		return 0
	}
	return 1
}
