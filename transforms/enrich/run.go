package enrich

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// run enriches one batch.
func (j *join) run(in *batch.Batch, out *flow.StepOut) error {
	hashes, err := batch.Hash(in, j.keys)
	if err != nil {
		return err
	}
	keyCols := make([]arrow.Array, len(j.keys))
	for i, k := range j.keys {
		keyCols[i] = in.Column(k)
	}
	at := make([]int32, in.Rows())
	j.index.Find(hashes, column.Views(keyCols), at)
	var found []int32 // rows with a match, if others are refused
	missing := false
	for row, id := range at {
		if id >= 0 {
			at[row] = j.place[id]
		}
		switch {
		case at[row] >= 0:
			found = append(found, int32(row))
		case j.missing == Refuse:
			missing = true
			out.Refuse(flow.Refusal{
				Row: int32(row), Rule: strings.Join(j.on, ", ") + " in the table",
				Reason: show(j.on, keyCols, row) + " is not in the table",
			})
		}
	}
	if missing {
		if len(found) == 0 {
			return nil
		}
		if in, err = in.Take(found); err != nil {
			return err
		}
		at = slices.DeleteFunc(at, func(row int32) bool { return row < 0 })
	}
	cols := slices.Clone(in.Record().Columns()[:in.Columns()])
	for _, added := range j.added {
		c, err := batch.Gather(added, at)
		if err != nil {
			return err
		}
		cols = append(cols, c)
	}
	b, err := in.With(j.schema, cols)
	if err != nil {
		return err
	}
	out.Emit(b)
	return nil
}
