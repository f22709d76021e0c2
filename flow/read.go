package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/millrace-io/millrace/batch"
)

// Input is what a source gives.
type Input struct {
	// Rows are the decoded rows, in the source's order within each partition.
	Rows Rows
	// Rejected are the records that do not fit the schema, as dead letters.
	Rejected Rows
}

// source is the implementation of a Read step.
type source struct {
	Source
	spec SourceSpec
	n    *node
}

// Read adds a source. Two splittable DoFns drive it: one lists partitions, the other reads one partition a restriction,
// a bounded piece a call, from the position that the last committed bundle left.
func Read(p *Pipeline, step string, src Source) Input {
	spec := src.Spec()
	spec.IdleAfter = cmp.Or(spec.IdleAfter, 30*time.Second)
	n := p.add(step, spec.Connector)
	if n == nil {
		return Input{}
	}
	if spec.Schema == nil || spec.Schema.NumFields() == 0 {
		p.Errorf(step, "%s gives no columns", spec.Connector)
		return Input{}
	}
	n.detail, n.guarantee, n.schema = spec.shown(), spec.Guarantee, spec.Schema
	n.identity = spec.Connector + " " + spec.Address
	n.impl = &source{Source: src, spec: spec, n: n}
	s := p.scope(n)
	parts := beam.ParDo(s.Scope("list"), &listFn{sdfStep{p.name, step}}, beam.Impulse(s))
	out, dead := beam.ParDo2(s.Scope("read"), &readFn{sdfStep{p.name, step}}, parts)
	return Input{
		Rows:     Rows{p: p, from: n, col: out, schema: spec.Schema, time: spec.EventTime},
		Rejected: Rows{p: p, from: n, col: dead, schema: DeadSchema, time: true, role: roleRejected},
	}
}

// restriction is what is kept of a partition between two calls: everything still to be read from Pos on.
type restriction struct {
	Pos     []byte `json:"pos,omitempty"`
	Records int64  `json:"records,omitempty"`
	End     bool   `json:"end,omitempty"`
	// Known are the partitions that a listing has handed out; only the listing's restriction has them.
	Known  []string `json:"known,omitempty"`
	Listed int64    `json:"listed,omitempty"` // microseconds
}

func (r restriction) encode() []byte {
	b, _ := json.Marshal(r) // cannot fail: bytes, integers and strings
	return b
}

func decodeRestriction(b []byte) (restriction, error) {
	var r restriction
	if len(b) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("stored restriction is damaged: %w", err)
	}
	return r, nil
}

// tracker tracks a restriction whose work is done in one call: a claim says where the call ended, and the only split is the
// self-checkpoint behind that claim.
type tracker struct {
	rest []byte
	done bool
	err  error
}

// TryClaim takes the encoded restriction behind what was read.
func (t *tracker) TryClaim(pos any) bool {
	if t.done {
		return false
	}
	next, ok := pos.([]byte)
	if !ok {
		t.err = fmt.Errorf("claim of %T", pos)
		return false
	}
	t.rest = next
	r, err := decodeRestriction(next)
	t.err, t.done = err, r.End
	return err == nil
}

// GetError gives the error of the last claim.
func (t *tracker) GetError() error { return t.err }

// TrySplit takes part in the self-checkpoint only: a runner's own split gets nothing.
func (t *tracker) TrySplit(fraction float64) (primary, residual any, err error) {
	if t.done || fraction > 0 {
		return t.rest, nil, nil
	}
	t.done = true
	return restriction{End: true}.encode(), t.rest, nil
}

// GetProgress knows nothing of the work that is left.
func (t *tracker) GetProgress() (done, remaining float64) {
	if t.done {
		return 1, 0
	}
	return 0, 1
}

// IsDone says whether the restriction was read to its end or split off.
func (t *tracker) IsDone() bool { return t.done }

// GetRestriction gives the encoded restriction.
func (t *tracker) GetRestriction() any { return t.rest }

// IsBounded says that the rest may be endless.
func (t *tracker) IsBounded() bool { return false }

// beamTime is the Beam time of an event time in microseconds, before END even for a time that lies behind it.
func beamTime(us int64) beam.EventTime {
	if us == batch.NoTime {
		return minTime
	}
	ms := us / 1000
	if us%1000 < 0 {
		ms--
	}
	return min(max(beam.EventTime(ms), minTime), maxTime)
}
