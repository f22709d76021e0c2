package clean

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/transforms/internal/cast"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/graph"
)

// Cast gives a column another type. A value that the new type does not hold exactly is refused; nothing is rounded, cut off
// or wrapped, and null stays null. The rule is named "<column> is <type>".
//
//	to integers    integers and decimals and floats that are whole and in range (1.0 is 1, 1.5 and NaN are refused), text
//	               ("2", "-7", "2.0"; not "", "1.5", " 2")
//	to floats      integers that the float holds exactly (2^53+1 is refused), floats; decimals and text become the nearest float,
//	               and are refused where that would be infinite (1e400)
//	to decimal     integers, decimals, text, and floats by the shortest text that names them, if scale and precision suffice
//	to bool        text ("true", "false", "1", "0", "t", "f")
//	to timestamp   timestamps of other units, dates, text as in RFC 3339 with 'T' or a space, without zone read as UTC, or a
//	               date alone
//	to date32      text as 2006-01-02, and timestamps at midnight UTC
//	to text        all of these: numbers as short as names them, timestamps as RFC 3339 in UTC
func Cast(col string, to arrow.DataType) Rule {
	name := fmt.Sprintf("%s is %s", col, to)
	return Rule{name, func(s *arrow.Schema) (*arrow.Schema, []stage, error) {
		i, err := graph.Find(s, col)
		if err != nil {
			return nil, nil, err
		}
		f := s.Field(i)
		if arrow.TypeEqual(f.Type, to) {
			return s, nil, nil
		}
		c, err := cast.Find(f.Type, to)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", col, err)
		}
		fields := slices.Clone(s.Fields())
		fields[i].Type = to
		return withFields(s, fields), []stage{func(r *rows) error {
			v := column.Of(r.cols[i])
			out := column.NewBuilder(to, r.n)
			for row := range r.n {
				if v.Null(row) || r.broken(row) {
					out.Null()
				} else if err := c(&v, row, out); err != nil {
					r.refuse(row, name, is(col, r.cols[i], row)+": "+err.Error())
					out.Null()
				}
			}
			r.cols[i] = out.Array()
			return nil
		}}, nil
	}}
}
