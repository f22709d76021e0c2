package flow

import (
	"context"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// counterSpace is the namespace prefix of all counters; the step's name follows.
const counterSpace = "millrace."

// count adds to a counter of the step. Counters are committed with the bundle on the embedded runner, so they are exact
// there; other runners may count a bundle that was repeated.
func (n *node) count(ctx context.Context, name string, delta int64) {
	if delta != 0 {
		beam.NewCounter(counterSpace+n.name, name).Inc(ctx, delta)
	}
}

// CounterName splits a Beam counter's namespace into the step's name; ok is false for counters of other programs.
func CounterName(namespace string) (step string, ok bool) {
	return strings.CutPrefix(namespace, counterSpace)
}
