package graph

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"google.golang.org/protobuf/proto"
)

// Refusal says which feature of which step the engine does not have.
type Refusal struct {
	Step    string
	Feature string
}

// Error names step and feature.
func (r *Refusal) Error() string {
	return fmt.Sprintf("step %q uses %s, which the direct runner does not support", r.Step, r.Feature)
}

// check returns a Refusal for everything that the engine cannot run, joined.
func check(c *pipepb.Components, leaves []string) error {
	// Guarantee 13.
	var errs []error
	for _, id := range leaves {
		t := c.Transforms[id]
		features, err := unsupported(c, t)
		if err != nil {
			return err
		}
		for _, f := range features {
			errs = append(errs, &Refusal{Step: id, Feature: f})
		}
	}
	return errors.Join(errs...)
}

func unsupported(c *pipepb.Components, t *pipepb.PTransform) ([]string, error) {
	switch urn := t.GetSpec().GetUrn(); urn {
	case graphx.URNImpulse, graphx.URNFlatten, graphx.URNReshuffle, graphx.URNToString, urnPair, urnSplit:
		return nil, nil
	case graphx.URNParDo, urnProcess:
		pd, err := parDo(t)
		return unsupportedParDo(pd), err
	case graphx.URNWindow:
		return unsupportedWindow(t)
	case graphx.URNGBK:
		return unsupportedGroup(c, t), nil
	case "beam:transform:teststream:v1":
		return []string{"TestStream"}, nil
	case "":
		return []string{"a transform without a definition"}, nil
	default:
		return []string{"the transform " + urn}, nil
	}
}

func unsupportedParDo(pd *pipepb.ParDoPayload) []string {
	var out []string
	refuse := func(cond bool, feature string) {
		if cond {
			out = append(out, feature)
		}
	}
	refuse(len(pd.GetSideInputs()) > 0, "side inputs")
	refuse(pd.GetRequestsFinalization(), "bundle finalization")
	refuse(pd.GetRequiresTimeSortedInput(), "time-sorted input")
	refuse(pd.GetOnWindowExpirationTimerFamilySpec() != "", "a window expiration callback")
	refuse(pd.GetRestrictionCoderId() != "" && len(pd.GetStateSpecs())+len(pd.GetTimerFamilySpecs()) > 0,
		"state or timers in a splittable DoFn")
	for _, id := range slices.Sorted(maps.Keys(pd.GetStateSpecs())) {
		switch spec := pd.GetStateSpecs()[id]; spec.GetSpec().(type) {
		case *pipepb.StateSpec_ReadModifyWriteSpec, *pipepb.StateSpec_BagSpec:
		case *pipepb.StateSpec_CombiningSpec:
			out = append(out, fmt.Sprintf("combining state (%q)", id))
		case *pipepb.StateSpec_MapSpec:
			out = append(out, fmt.Sprintf("map state (%q)", id))
		case *pipepb.StateSpec_SetSpec:
			out = append(out, fmt.Sprintf("set state (%q)", id))
		default:
			out = append(out, fmt.Sprintf("ordered list or unknown state (%q)", id))
		}
	}
	return out
}

func unsupportedWindow(t *pipepb.PTransform) ([]string, error) {
	var w pipepb.WindowIntoPayload
	if err := proto.Unmarshal(t.GetSpec().GetPayload(), &w); err != nil {
		return nil, fmt.Errorf("step %q: WindowInto payload: %w", t.GetUniqueName(), err)
	}
	switch urn := w.GetWindowFn().GetUrn(); urn {
	case graphx.URNGlobalWindowsWindowFn:
		return nil, nil
	case graphx.URNFixedWindowsWindowFn:
		return []string{"fixed windows"}, nil
	case graphx.URNSlidingWindowsWindowFn:
		return []string{"sliding windows"}, nil
	case graphx.URNSessionsWindowFn:
		return []string{"session windows"}, nil
	default:
		return []string{"the window function " + urn}, nil
	}
}

// unsupportedGroup accepts GroupByKey only where each element may be handed on as it arrives.
func unsupportedGroup(c *pipepb.Components, t *pipepb.PTransform) []string {
	ws := c.WindowingStrategies[c.Pcollections[t.Inputs["i0"]].GetWindowingStrategyId()]
	if ws.GetWindowFn().GetUrn() != graphx.URNGlobalWindowsWindowFn {
		return []string{"GroupByKey outside the global window"}
	}
	tr := ws.GetTrigger()
	each := tr.GetAlways() != nil || tr.GetRepeat().GetSubtrigger().GetElementCount().GetElementCount() == 1
	if !each {
		return []string{"GroupByKey with a trigger other than Repeat(AfterCount(1))"}
	}
	if ws.GetAccumulationMode() != pipepb.AccumulationMode_DISCARDING {
		return []string{"GroupByKey that does not discard fired panes"}
	}
	return nil
}
