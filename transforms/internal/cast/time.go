package cast

import (
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/transforms/internal/column"
)

// toTime finds the cast to a timestamp or date.
func toTime(from, to arrow.DataType) Func {
	put := timePutter(to)
	switch {
	case Text(from):
		return func(v *column.View, row int, out *column.Builder) error {
			t, err := parseTime(string(v.Bytes(row)), to)
			if err != nil {
				return err
			}
			return put(t, out)
		}
	case temporal(from):
		get := timeGetter(from)
		return func(v *column.View, row int, out *column.Builder) error { return put(get(int64(v.Words[row])), out) }
	}
	return nil
}

// timeGetter gives the times of a column.
func timeGetter(from arrow.DataType) func(int64) time.Time {
	t, ok := from.(*arrow.TimestampType)
	if !ok {
		return func(days int64) time.Time { return time.Unix(days*secondsPerDay, 0).UTC() }
	}
	per := int64(time.Second / t.Unit.Multiplier())
	return func(x int64) time.Time {
		s, rest := x/per, x%per
		return time.Unix(s, rest*int64(t.Unit.Multiplier())).UTC()
	}
}

const secondsPerDay = 24 * 60 * 60

// timePutter adds times to a column, if its unit holds them.
func timePutter(to arrow.DataType) func(time.Time, *column.Builder) error {
	t, ok := to.(*arrow.TimestampType)
	if !ok {
		return func(x time.Time, out *column.Builder) error {
			s := x.Unix()
			if x.Nanosecond() != 0 || s%secondsPerDay != 0 {
				return errExact
			}
			days := s / secondsPerDay
			if days != int64(int32(days)) {
				return errRange
			}
			out.Words(uint64(days))
			return nil
		}
	}
	unit := int64(t.Unit.Multiplier())
	per := int64(time.Second) / unit
	return func(x time.Time, out *column.Builder) error {
		rest := int64(x.Nanosecond())
		if rest%unit != 0 {
			return errExact
		}
		s := x.Unix()
		n := s*per + rest/unit
		if s*per/per != s || n < s*per {
			return errRange
		}
		out.Words(uint64(n))
		return nil
	}
}

// parseTime reads a timestamp or a date; without a zone it is UTC.
func parseTime(s string, to arrow.DataType) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if to.ID() == arrow.DATE32 {
		return time.Time{}, errDate
	}
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errTime
}

// toText finds the cast to text.
func toText(from arrow.DataType) Func {
	switch f := from.(type) {
	case *arrow.TimestampType:
		get := timeGetter(from)
		return func(v *column.View, row int, out *column.Builder) error {
			out.Bytes(get(int64(v.Words[row])).AppendFormat(nil, time.RFC3339Nano))
			return nil
		}
	case *arrow.Date32Type:
		get := timeGetter(from)
		return func(v *column.View, row int, out *column.Builder) error {
			out.Bytes(get(int64(v.Words[row])).AppendFormat(nil, time.DateOnly))
			return nil
		}
	case *arrow.Decimal128Type:
		return func(v *column.View, row int, out *column.Builder) error {
			out.Bytes([]byte(v.Wide(row).ToString(f.Scale)))
			return nil
		}
	case *arrow.BooleanType:
		return func(v *column.View, row int, out *column.Builder) error {
			out.Bytes(strconv.AppendBool(nil, v.Words[row] != 0))
			return nil
		}
	}
	switch {
	case Text(from):
		return func(v *column.View, row int, out *column.Builder) error {
			out.Bytes(v.Bytes(row))
			return nil
		}
	case column.KindOf(from) == column.Float:
		bits := from.(arrow.FixedWidthDataType).BitWidth()
		return func(v *column.View, row int, out *column.Builder) error {
			out.Bytes(strconv.AppendFloat(nil, v.Float(row), 'g', -1, bits))
			return nil
		}
	case column.Number(from):
		return func(v *column.View, row int, out *column.Builder) error {
			out.Bytes([]byte(v.Wide(row).BigInt().String()))
			return nil
		}
	}
	return nil
}

// toBool finds the cast to bool.
func toBool(from arrow.DataType) Func {
	if !Text(from) {
		return nil
	}
	return func(v *column.View, row int, out *column.Builder) error {
		b, err := strconv.ParseBool(string(v.Bytes(row)))
		if err != nil {
			return errBool
		}
		w := uint64(0)
		if b {
			w = 1
		}
		out.Words(w)
		return nil
	}
}
