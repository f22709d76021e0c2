// Package cast converts values between types exactly, or says why it cannot. The rules stand at clean.Cast.
package cast

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// Func adds the value of a row in the new type to out, or says why it cannot. The row is not null.
type Func func(v *column.View, row int, out *column.Builder) error

// Reasons of a cast that is not exact.
var (
	errRange  = errors.New("out of range")
	errWhole  = errors.New("not a whole number")
	errExact  = errors.New("the new type does not hold it exactly")
	errNumber = errors.New("not a number")
	errBool   = errors.New("neither true nor false")
	errTime   = errors.New("not a time like 2006-01-02T15:04:05Z")
	errDate   = errors.New("not a date like 2006-01-02")
)

// Find finds the cast between two types.
func Find(from, to arrow.DataType) (Func, error) {
	var c Func
	switch {
	case Text(to):
		c = toText(from)
	case temporal(to):
		c = toTime(from, to)
	case to.ID() == arrow.BOOL:
		c = toBool(from)
	case column.Number(to):
		c = toNumber(from, to)
	}
	if c == nil {
		return nil, fmt.Errorf("there is no exact cast from %s to %s", from, to)
	}
	return c, nil
}

func temporal(t arrow.DataType) bool { return t.ID() == arrow.TIMESTAMP || t.ID() == arrow.DATE32 }

// Text says whether a type holds text.
func Text(t arrow.DataType) bool { return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING }
