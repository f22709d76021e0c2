package jdbcio

import (
	"database/sql/driver"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/millrace-io/millrace/batch"
)

func decodeInt(c *batch.Column, v driver.Value) error {
	x, ok := v.(int64)
	if !ok {
		return misfit(v, "integer")
	}
	c.Int64(x)
	return nil
}

func decodeFloat(c *batch.Column, v driver.Value) error {
	switch x := v.(type) {
	case float64:
		c.Float64(x)
		return nil
	case int64:
		if f := float64(x); f < 1<<63 && int64(f) == x {
			c.Float64(f)
			return nil
		}
	}
	return misfit(v, "exact float64")
}

func decodeDecimal(c *batch.Column, v driver.Value, t *arrow.Decimal128Type) error {
	var text string
	switch x := v.(type) {
	case int64:
		text = strconv.FormatInt(x, 10)
	case float64:
		text = strconv.FormatFloat(x, 'f', -1, 64)
	case string:
		text = strings.TrimSpace(x)
	default:
		return misfit(v, t.String())
	}
	n, ok := exactDecimal(text, t)
	if !ok {
		return misfit(v, t.String())
	}
	c.Decimal(n)
	return nil
}

// exactDecimal reads digits with a sign and a point. It never rounds: zeros behind the last place of the type are all that it
// drops.
func exactDecimal(text string, t *arrow.Decimal128Type) (n decimal128.Num, ok bool) {
	whole, frac, _ := strings.Cut(text, ".")
	if frac = strings.TrimRight(frac, "0"); len(frac) > int(t.Scale) || len(whole) > 1000 {
		return n, false
	}
	digits := strings.TrimLeft(whole, "+-")
	if len(whole)-len(digits) > 1 || digits+frac == "" && !strings.Contains(text, "0") {
		return n, false
	}
	all := strings.TrimLeft(digits+frac+strings.Repeat("0", int(t.Scale)-len(frac)), "0")
	if len(all) > int(t.Precision) || strings.Trim(all, "0123456789") != "" {
		return n, false
	}
	x, _ := new(big.Int).SetString("0"+all, 10)
	if whole != digits && whole[0] == '-' {
		x.Neg(x)
	}
	return decimal128.FromBigInt(x), true
}
