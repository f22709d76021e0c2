package parquetio

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// values reads a partition column: number or text tells equal values apart, show prints one.
type values struct {
	number func(row int) int64
	text   func(row int) string
	show   func(row int) string
}

// valuesOf says how a column makes folders. An error says that it cannot.
func valuesOf(p partition, col arrow.Array) (values, error) {
	if err := partitionable(p.per, col.DataType()); err != nil {
		return values{}, err
	}
	if p.per != identity {
		return periodsOf(p.per, col), nil
	}
	switch c := col.(type) {
	case *array.String:
		return values{text: c.Value, show: c.Value}, nil
	case *array.LargeString:
		return values{text: c.Value, show: c.Value}, nil
	case *array.Decimal128:
		show := func(row int) string { return c.Value(row).ToString(c.DataType().(*arrow.Decimal128Type).Scale) }
		return values{text: show, show: show}, nil
	case *array.Timestamp:
		unit := unitsPerSecond(c.DataType())
		return values{number: numbers(col), show: func(row int) string { return showTime(int64(c.Value(row)), unit) }}, nil
	case *array.Date32:
		return values{number: numbers(col), show: func(row int) string { return showDay(int64(c.Value(row))) }}, nil
	}
	return values{number: numbers(col), show: col.ValueStr}, nil
}

// partitionable says whether a column of that type can make folders of its values or their day or hour.
func partitionable(per period, t arrow.DataType) error {
	id := t.ID()
	switch {
	case per == perDay && id != arrow.TIMESTAMP && id != arrow.DATE32:
		return fmt.Errorf("day needs a timestamp or a date, the column has type %s", t)
	case per == perHour && id != arrow.TIMESTAMP:
		return fmt.Errorf("hour needs a timestamp, the column has type %s", t)
	}
	switch id {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64,
		arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.STRING, arrow.LARGE_STRING, arrow.DECIMAL128, arrow.DATE32, arrow.TIMESTAMP:
		return nil
	}
	return fmt.Errorf("a column of type %s makes no folders: use an integer, text, bool, decimal, date or timestamp", t)
}

// numbers gives a number for each distinct value of a column without text.
func numbers(col arrow.Array) func(row int) int64 {
	switch c := col.(type) {
	case *array.Int8:
		return func(row int) int64 { return int64(c.Value(row)) }
	case *array.Int16:
		return func(row int) int64 { return int64(c.Value(row)) }
	case *array.Int32:
		return func(row int) int64 { return int64(c.Value(row)) }
	case *array.Int64:
		return c.Value
	case *array.Uint8:
		return func(row int) int64 { return int64(c.Value(row)) }
	case *array.Uint16:
		return func(row int) int64 { return int64(c.Value(row)) }
	case *array.Uint32:
		return func(row int) int64 { return int64(c.Value(row)) }
	case *array.Uint64:
		return func(row int) int64 { return int64(c.Value(row)) }
	case *array.Date32:
		return func(row int) int64 { return int64(c.Value(row)) }
	case *array.Timestamp:
		return func(row int) int64 { return int64(c.Value(row)) }
	}
	b := col.(*array.Boolean) // the only other type that is partitionable and has no text
	return func(row int) int64 {
		if b.Value(row) {
			return 1
		}
		return 0
	}
}

// periodsOf counts days or hours since 1970, in UTC.
func periodsOf(per period, col arrow.Array) values {
	number := numbers(col)
	span := int64(1) // a date counts days already
	if t, ok := col.(*array.Timestamp); ok {
		span = 3600 * unitsPerSecond(t.DataType())
		if per == perDay {
			span *= 24
		}
	}
	count := func(row int) int64 { return floorDiv(number(row), span) }
	show := func(row int) string { return showDay(count(row)) }
	if per == perHour {
		show = func(row int) string {
			h := count(row)
			return fmt.Sprintf("%s-%02d", showDay(floorDiv(h, 24)), h-24*floorDiv(h, 24))
		}
	}
	return values{number: count, show: show}
}

func unitsPerSecond(t arrow.DataType) int64 {
	return int64(1e9) / int64(t.(*arrow.TimestampType).Unit.Multiplier())
}

// floorDiv rounds towards minus infinity, so that a moment before 1970 belongs to its own day.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// showDay prints a day, counted from 1970-01-01, as YYYY-MM-DD in the proleptic Gregorian calendar. It holds for every day
// that an int64 of seconds can name. (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, civil_from_days.)
func showDay(days int64) string {
	z := days + 719_468
	era := floorDiv(z, 146_097)
	doe := z - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day, month, year := doy-(153*mp+2)/5+1, mp+3, yoe+era*400
	if month > 12 {
		month -= 12
		year++
	}
	sign := ""
	if year < 0 {
		sign, year = "-", -year
	}
	return fmt.Sprintf("%s%04d-%02d-%02d", sign, year, month, day)
}

// showTime prints a moment as YYYY-MM-DD hh:mm:ss and, if it has any, its fraction without trailing zeros.
func showTime(v, perSecond int64) string {
	sec := floorDiv(v, perSecond)
	day := floorDiv(sec, 86_400)
	ofDay := sec - day*86_400
	out := fmt.Sprintf("%s %02d:%02d:%02d", showDay(day), ofDay/3600, ofDay/60%60, ofDay%60)
	if frac := v - sec*perSecond; frac != 0 {
		text := strconv.FormatInt(perSecond+frac, 10)[1:] // as many digits as the unit has
		for text[len(text)-1] == '0' {
			text = text[:len(text)-1]
		}
		out += "." + text
	}
	return out
}
