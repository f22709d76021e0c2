package flow

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window/trigger"
)

// Written is what a sink gives.
type Written struct {
	// Rejected are the rows that the sink does not take, as dead letters.
	Rejected Rows
}

// sink is the implementation of a Write step.
type sink struct {
	Sink
	spec SinkSpec
	n    *node
	in   *arrow.Schema
}

// Write adds a sink.
//
//	rows -> stage -> roll -> | claim -> | file -> count -> | finish
//
// A bundle stages its rows as one object; the roll gathers what is staged and cuts commits; behind each bar the input is
// committed before it is seen, so a commit is published as often as it takes, but always the same one.
func Write(step string, in Rows, s Sink) Written {
	if !in.Valid() {
		return Written{}
	}
	p := in.p
	n := p.add(step, s.Spec().Connector, in)
	if n == nil {
		return Written{}
	}
	if err := s.Check(in.schema); err != nil {
		p.Errorf(step, "%w", err)
		return Written{}
	}
	for _, f := range in.schema.Fields() {
		if d := dictionaryIn(f.Type); d != nil {
			p.Errorf(step, "column %q is dictionary-encoded; cast it to %s", f.Name, d.ValueType)
			return Written{}
		}
	}
	spec := s.Spec()
	n.detail, n.guarantee = spec.URL, spec.Guarantee
	n.impl = &sink{Sink: s, spec: spec, n: n, in: in.schema}

	sc := p.scope(n)
	sp := stepPayload{P: p.name, Step: step}
	staged, dead := beam.ParDo2(sc.Scope("stage"), &stageFn{stepPayload: sp}, in.col)
	seed := beam.ParDo(sc.Scope("seed"), &seedFn{sp}, beam.Impulse(sc))
	commits := beam.ParDo(sc.Scope("roll"), newRollFn(sp), beam.Flatten(sc.Scope("staged"), seed, staged))
	tasks, claimed := beam.ParDo2(sc.Scope("claim"), &claimFn{sp}, stable(sc.Scope("commits"), commits))
	results := beam.ParDo(sc.Scope("file"), &fileFn{sp}, stable(sc.Scope("files"), tasks))
	whole := beam.ParDo(sc.Scope("count"), newCountFn(sp), beam.Flatten(sc.Scope("results"), claimed, results))
	beam.ParDo0(sc.Scope("finish"), &finishFn{sp}, stable(sc.Scope("whole"), whole))
	return Written{Rejected: Rows{p: p, from: n, col: dead, schema: DeadSchema, time: true, role: roleRejected}}
}

// stable makes what comes behind it see the same input again after any failure: a runner commits, or checkpoints, what a
// GroupByKey gives before it hands it on. The order per key is kept. Nothing may stand between it and the step that
// relies on it.
func stable(s beam.Scope, kv beam.PCollection) beam.PCollection {
	w := beam.WindowInto(s, window.NewGlobalWindows(), kv, beam.Trigger(trigger.Repeat(trigger.AfterCount(1))), beam.PanesDiscard())
	return beam.GroupByKey(s, w)
}

// stepPayload is the whole payload of a DoFn: the step is found by it in the process that runs it.
type stepPayload struct {
	P    string `json:"p"`
	Step string `json:"step"`
}

// key is the key under which everything of one sink meets.
func (s stepPayload) key() string { return s.Step }

func (s stepPayload) fail(op string, err error) error {
	return &StepError{Step: s.Step, Op: op, Err: err}
}

func damaged(what string, err error) error { return fmt.Errorf("%s is damaged: %w", what, err) }

// dictionaryIn finds a dictionary-encoded type in t: a staged range could not be read without those before it.
func dictionaryIn(t arrow.DataType) *arrow.DictionaryType {
	if d, ok := t.(*arrow.DictionaryType); ok {
		return d
	}
	if n, ok := t.(arrow.NestedType); ok {
		for _, f := range n.Fields() {
			if d := dictionaryIn(f.Type); d != nil {
				return d
			}
		}
	}
	return nil
}
