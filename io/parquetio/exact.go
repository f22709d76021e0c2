package parquetio

import (
	"fmt"
	"math"
	"sort"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// check refuses the rows with a value in col that its Parquet type cannot hold as it is.
func check(f arrow.Field, col arrow.Array, bad *refusals) {
	at := func(i int) (int, bool) { return i, true }
	(&checker{bad: bad, path: f.Name, at: at}).check(f, col)
}

// checker checks the values of one column, or of one field inside of it.
type checker struct {
	bad  *refusals
	path string
	// at finds the row that the i-th value belongs to, and whether it counts: what lies below a null does not.
	at func(i int) (row int, counts bool)
}

func (c *checker) check(f arrow.Field, col arrow.Array) {
	if !f.Nullable && col.NullN() > 0 {
		for i := range col.Len() {
			if col.IsNull(i) {
				c.refuse(i, RuleRequired, "null in a column that is declared not null")
			}
		}
	}
	switch a := col.(type) {
	case *array.String:
		c.text(a, a.ValueBytes(), a.Value)
	case *array.LargeString:
		c.text(a, a.ValueBytes(), a.Value)
	case *array.Decimal128:
		t := a.DataType().(*arrow.Decimal128Type)
		c.each(a, func(i int) bool { return fits(a.Value(i), t.Precision) })
	case *array.Timestamp:
		if a.DataType().(*arrow.TimestampType).Unit == arrow.Second { // becomes milliseconds
			c.each(a, func(i int) bool { return a.Value(i) <= math.MaxInt64/1000 && a.Value(i) >= math.MinInt64/1000 })
		}
	case *array.Time32:
		day := arrow.Time32(24 * time.Hour / a.DataType().(*arrow.Time32Type).Unit.Multiplier())
		c.each(a, func(i int) bool { return a.Value(i) >= 0 && a.Value(i) < day })
	case *array.Time64:
		day := arrow.Time64(24 * time.Hour / a.DataType().(*arrow.Time64Type).Unit.Multiplier())
		c.each(a, func(i int) bool { return a.Value(i) >= 0 && a.Value(i) < day })
	case *array.Map:
		c.list(a.DataType().(*arrow.MapType).ElemField(), a)
	case *array.List:
		c.list(a.DataType().(*arrow.ListType).ElemField(), a)
	case *array.Struct:
		c.structure(a)
	}
}

func (c *checker) refuse(i int, rule, what string) {
	if row, counts := c.at(i); counts {
		c.bad.add(int32(row), rule, fmt.Sprintf("column %q: %s", c.path, what))
	}
}

// each refuses the values that do not fit.
func (c *checker) each(a arrow.Array, ok func(i int) bool) {
	for i := range a.Len() {
		if !ok(i) && a.IsValid(i) {
			c.refuse(i, RuleRange, fmt.Sprintf("%s does not fit the Parquet form of %s", a.ValueStr(i), a.DataType()))
		}
	}
}

// fits says whether a decimal has at most that many digits. The smallest number has no absolute value to look at.
func fits(v decimal128.Num, precision int32) bool {
	return v.FitsInPrecision(precision) && v != decimal128.New(math.MinInt64, 0)
}

// text refuses what is not valid UTF-8. all are the bytes of all values: if they are ASCII, nothing has to be looked at.
func (c *checker) text(a arrow.Array, all []byte, value func(i int) string) {
	if ascii(all) {
		return
	}
	for i := range a.Len() {
		if v := value(i); !utf8.ValidString(v) && a.IsValid(i) {
			n := 0
			for r, size := utf8.DecodeRuneInString(v); r != utf8.RuneError || size > 1; r, size = utf8.DecodeRuneInString(v[n:]) {
				n += size
			}
			c.refuse(i, RuleUTF8, fmt.Sprintf("the text is not valid UTF-8: byte %d is 0x%02X", n, v[n]))
		}
	}
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// list checks the elements of lists and the entries of maps.
func (c *checker) list(elem arrow.Field, a array.ListLike) {
	if a.Len() == 0 {
		return
	}
	end := func(i int) int { _, e := a.ValueOffsets(i); return int(e) }
	from, _ := a.ValueOffsets(0)
	values := array.NewSlice(a.ListValues(), from, int64(end(a.Len()-1)))
	at := func(i int) (int, bool) {
		of := sort.Search(a.Len(), func(n int) bool { return end(n) > int(from)+i })
		row, counts := c.at(of)
		return row, counts && a.IsValid(of)
	}
	(&checker{bad: c.bad, path: c.path + "." + elem.Name, at: at}).check(elem, values)
}

func (c *checker) structure(a *array.Struct) {
	at := func(i int) (int, bool) {
		row, counts := c.at(i)
		return row, counts && a.IsValid(i)
	}
	for i, f := range a.DataType().(*arrow.StructType).Fields() {
		(&checker{bad: c.bad, path: c.path + "." + f.Name, at: at}).check(f, a.Field(i))
	}
}
