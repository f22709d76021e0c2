package flow

import (
	"fmt"

	"github.com/millrace-io/millrace/batch"
)

// books checks that a step has put every source row somewhere: what it took must be what it gave on, refused, dropped by
// rule, or holds back. A step that loses or doubles rows ends the job.
func books(taken, given int64) error {
	if taken == given {
		return nil
	}
	return fmt.Errorf("%w: the step took %d source rows and accounts for %d; it is at fault", ErrPermanent, taken, given)
}

// oneToOne checks that each row has given one row or one refusal.
func oneToOne(in *batch.Batch, out *StepOut) error {
	rows := len(out.refused)
	for _, b := range out.rows {
		rows += b.Rows()
	}
	if rows == in.Rows() {
		return nil
	}
	return fmt.Errorf("%w: the step made %d rows and refusals of %d rows; it is at fault", ErrPermanent, rows, in.Rows())
}

func weigh(bs []*batch.Batch) int64 {
	var w int64
	for _, b := range bs {
		w += b.Weight()
	}
	return w
}

// weight is the number of source rows that a step has given for in.
func (o *StepOut) weight(in *batch.Batch) int64 {
	w := weigh(o.rows) + o.dropped
	weights := in.Weights()
	for _, r := range o.refused {
		w += weightAt(weights, r.Row)
	}
	return w
}

// weight is the number of source rows that a group has given, or has begun to hold back.
func (o *Out) weight() int64 { return weigh(o.rows) + weigh(o.late) + o.dropped + o.held }
