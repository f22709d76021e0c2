package flow

import (
	"fmt"

	"github.com/millrace-io/millrace/batch"
)

// Dead brings rejected and late rows of any steps and schemas into one collection in DeadSchema. Late rows become letters
// with cause "late" and their columns as JSON. Invalid inputs are left out. The step is named letters, then letters2 and so
// on.
func Dead(ins ...Rows) Rows {
	var letters []Rows
	var p *Pipeline
	for _, in := range ins {
		if !in.Valid() {
			continue
		}
		p = in.p
		if in.role != roleRejected {
			in = lateLetters(in)
		}
		letters = append(letters, in)
	}
	if len(letters) == 0 {
		return Rows{}
	}
	name := "letters"
	for i := 2; p.nodes[name] != nil; i++ {
		name = fmt.Sprintf("letters%d", i)
	}
	out := Flatten(name, letters...)
	out.role = roleRejected
	return out
}

// lateLetters turns rows into dead letters.
func lateLetters(in Rows) Rows {
	step := in.Step()
	open := func() (StepFunc, error) {
		return func(b *batch.Batch, out *StepOut) error {
			letters := make([]Letter, b.Rows())
			for i := range letters {
				l, err := rowLetter(b, i)
				if err != nil {
					return err
				}
				l.Step, l.Cause, l.Reason = step, CauseLate, "its window was closed before it came"
				letters[i] = l
			}
			d, err := DeadRows(letters)
			if err == nil && d != nil {
				out.Emit(d)
			}
			return err
		}, nil
	}
	return Transform(step+".late", in, Step{Kind: "late", Schema: DeadSchema, Open: open}).Rows
}
