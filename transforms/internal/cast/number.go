package cast

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// toNumber finds the cast to an integer, float or decimal type.
func toNumber(from, to arrow.DataType) Func {
	if !column.Number(from) && !Text(from) {
		return nil
	}
	switch to := to.(type) {
	case *arrow.Decimal128Type:
		return func(v *column.View, row int, out *column.Builder) error {
			x, err := exactly(from, v, row)
			if err != nil {
				return err
			}
			return x.decimal(to, out)
		}
	case *arrow.Float32Type, *arrow.Float64Type:
		return toFloat(from, to)
	}
	least, most := limits(to)
	return func(v *column.View, row int, out *column.Builder) error {
		if v.Kind == column.Int && v.Words[row]>>63 == 0 && least.Sign() <= 0 { // most values
			if v.Words[row] > most.LowBits() {
				return errRange
			}
			out.Words(v.Words[row])
			return nil
		}
		x, err := exactly(from, v, row)
		if err != nil {
			return err
		}
		n, ok := x.rescale(0)
		switch {
		case !ok:
			return errWhole
		case n.Cmp(least.BigInt()) < 0 || n.Cmp(most.BigInt()) > 0:
			return errRange
		}
		out.Words(decimal128.FromBigInt(n).LowBits())
		return nil
	}
}

// limits gives the smallest and the largest value of an integer type.
func limits(t arrow.DataType) (least, most decimal128.Num) {
	bits := uint(t.(arrow.FixedWidthDataType).BitWidth())
	if column.KindOf(t) == column.Uint {
		return decimal128.Num{}, decimal128.FromU64(math.MaxUint64 >> (64 - bits))
	}
	return decimal128.FromI64(math.MinInt64 >> (64 - bits)), decimal128.FromI64(math.MaxInt64 >> (64 - bits))
}

// exact is the number value / 10^scale.
type exact struct {
	value *big.Int
	scale int
}

// exactly gives a number as exact says, or says why it is none.
func exactly(from arrow.DataType, v *column.View, row int) (exact, error) {
	switch v.Kind {
	case column.Float:
		x := v.Float(row)
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0):
			return exact{}, errNumber
		case x == math.Trunc(x): // the shortest text would not name the very number
			n, _ := big.NewFloat(x).Int(nil)
			return exact{n, 0}, nil
		}
		return parse(strconv.FormatFloat(x, 'f', -1, from.(arrow.FixedWidthDataType).BitWidth()))
	case column.Bytes:
		return parse(string(v.Bytes(row)))
	case column.Decimal:
		return exact{v.Wide(row).BigInt(), int(from.(*arrow.Decimal128Type).Scale)}, nil
	}
	return exact{v.Wide(row).BigInt(), 0}, nil
}

// parse reads a number without exponent.
func parse(s string) (exact, error) {
	digits, negative := strings.CutPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return exact{}, errNumber
	}
	fraction = strings.TrimRight(fraction, "0")
	digits = strings.TrimLeft(whole+fraction, "0")
	if len(digits) > maxDigits {
		return exact{}, errRange
	}
	x, _ := new(big.Int).SetString("0"+digits, 10)
	if negative {
		x.Neg(x)
	}
	return exact{x, len(fraction)}, nil
}

// maxDigits bounds the work on one number; no type has more digits than a float64 written out.
const maxDigits = 1100

// rescale gives value * 10^scale of the number; false if it is not whole.
func (x exact) rescale(scale int) (*big.Int, bool) {
	if up := scale - x.scale; up >= 0 {
		return new(big.Int).Mul(x.value, power(up)), true
	}
	q, m := new(big.Int).QuoRem(x.value, power(x.scale-scale), new(big.Int))
	return q, m.Sign() == 0
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// decimal adds the number to a column of decimals.
func (x exact) decimal(t *arrow.Decimal128Type, out *column.Builder) error {
	n, ok := x.rescale(int(t.Scale))
	switch {
	case !ok:
		return errExact
	case n.CmpAbs(power(int(t.Precision))) >= 0:
		return errRange
	}
	d := decimal128.FromBigInt(n)
	out.Words(d.LowBits(), uint64(d.HighBits()))
	return nil
}

// toFloat finds the cast to a float type.
func toFloat(from, to arrow.DataType) Func {
	bits := to.(arrow.FixedWidthDataType).BitWidth()
	return func(v *column.View, row int, out *column.Builder) error {
		var x float64
		var err error
		switch v.Kind {
		case column.Bytes:
			x, err = parseFloat(v.Bytes(row), bits)
		case column.Decimal:
			x, err = strconv.ParseFloat(v.Wide(row).ToString(from.(*arrow.Decimal128Type).Scale), bits)
		case column.Float:
			if x = v.Float(row); bits == 32 && float64(float32(x)) != x && x == x {
				err = errExact
			}
		default:
			n := new(big.Float).SetPrec(65).SetInt(v.Wide(row).BigInt())
			var acc big.Accuracy
			if x, acc = n.Float64(); bits == 32 {
				var y float32
				y, acc = n.Float32()
				x = float64(y)
			}
			if acc != big.Exact {
				err = errExact
			}
		}
		if err != nil {
			return err
		}
		out.Words(column.FloatWord(x))
		return nil
	}
}

// parseFloat reads decimal text; hexadecimal numbers are none.
func parseFloat(s []byte, bits int) (float64, error) {
	if bytes.ContainsAny(s, "xX_") {
		return 0, errNumber
	}
	x, err := strconv.ParseFloat(string(s), bits)
	switch {
	case err == nil:
		return x, nil
	case math.IsInf(x, 0):
		return 0, errRange
	}
	return 0, errNumber
}
