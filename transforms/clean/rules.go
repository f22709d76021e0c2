package clean

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/transforms/internal/cast"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/graph"
)

// Required refuses rows in which one of the columns is null. An empty string is not null. The rules are named
// "<column> required".
func Required(columns ...string) Rule {
	return each("required", columns, func(f arrow.Field, i int) (stage, error) {
		rule := f.Name + " required"
		return func(r *rows) error {
			col := r.cols[i]
			if col.NullN() == 0 {
				return nil
			}
			for row := range r.n {
				if !r.broken(row) && col.IsNull(row) {
					r.refuse(row, rule, f.Name+" is null")
				}
			}
			return nil
		}, nil
	})
}

// NotBefore refuses rows in which column later is smaller than column earlier, such as an end before its start. The columns
// must be of one type. The rule is named "<later> >= <earlier>".
func NotBefore(later, earlier string) Rule {
	name := later + " >= " + earlier
	return Rule{name, func(s *arrow.Schema) (*arrow.Schema, []stage, error) {
		i, err := graph.Find(s, later)
		j, err2 := graph.Find(s, earlier)
		if err := errors.Join(err, err2); err != nil {
			return nil, nil, err
		}
		a, b := s.Field(i).Type, s.Field(j).Type
		if !arrow.TypeEqual(a, b) {
			return nil, nil, fmt.Errorf("%s is of type %s and %s of type %s: cast one of them before", later, a, earlier, b)
		}
		if column.KindOf(a) == column.Other {
			return nil, nil, fmt.Errorf("values of type %s have no order", a)
		}
		return s, []stage{func(r *rows) error {
			x, y := column.Of(r.cols[i]), column.Of(r.cols[j])
			for row := range r.n {
				if !x.Null(row) && !y.Null(row) && !r.broken(row) && !atLeast(&x, &y, row) {
					r.refuse(row, name, is(later, r.cols[i], row)+", "+is(earlier, r.cols[j], row))
				}
			}
			return nil
		}}, nil
	}}
}

// atLeast says whether x >= y; NaN is neither.
func atLeast(x, y *column.View, row int) bool {
	switch x.Kind {
	case column.Int, column.Decimal:
		return x.Wide(row).GreaterEqual(y.Wide(row))
	case column.Float:
		return x.Float(row) >= y.Float(row)
	case column.Bytes:
		return bytes.Compare(x.Bytes(row), y.Bytes(row)) >= 0
	}
	return x.Words[row] >= y.Words[row]
}

// Rename gives a column another name.
func Rename(from, to string) Rule {
	return Rule{"rename " + from + " to " + to, func(s *arrow.Schema) (*arrow.Schema, []stage, error) {
		i, err := graph.Find(s, from)
		if err != nil {
			return nil, nil, err
		}
		fields := slices.Clone(s.Fields())
		fields[i].Name = to
		if err := graph.Distinct(fields); err != nil {
			return nil, nil, err
		}
		return withFields(s, fields), nil, nil
	}}
}

// Trim takes white space away from both ends of text columns. What is left may be the empty string.
func Trim(columns ...string) Rule {
	return each("trim", columns, func(f arrow.Field, i int) (stage, error) {
		if !cast.Text(f.Type) {
			return nil, fmt.Errorf("%s is of type %s: only text can be trimmed", f.Name, f.Type)
		}
		return func(r *rows) error {
			v := column.Of(r.cols[i])
			out := column.NewBuilder(f.Type, r.n)
			for row := range r.n {
				if v.Null(row) {
					out.Null()
				} else {
					out.Bytes(bytes.TrimSpace(v.Bytes(row)))
				}
			}
			r.cols[i] = out.Array()
			return nil
		}, nil
	})
}

// each makes a rule that holds for several columns, one after the other.
func each(verb string, columns []string, bind func(f arrow.Field, i int) (stage, error)) Rule {
	name := verb + " " + strings.Join(columns, ", ")
	return Rule{name, func(s *arrow.Schema) (*arrow.Schema, []stage, error) {
		var stages []stage
		var errs []error
		if len(columns) == 0 {
			errs = append(errs, errors.New("name at least one column"))
		}
		for _, c := range columns {
			i, err := graph.Find(s, c)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			st, err := bind(s.Field(i), i)
			stages, errs = append(stages, st), append(errs, err)
		}
		return s, stages, errors.Join(errs...)
	}}
}

func withFields(s *arrow.Schema, fields []arrow.Field) *arrow.Schema {
	md := s.Metadata()
	return arrow.NewSchema(fields, &md)
}
