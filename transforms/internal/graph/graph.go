// Package graph has what transforms share when they check their options against a schema.
package graph

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// Report records every fault of a joined error as a mistake of its own.
func Report(step string, in flow.Rows, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			Report(step, in, e)
		}
		return
	}
	in.Errorf(step, "%w", err)
}

// Find gives the index of a column, or an error that lists those there are.
func Find(s *arrow.Schema, name string) (int, error) {
	if i := s.FieldIndices(name); len(i) > 0 {
		return i[0], nil
	}
	names := make([]string, s.NumFields())
	for i, f := range s.Fields() {
		names[i] = f.Name
	}
	return -1, fmt.Errorf("there is no column %q; there are: %s", name, strings.Join(names, ", "))
}

// Distinct finds names that a schema cannot have: empty ones, those that belong to hidden columns, and repetitions.
func Distinct(fields []arrow.Field) error {
	seen := map[string]bool{}
	for _, f := range fields {
		switch {
		case f.Name == "":
			return fmt.Errorf("a column has no name")
		case strings.HasPrefix(f.Name, batch.HiddenPrefix):
			return fmt.Errorf("the column name %q begins with %q, which is kept for hidden columns", f.Name, batch.HiddenPrefix)
		case seen[f.Name]:
			return fmt.Errorf("the result would have two columns %q", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// Inserts refuses a batch that holds other changes than inserts, for steps that cannot take a row back.
func Inserts(b *batch.Batch) error {
	kinds, ok := b.Hidden(batch.KindColumn).(interface{ Int8Values() []int8 })
	if !ok {
		return nil
	}
	for _, k := range kinds.Int8Values() {
		if batch.Kind(k) != batch.Insert {
			return fmt.Errorf("a row is of kind %q, but this step takes inserts only; bring the change stream to its latest rows first", batch.Kind(k))
		}
	}
	return nil
}
