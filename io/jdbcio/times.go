package jdbcio

import (
	"database/sql/driver"
	"errors"
	"math"
	"strings"
	"time"
)

// isoForms are the time strings that SQLite's date functions take. A time without a zone is UTC.
// Source: sqlite.org/lang_datefunc.html, section 2.
var isoForms = []string{
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04Z07:00", "2006-01-02 15:04", "2006-01-02",
}

var errNoTime = errors.New("it is null")

// micros reads a stored time as microseconds since 1970: TEXT in ISO 8601 form, INTEGER in unit, REAL as a Julian day.
func micros(v driver.Value, unit time.Duration) (int64, error) {
	switch x := v.(type) {
	case nil:
		return 0, errNoTime
	case string:
		return isoMicros(x)
	case int64:
		return scale(x, unit)
	case float64:
		// 2440587.5 is the Julian day of 1970-01-01T00:00. SQLite keeps Julian days to the millisecond.
		ms := math.Round((x - 2440587.5) * 86_400_000)
		if math.IsNaN(ms) || math.Abs(ms) > math.MaxInt64/1000 {
			return 0, misfit(v, "Julian day")
		}
		return int64(ms) * 1000, nil
	}
	return 0, misfit(v, "time")
}

func scale(x int64, unit time.Duration) (int64, error) {
	if unit >= time.Microsecond {
		f := int64(unit / time.Microsecond)
		if us := x * f; us/f == x {
			return us, nil
		}
		return 0, misfit(x, "time in the range of microseconds")
	}
	f := int64(time.Microsecond / unit)
	us := x / f
	if x%f != 0 {
		return 0, misfit(x, "whole number of microseconds")
	}
	return us, nil
}

func isoMicros(s string) (int64, error) {
	text := s
	if len(text) > 10 && text[10] == 'T' {
		text = text[:10] + " " + text[11:]
	}
	if us, ok := plainMicros(text); ok {
		return us, nil
	}
	for _, form := range isoForms {
		t, err := time.Parse(form, strings.TrimSpace(text))
		if err == nil {
			if t.Nanosecond()%1000 != 0 {
				return 0, misfit(s, "time in whole microseconds")
			}
			return t.UnixMicro(), nil
		}
	}
	return 0, misfit(s, "time in ISO 8601 form")
}

// plainMicros reads exactly "2006-01-02 15:04:05", by far the most common form.
func plainMicros(s string) (int64, bool) {
	const form = "dddd-dd-dd dd:dd:dd"
	if len(s) != len(form) {
		return 0, false
	}
	for i := range form {
		if form[i] == 'd' && s[i]-'0' > 9 || form[i] != 'd' && s[i] != form[i] {
			return 0, false
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	days := civilDays(year, month, day)
	return ((int64(days)*24+int64(hour))*60+int64(minute))*60*1_000_000 + int64(second)*1_000_000, true
}

func daysIn(year, month int) int {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// civilDays counts the days from 1970-01-01 in the proleptic Gregorian calendar, for years from 0 on.
// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
func civilDays(year, month, day int) int {
	if month <= 2 {
		year--
	}
	era := (year + 400) / 400 // the era is shifted by one so that year -1 (January of year 0) stays positive
	yoe := year + 400 - era*400
	doy := (153*((month+9)%12)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return (era-1)*146097 + doe - 719468
}
