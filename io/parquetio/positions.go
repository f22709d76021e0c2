package parquetio

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// Names of the columns that Options.Positions and Options.Weights add.
const (
	partitionColumn = "_partition"
	positionColumn  = "_position"
	weightColumn    = "_weight"
)

// reveal is the step that makes columns of the hidden ones, which staging drops.
func reveal(in *arrow.Schema, o Options) flow.Step {
	fields := append([]arrow.Field{}, in.Fields()...)
	if o.Positions {
		fields = append(fields,
			arrow.Field{Name: partitionColumn, Type: arrow.BinaryTypes.String, Nullable: true},
			arrow.Field{Name: positionColumn, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	if o.Weights {
		fields = append(fields, arrow.Field{Name: weightColumn, Type: arrow.PrimitiveTypes.Int64})
	}
	md := in.Metadata()
	schema := arrow.NewSchema(fields, &md)
	handle := func(b *batch.Batch, out *flow.StepOut) error {
		cols := append([]arrow.Array{}, b.Record().Columns()[:b.Columns()]...)
		if o.Positions {
			partition, position := positions(b)
			cols = append(cols, partition, position)
		}
		if o.Weights {
			cols = append(cols, weights(b))
		}
		with, err := b.With(schema, cols)
		if err == nil {
			out.Emit(with)
		}
		return err
	}
	return flow.Step{
		Kind: "positions", Schema: schema, OneToOne: true,
		Open: func() (flow.StepFunc, error) { return handle, nil },
	}
}

// positions gives where in the source each row comes from, as dead letters print it.
func positions(b *batch.Batch) (partition, position arrow.Array) {
	parts := array.NewStringBuilder(memory.DefaultAllocator)
	places := array.NewStringBuilder(memory.DefaultAllocator)
	d, _ := b.Hidden(batch.PartColumn).(*array.Dictionary)
	sub, _ := b.Hidden(batch.SubColumn).(*array.Int32)
	for row := range b.Rows() {
		if d == nil || d.IsNull(row) {
			parts.AppendNull()
		} else {
			parts.Append(d.Dictionary().(*array.String).Value(d.GetValueIndex(row)))
		}
		var place string
		switch o := b.Hidden(batch.OffsetColumn).(type) {
		case *array.Int64:
			place = strconv.FormatInt(o.Value(row), 10)
		case *array.Binary:
			place = fmt.Sprintf("%x", o.Value(row))
		default:
			places.AppendNull()
			continue
		}
		if sub != nil && sub.Value(row) != 0 {
			place += "/" + strconv.Itoa(int(sub.Value(row)))
		}
		places.Append(place)
	}
	return parts.NewArray(), places.NewArray()
}

// weights gives the number of source rows behind each row.
func weights(b *batch.Batch) arrow.Array {
	if w := b.Hidden(batch.WeightColumn); w != nil {
		return w
	}
	ones := array.NewInt64Builder(memory.DefaultAllocator)
	for range b.Rows() {
		ones.Append(1)
	}
	return ones.NewArray()
}
