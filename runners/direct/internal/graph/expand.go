package graph

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/pipelinex"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"google.golang.org/protobuf/proto"
)

const (
	urnPair    = "beam:transform:sdf_pair_with_restriction:v1"
	urnSplit   = "beam:transform:sdf_split_and_size_restrictions:v1"
	urnProcess = "beam:transform:sdf_process_sized_element_and_restrictions:v1"
)

// expand returns components whose transforms are named by their unique names and in which splittable DoFns are cut into
// their three steps, and the leaves in topological order.
func expand(c *pipepb.Components) (*pipepb.Components, []string, error) {
	out := &pipepb.Components{
		Transforms:          map[string]*pipepb.PTransform{},
		Pcollections:        maps.Clone(c.GetPcollections()),
		WindowingStrategies: c.GetWindowingStrategies(),
		Coders:              maps.Clone(c.GetCoders()),
	}
	var leaves []string
	add := func(t *pipepb.PTransform) {
		out.Transforms[t.GetUniqueName()] = t
		leaves = append(leaves, t.GetUniqueName())
	}
	native := insideReshuffle(c)
	for _, id := range slices.Sorted(maps.Keys(c.GetTransforms())) {
		t := c.GetTransforms()[id]
		reshuffle := t.GetSpec().GetUrn() == graphx.URNReshuffle
		if native[id] || (len(t.GetSubtransforms()) > 0 && !reshuffle) {
			continue
		}
		if reshuffle {
			add(&pipepb.PTransform{UniqueName: t.UniqueName, Spec: t.Spec, Inputs: only(t.Inputs), Outputs: only(t.Outputs)})
			continue
		}
		pd, err := parDo(t)
		if err != nil {
			return nil, nil, err
		}
		if pd.GetRestrictionCoderId() == "" {
			add(t)
			continue
		}
		for _, part := range expandSDF(out, t, pd) {
			add(part)
		}
	}
	slices.Sort(leaves)
	return out, pipelinex.TopologicalSort(out.Transforms, leaves), nil
}

// only renames the single entry of a composite's inputs or outputs, which carry the PCollection's id as their name.
func only(m map[string]string) map[string]string {
	for _, v := range m {
		return map[string]string{"i0": v}
	}
	return nil
}

// insideReshuffle lists the transforms that a Reshuffle would be made of on a runner that does not know it.
func insideReshuffle(c *pipepb.Components) map[string]bool {
	in := map[string]bool{}
	for _, t := range c.GetTransforms() {
		if t.GetSpec().GetUrn() != graphx.URNReshuffle {
			continue
		}
		for _, id := range t.GetSubtransforms() {
			in[id] = true
		}
	}
	return in
}

// expandSDF cuts a splittable DoFn into pairing, splitting and processing. Its coders are KV(element, restriction) and
// KV(that, size).
func expandSDF(c *pipepb.Components, t *pipepb.PTransform, pd *pipepb.ParDoPayload) []*pipepb.PTransform {
	name := t.GetUniqueName()
	in := c.Pcollections[t.Inputs["i0"]]
	coder := func(suffix, urn string, parts ...string) string {
		id := name + suffix
		c.Coders[id] = &pipepb.Coder{Spec: &pipepb.FunctionSpec{Urn: urn}, ComponentCoderIds: parts}
		return id
	}
	pcol := func(suffix, coderID string) string {
		id := name + suffix
		p := proto.Clone(in).(*pipepb.PCollection)
		p.UniqueName, p.CoderId = id, coderID
		c.Pcollections[id] = p
		return id
	}
	step := func(suffix, urn, in string, out map[string]string) *pipepb.PTransform {
		return &pipepb.PTransform{
			UniqueName: name + suffix,
			Spec:       &pipepb.FunctionSpec{Urn: urn, Payload: t.GetSpec().GetPayload()},
			Inputs:     map[string]string{"i0": in}, Outputs: out,
		}
	}
	paired := coder(".paired", "beam:coder:kv:v1", in.GetCoderId(), pd.GetRestrictionCoderId())
	sized := coder(".sized", "beam:coder:kv:v1", paired, coder(".size", "beam:coder:double:v1"))
	p, s := pcol(".paired", paired), pcol(".split", sized)
	process := step("", urnProcess, s, t.Outputs)
	for local, side := range t.Inputs { // kept so that a side input is refused by name
		if local != "i0" {
			process.Inputs[local] = side
		}
	}
	return []*pipepb.PTransform{
		step(".pair", urnPair, t.Inputs["i0"], map[string]string{"i0": p}),
		step(".split", urnSplit, p, map[string]string{"i0": s}),
		process,
	}
}

// parDo returns the payload of a ParDo in any of its forms, nil for other transforms.
func parDo(t *pipepb.PTransform) (*pipepb.ParDoPayload, error) {
	switch t.GetSpec().GetUrn() {
	case graphx.URNParDo, urnPair, urnSplit, urnProcess:
	default:
		return nil, nil
	}
	p := &pipepb.ParDoPayload{}
	if err := proto.Unmarshal(t.GetSpec().GetPayload(), p); err != nil {
		return nil, fmt.Errorf("step %q: ParDo payload: %w", t.GetUniqueName(), err)
	}
	return p, nil
}
