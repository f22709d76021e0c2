package clean

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// Limit is what a bound can be: a number for columns of numbers, a time for columns of dates and timestamps.
type Limit interface {
	int | int64 | float64 | time.Time
}

// Positive refuses rows in which one of the columns is 0, negative or NaN. The rules are named "<column> > 0".
func Positive(columns ...string) Rule {
	zero := limit{new(big.Rat), "0", false}
	return each("positive", columns, func(f arrow.Field, i int) (stage, error) {
		return between(f, i, bounds{f.Name + " > 0", &zero, nil, true})
	})
}

// Min refuses rows in which the column is smaller than least, or NaN. The rule is named "<column> >= <least>".
func Min[T Limit](column string, least T) Rule {
	lo, err := limitOf(least)
	return bound(column, bounds{column + " >= " + lo.text, &lo, nil, false}, err)
}

// Max refuses rows in which the column is larger than most, or NaN. The rule is named "<column> <= <most>".
func Max[T Limit](column string, most T) Rule {
	hi, err := limitOf(most)
	return bound(column, bounds{column + " <= " + hi.text, nil, &hi, false}, err)
}

// Between refuses rows in which the column is smaller than least, larger than most, or NaN. The rule is named
// "<least> <= <column> <= <most>".
func Between[T Limit](column string, least, most T) Rule {
	lo, err := limitOf(least)
	hi, err2 := limitOf(most)
	err = errors.Join(err, err2)
	if err == nil && lo.value.Cmp(hi.value) > 0 {
		err = fmt.Errorf("%s is larger than %s", lo.text, hi.text)
	}
	return bound(column, bounds{lo.text + " <= " + column + " <= " + hi.text, &lo, &hi, false}, err)
}

func bound(column string, b bounds, err error) Rule {
	r := each("bound", []string{column}, func(f arrow.Field, i int) (stage, error) {
		if err != nil {
			return nil, err
		}
		return between(f, i, b)
	})
	r.text = b.rule
	return r
}

// limit is a bound: a number, or the nanoseconds since 1970 of a time.
type limit struct {
	value *big.Rat
	text  string
	time  bool
}

func limitOf[T Limit](v T) (limit, error) {
	switch x := any(v).(type) {
	case int:
		return limit{new(big.Rat).SetInt64(int64(x)), fmt.Sprint(x), false}, nil
	case int64:
		return limit{new(big.Rat).SetInt64(x), fmt.Sprint(x), false}, nil
	case time.Time:
		ns := new(big.Int).Mul(big.NewInt(x.Unix()), big.NewInt(1e9))
		ns.Add(ns, big.NewInt(int64(x.Nanosecond())))
		return limit{new(big.Rat).SetInt(ns), x.UTC().Format(time.RFC3339Nano), true}, nil
	case float64:
		if r := new(big.Rat).SetFloat64(x); r != nil {
			return limit{r, fmt.Sprint(x), false}, nil
		}
	}
	return limit{new(big.Rat), fmt.Sprint(v), false}, fmt.Errorf("%v is no bound", v)
}

// bounds are the limits of a column; above means that least, which is 0 then, is
// outside itself.
type bounds struct {
	rule        string
	least, most *limit
	above       bool
}

// between makes the stage that refuses what lies outside of the bounds.
func between(f arrow.Field, i int, b bounds) (stage, error) {
	per, isTime, err := scale(f.Type)
	if err != nil {
		return nil, fmt.Errorf("%s is of type %s, which has no bounds: cast it to a number, a date or a timestamp before", f.Name, f.Type)
	}
	for _, l := range []*limit{b.least, b.most} {
		if l != nil && l.time != isTime {
			return nil, fmt.Errorf("%s is of type %s, its bound is %s", f.Name, f.Type, l.text)
		}
	}
	inside, err := b.compile(column.KindOf(f.Type), per)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return func(r *rows) error {
		v := column.Of(r.cols[i])
		for row := range r.n {
			if !v.Null(row) && !inside(&v, row) && !r.broken(row) {
				r.refuse(row, b.rule, is(f.Name, r.cols[i], row))
			}
		}
		return nil
	}, nil
}

// scale gives how many of the column's units make one of a limit: for times a nanosecond, for decimals 1.
func scale(t arrow.DataType) (per *big.Rat, isTime bool, err error) {
	switch t := t.(type) {
	case *arrow.TimestampType:
		return big.NewRat(1, int64(t.Unit.Multiplier())), true, nil
	case *arrow.Date32Type:
		return big.NewRat(1, int64(24*time.Hour)), true, nil
	case *arrow.Date64Type:
		return big.NewRat(1, int64(time.Millisecond)), true, nil
	case *arrow.Decimal128Type:
		ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(t.Scale, -t.Scale))), nil)
		per = new(big.Rat).SetInt(ten)
		if t.Scale < 0 {
			per.Inv(per)
		}
		return per, false, nil
	}
	if !column.Number(t) {
		return nil, false, fmt.Errorf("type %s has no bounds", t)
	}
	return big.NewRat(1, 1), false, nil
}

// compile gives the test of one row.
func (b bounds) compile(k column.Kind, per *big.Rat) (func(v *column.View, row int) bool, error) {
	if k == column.Float {
		return b.floats()
	}
	lo, hi := decimal128.FromBigInt(new(big.Int).Neg(huge)), decimal128.FromBigInt(huge)
	if b.least != nil {
		least := ceil(new(big.Rat).Mul(b.least.value, per))
		if b.above { // least is 0
			least.Add(least, big.NewInt(1))
		}
		lo = clamp(least)
	}
	if b.most != nil {
		x := new(big.Rat).Mul(b.most.value, per)
		most := ceil(x.Neg(x))
		hi = clamp(most.Neg(most))
	}
	return func(v *column.View, row int) bool {
		x := v.Wide(row)
		return lo.LessEqual(x) && x.LessEqual(hi)
	}, nil
}

func (b bounds) floats() (func(v *column.View, row int) bool, error) {
	lo, hi := math.Inf(-1), math.Inf(1)
	for _, l := range []struct {
		*limit
		to *float64
	}{{b.least, &lo}, {b.most, &hi}} {
		if l.limit == nil {
			continue
		}
		var exact bool
		if *l.to, exact = l.value.Float64(); !exact {
			return nil, fmt.Errorf("the bound %s cannot be compared with floats, which do not have this value", l.text)
		}
	}
	above := b.above
	return func(v *column.View, row int) bool {
		x := v.Float(row)
		return lo <= x && x <= hi && !(above && x == lo)
	}, nil
}

// huge is the largest number of 128 bits.
var huge = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 127), big.NewInt(1))

// ceil gives the smallest integer that is not smaller than x.
func ceil(x *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int))
	if m.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// clamp cuts x off at the ends of 128 bits.
func clamp(x *big.Int) decimal128.Num {
	switch low := new(big.Int).Neg(huge); {
	case x.Cmp(huge) > 0:
		x = huge
	case x.Cmp(low) < 0:
		x = low
	}
	return decimal128.FromBigInt(x)
}
