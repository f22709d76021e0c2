package jsonarrow

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"unsafe"
)

// number is one JSON number. If exact, it is mant * 10^exp, negative if neg; otherwise only its text says what it is.
type number struct {
	neg, exact bool
	mant       uint64
	exp        int
	text       []byte
}

// What conversions say against a number.
const (
	notWhole   = "is not a whole number"
	outOfRange = "is out of range"
	tooFine    = "has more decimal places than the column"
)

// maxExponent bounds exponents, so that sums of them cannot overflow. What lies beyond it is 0 or out of every range.
const maxExponent = 1 << 30

// number takes the number that stands here.
func (s *scanner) number(n *number) *RowError {
	d, start, i := s.data, s.pos, s.pos
	neg := i < len(d) && d[i] == '-'
	if neg {
		i++
	}
	first, mant := i, uint64(0)
	for ; i < len(d) && d[i]-'0' <= 9; i++ {
		mant = mant*10 + uint64(d[i]-'0')
	}
	digits, exp := i-first, 0
	if digits == 0 {
		return s.unexpected("a number")
	}
	if digits > 1 && d[first] == '0' {
		return s.fail(start, "the number has a leading zero")
	}
	if i < len(d) && d[i] == '.' {
		first = i + 1
		for i++; i < len(d) && d[i]-'0' <= 9; i++ {
			mant = mant*10 + uint64(d[i]-'0')
		}
		if i == first {
			return s.fail(i, "the number has no digits behind its point")
		}
		digits, exp = digits+i-first, first-i
	}
	if i < len(d) && d[i]|0x20 == 'e' {
		e, next, err := s.exponent(i + 1)
		if err != nil {
			return err
		}
		exp, i = exp+e, next
	}
	*n = number{neg: neg, exact: digits <= 19, mant: mant, exp: exp, text: d[start:i]}
	s.pos = i
	return nil
}

// exponent reads the exponent that begins at i and gives the place behind it.
func (s *scanner) exponent(i int) (e, next int, err *RowError) {
	d, neg := s.data, false
	if i < len(d) && (d[i] == '+' || d[i] == '-') {
		neg = d[i] == '-'
		i++
	}
	first := i
	for ; i < len(d) && d[i]-'0' <= 9; i++ {
		e = min(e*10+int(d[i]-'0'), maxExponent)
	}
	if i == first {
		return 0, 0, s.fail(i, "the number has no digits in its exponent")
	}
	if neg {
		e = -e
	}
	return e, i, nil
}

// Powers of ten that a uint64 holds, and those that a float64 holds exactly.
var (
	tens = func() (t [20]uint64) {
		t[0] = 1
		for i := 1; i < len(t); i++ {
			t[i] = t[i-1] * 10
		}
		return t
	}()
	floatTens = [...]float64{
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
		1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
	}
)

// int64 gives the number times 10^shift. A remainder is an error, or cut off towards minus infinity if floor.
func (n *number) int64(shift int, floor bool) (int64, string) {
	if n.exact && n.exp+shift == 0 && n.mant <= math.MaxInt64 {
		if n.neg {
			return -int64(n.mant), ""
		}
		return int64(n.mant), ""
	}
	v, fault := n.scaled(shift, floor)
	if fault == "" && !v.IsInt64() {
		fault = outOfRange
	}
	if fault != "" {
		return 0, fault
	}
	return v.Int64(), ""
}

// uint64 gives the number if it is whole and not negative.
func (n *number) uint64() (uint64, string) {
	if n.exact && n.exp == 0 && (!n.neg || n.mant == 0) {
		return n.mant, ""
	}
	v, fault := n.scaled(0, false)
	if fault == "" && !v.IsUint64() {
		fault = outOfRange
	}
	if fault != "" {
		return 0, fault
	}
	return v.Uint64(), ""
}

// maxDigits is how many digits the widest decimal type has, and one more.
const maxDigits = 77

// scaled is int64 without a range but that of the widest decimal.
func (n *number) scaled(shift int, floor bool) (*big.Int, string) {
	digits, exp := n.digits()
	exp += shift
	whole := len(digits) + exp
	switch {
	case len(digits) == 0:
		return new(big.Int), ""
	case whole > maxDigits:
		return nil, outOfRange
	case exp < 0 && !floor:
		return nil, notWhole
	case exp < 0:
		digits = digits[:max(whole, 0)]
	}
	for range exp {
		digits = append(digits, '0')
	}
	v, _ := new(big.Int).SetString("0"+string(digits), 10)
	if n.neg {
		v.Neg(v)
		if exp < 0 {
			v.Sub(v, big.NewInt(1))
		}
	}
	return v, ""
}

// digits gives the significant digits, without zeros at either end, and the exponent that belongs to the last one.
func (n *number) digits() (digits []byte, exp int) {
	point, behind := false, 0
	for i, c := range n.text {
		switch {
		case c == '.':
			point = true
		case c|0x20 == 'e':
			s := scanner{data: n.text}
			exp, _, _ = s.exponent(i + 1)
			goto done
		case c != '-' && (c != '0' || len(digits) > 0):
			digits = append(digits, c)
			fallthrough
		case c == '0' && point:
			if point {
				behind++
			}
		}
	}
done:
	exp -= behind
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits, exp = digits[:len(digits)-1], exp+1
	}
	return digits, exp
}

// float64 rounds to the nearest double. What is too small becomes 0, what is too large is an error.
func (n *number) float64() (float64, string) {
	if n.exact && n.mant < 1<<53 && n.exp >= -22 && n.exp <= 22 {
		f := float64(n.mant)
		if n.exp < 0 {
			f /= floatTens[-n.exp]
		} else {
			f *= floatTens[n.exp]
		}
		if n.neg {
			f = -f
		}
		return f, ""
	}
	return n.parse(64)
}

// float32 rounds to the nearest single.
func (n *number) float32() (float32, string) {
	f, fault := n.parse(32)
	return float32(f), fault
}

func (n *number) parse(size int) (float64, string) {
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(n.text), len(n.text)), size)
	if err != nil {
		return 0, outOfRange
	}
	return f, ""
}

// decimal128 gives the number times 10^scale in two halves, if that is whole and below 10^18 * 2^64.
func (n *number) decimal128(scale int32) (hi int64, lo uint64, ok bool) {
	shift := n.exp + int(scale)
	if !n.exact || shift < 0 || shift >= len(tens) {
		return 0, 0, false
	}
	h, lo := bits.Mul64(n.mant, tens[shift])
	if n.neg {
		var carry uint64
		lo, carry = bits.Add64(^lo, 1, 0)
		h = ^h + carry
	}
	return int64(h), lo, true
}
