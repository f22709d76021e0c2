package jsonarrow

import (
	"math"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// civil is a date and time of day as written. Years are 0 to 9999.
type civil struct {
	year, month, day, hour, min, sec int
	nano                             int
	offset                           int // seconds east of UTC
	zoned                            bool
}

// temporal decodes a timestamp, a date or a time of day.
func (d *Decoder) temporal(n *node, c byte) *RowError {
	at := d.pos
	if c == '"' {
		text, err := d.str()
		if err != nil {
			return err
		}
		v, ok := d.moment(n, text)
		if !ok {
			return d.fail(at, "the text %s is no %s that the column takes", shown(text), n.typ)
		}
		d.put(n, v)
		return nil
	}
	if c != '-' && c-'0' > 9 {
		return d.mismatch("a string or a number")
	}
	var num number
	if err := d.number(&num); err != nil {
		return err
	}
	shift := 0
	if n.kind == kindTimestamp {
		shift = n.digits - epochDigits[d.o.Epoch]
	}
	v, fault := num.int64(shift, n.kind == kindTimestamp)
	if fault == "" && (v < n.lo || v > int64(n.hi)) {
		fault = outOfRange
	}
	if fault != "" {
		return d.fail(at, "the number %s %s for a column of type %s", strings.Trim(shown(num.text), `"`), fault, n.typ)
	}
	d.put(n, v)
	return nil
}

// ParseTime reads text in the forms that a timestamp column takes: one of a string, or a number in Epoch units. It gives
// microseconds, cut down.
func (d *Decoder) ParseTime(text []byte) (us int64, ok bool) {
	s := scanner{data: text}
	var num number
	if s.number(&num) == nil && s.pos == len(text) {
		v, fault := num.int64(unitDigits[arrow.Microsecond]-epochDigits[d.o.Epoch], true)
		return v, fault == ""
	}
	sec, nano, ok := d.instant(text)
	if !ok {
		return 0, false
	}
	us, ok = scale(sec, 1e6)
	return us + nano/1000, ok && us <= math.MaxInt64-nano/1000
}

// put adds a value, and notes it if it is the event time.
func (d *Decoder) put(n *node, v int64) {
	n.col.Int64(v)
	if n != d.timeNode {
		return
	}
	d.timed = true
	switch d.time = v; n.digits {
	case 0:
		d.time, d.timed = scale(v, 1e6)
	case 3:
		d.time, d.timed = scale(v, 1e3)
	case 9:
		d.time = floorDiv(v, 1000)
	}
}

// moment reads text as the type of n wants it, in its unit.
func (d *Decoder) moment(n *node, text []byte) (int64, bool) {
	switch n.kind {
	case kindDate:
		var c civil
		if rest, ok := c.date(text); !ok || len(rest) > 0 {
			return 0, false
		}
		days := c.seconds() / 86400
		if n.hi == math.MaxInt64 { // date64: milliseconds
			days *= 86400_000
		}
		return days, true
	case kindTime:
		var c civil
		if rest, ok := c.clock(text); !ok || len(rest) > 0 {
			return 0, false
		}
		sec := int64(c.hour*3600 + c.min*60 + c.sec)
		return sec*int64(tens[n.digits]) + int64(c.nano)/int64(tens[9-n.digits]), true
	}
	sec, nano, ok := d.instant(text)
	if !ok {
		return 0, false
	}
	v, ok := scale(sec, int64(tens[n.digits]))
	frac := nano / int64(tens[9-n.digits])
	return v + frac, ok && v <= math.MaxInt64-frac
}

// instant reads a timestamp.
func (d *Decoder) instant(text []byte) (sec, nano int64, ok bool) {
	var c civil
	if c.parse(text) {
		sec = c.seconds()
		if !c.zoned && d.zone != nil {
			sec = time.Date(c.year, time.Month(c.month), c.day, c.hour, c.min, c.sec, 0, d.zone).Unix()
		}
		return sec, int64(c.nano), true
	}
	zone := time.UTC
	if d.zone != nil {
		zone = d.zone
	}
	for _, layout := range d.o.Layouts {
		if t, err := time.ParseInLocation(layout, string(text), zone); err == nil {
			return t.Unix(), int64(t.Nanosecond()), true
		}
	}
	return 0, 0, false
}

// parse reads a date, perhaps with a time of day, perhaps with an offset.
func (c *civil) parse(text []byte) bool {
	rest, ok := c.date(text)
	if !ok || len(rest) == 0 {
		return ok
	}
	if rest[0] != 'T' && rest[0] != ' ' && rest[0] != 't' {
		return false
	}
	if rest, ok = c.clock(rest[1:]); !ok || len(rest) == 0 {
		return ok
	}
	return c.zone(rest)
}

// date reads 2006-01-02 and gives what follows.
func (c *civil) date(t []byte) (rest []byte, ok bool) {
	if len(t) < 10 || t[4] != '-' || t[7] != '-' {
		return nil, false
	}
	high, ok1 := two(t)
	low, ok2 := two(t[2:])
	month, ok3 := two(t[5:])
	day, ok4 := two(t[8:])
	c.year, c.month, c.day = high*100+low, month, day
	ok = ok1 && ok2 && ok3 && ok4 && month >= 1 && month <= 12 && day >= 1 && day <= monthDays(c.year, month)
	return t[10:], ok
}

// clock reads 15:04:05 with any fraction and gives what follows.
func (c *civil) clock(t []byte) (rest []byte, ok bool) {
	if len(t) < 8 || t[2] != ':' || t[5] != ':' {
		return nil, false
	}
	hour, ok1 := two(t)
	minute, ok2 := two(t[3:])
	sec, ok3 := two(t[6:])
	c.hour, c.min, c.sec = hour, minute, sec
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || sec > 59 {
		return nil, false
	}
	if t = t[8:]; len(t) == 0 || t[0] != '.' {
		return t, true
	}
	i := 1
	for ; i < len(t) && t[i]-'0' <= 9; i++ {
		if i <= 9 {
			c.nano = c.nano*10 + int(t[i]-'0')
		}
	}
	for k := i; k <= 9; k++ {
		c.nano *= 10
	}
	return t[i:], i > 1
}

// zone reads Z, +07:00, +0700 or +07 and nothing behind it.
func (c *civil) zone(t []byte) bool {
	c.zoned = true
	if len(t) == 1 && (t[0] == 'Z' || t[0] == 'z') {
		return true
	}
	if len(t) == 6 && t[3] == ':' {
		t = []byte{t[0], t[1], t[2], t[4], t[5]}
	}
	if len(t) != 5 && len(t) != 3 || t[0] != '+' && t[0] != '-' {
		return false
	}
	hour, ok := two(t[1:])
	minute := 0
	if len(t) == 5 {
		var ok2 bool
		minute, ok2 = two(t[3:])
		ok = ok && ok2
	}
	c.offset = hour*3600 + minute*60
	if t[0] == '-' {
		c.offset = -c.offset
	}
	return ok && hour <= 23 && minute <= 59
}

// seconds gives the seconds since 1970-01-01T00:00:00Z. The days are counted as in the paper "chrono-Compatible
// Low-Level Date Algorithms" (Howard Hinnant), days_from_civil.
func (c *civil) seconds() int64 {
	y, m := c.year+400, c.month // years begin in March, and none is negative
	if m <= 2 {
		y--
		m += 12
	}
	days := y*365 + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + c.day - 1 - 719468 - 146097
	return int64(days)*86400 + int64(c.hour*3600+c.min*60+c.sec-c.offset)
}

func two(t []byte) (int, bool) {
	a, b := t[0]-'0', t[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

func monthDays(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// scale multiplies, unless that leaves the range.
func scale(v, by int64) (int64, bool) {
	p := v * by
	return p, by == 1 || p/by == v
}

func floorDiv(v, by int64) int64 {
	q := v / by
	if v%by < 0 {
		q--
	}
	return q
}
