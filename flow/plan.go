package flow

import (
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// PlanStep is one step as plan shows it.
type PlanStep struct {
	// Name and Kind of the step.
	Name, Kind string
	// Detail says what is read, done or written.
	Detail string
	// Inputs are the names of the steps before.
	Inputs []string
	// Schema is the visible schema of its rows; nil for sinks.
	Schema *arrow.Schema
	// Guarantee says in one line what the step promises.
	Guarantee string
	// Site is the user's file:line.
	Site string
}

// Plan lists the steps in the order in which they were added.
func (g *Graph) Plan() []PlanStep {
	out := make([]PlanStep, 0, len(g.order))
	for _, n := range g.order {
		s := PlanStep{Name: n.name, Kind: n.kind, Detail: n.detail, Schema: n.schema, Guarantee: n.guarantee, Site: n.site}
		for _, in := range n.inputs {
			s.Inputs = append(s.Inputs, in.name)
		}
		out = append(out, s)
	}
	return out
}

// WritePlan prints the plan for a person.
func (g *Graph) WritePlan(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s\n", g.name)
	for _, s := range g.Plan() {
		fmt.Fprintf(&b, "\n%s  (%s)", s.Name, s.Kind)
		if len(s.Inputs) > 0 {
			fmt.Fprintf(&b, "  <- %s", strings.Join(s.Inputs, ", "))
		}
		b.WriteByte('\n')
		if s.Detail != "" {
			fmt.Fprintf(&b, "    what       %s\n", s.Detail)
		}
		if s.Guarantee != "" {
			fmt.Fprintf(&b, "    guarantee  %s\n", s.Guarantee)
		}
		if s.Schema != nil {
			fmt.Fprintf(&b, "    columns    %s\n", columnList(s.Schema))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func columnList(s *arrow.Schema) string {
	parts := make([]string, 0, s.NumFields())
	for _, f := range s.Fields() {
		null := ""
		if f.Nullable {
			null = "?"
		}
		parts = append(parts, fmt.Sprintf("%s %s%s", f.Name, f.Type, null))
	}
	return strings.Join(parts, ", ")
}
