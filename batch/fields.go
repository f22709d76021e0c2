package batch

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	decimalType  = reflect.TypeFor[decimal128.Num]()
)

// options is a parsed struct tag.
type options struct {
	name    string
	skip    bool
	date    bool
	unit    arrow.TimeUnit
	hasUnit bool
	decimal *arrow.Decimal128Type
}

// structFields gives the fields of a struct type. parents holds the types around it: a type inside itself is a fault.
func structFields(t reflect.Type, path string, parents []reflect.Type) ([]field, error) {
	for _, p := range parents {
		if p == t {
			return nil, fmt.Errorf("batch: field %s: type %s contains itself", path, t)
		}
	}
	parents = append(parents, t)
	var out []field
	var faults []error
	for i := range t.NumField() {
		sf := t.Field(i)
		at := path + "." + sf.Name
		tg, err := parseTag(sf.Tag.Get("millrace"))
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("batch: field %s: %w", at, err))
		case tg.skip:
		case sf.Anonymous && tg.name == "" && sf.Type.Kind() == reflect.Struct && sf.Type != timeType:
			inner, err := structFields(sf.Type, at, parents)
			for _, f := range inner {
				f.offset += sf.Offset
				out = append(out, f)
			}
			faults = append(faults, err)
		case sf.IsExported():
			f, err := newField(sf.Type, at, tg, parents)
			f.offset, f.column = sf.Offset, tg.name
			if f.column == "" {
				f.column = snake(sf.Name)
			}
			out, faults = append(out, f), append(faults, err)
		}
	}
	return out, errors.Join(append(faults, unique(out))...)
}

func unique(fields []field) error {
	seen := map[string]string{}
	var faults []error
	for _, f := range fields {
		if other, ok := seen[f.column]; ok {
			faults = append(faults, fmt.Errorf("batch: fields %s and %s both map to column %q", other, f.path, f.column))
		}
		seen[f.column] = f.path
	}
	return errors.Join(faults...)
}

// newField maps a Go type.
func newField(t reflect.Type, path string, tg options, parents []reflect.Type) (f field, err error) {
	f = field{path: path, goType: t}
	if t.Kind() == reflect.Pointer {
		f.pointer, f.nullable, f.goType = true, true, t.Elem()
	}
	f.kind, f.typ = scalar(f.goType, tg)
	switch {
	case f.typ != nil:
		f.nullable = f.nullable || f.kind == kindBytes
	case f.kind == kindDecimal:
		return f, fmt.Errorf("batch: field %s: a decimal needs its precision and scale, such as `millrace:\",decimal(10,2)\"`", path)
	case f.goType.Kind() == reflect.Slice:
		elem, err := newField(f.goType.Elem(), path+"[]", tg, parents)
		elem.column = "item"
		f.kind, f.elem, f.nullable, f.typ = kindList, &elem, true, arrow.ListOfField(elem.arrow())
		return f, err
	case f.goType.Kind() == reflect.Struct:
		f.fields, err = structFields(f.goType, path, parents)
		inner := make([]arrow.Field, len(f.fields))
		for i := range f.fields {
			inner[i] = f.fields[i].arrow()
		}
		f.kind, f.typ = kindStruct, arrow.StructOf(inner...)
		return f, err
	default:
		f.typ = arrow.Null
		return f, fmt.Errorf("batch: field %s: type %s has no column type", path, t)
	}
	if misfit := tg.misfit(f.kind); misfit != "" {
		return f, fmt.Errorf("batch: field %s: option %s does not suit type %s", path, misfit, t)
	}
	return f, nil
}

// scalar maps a type that is neither list nor struct. A nil type: it is one, or a decimal without precision.
func scalar(t reflect.Type, tg options) (kind, arrow.DataType) {
	switch {
	case t == timeType && tg.date:
		return kindDate, arrow.FixedWidthTypes.Date32
	case t == timeType:
		return kindTime, &arrow.TimestampType{Unit: tg.unit, TimeZone: "UTC"}
	case t == durationType:
		return kindDuration, &arrow.DurationType{Unit: tg.unit}
	case t == decimalType && tg.decimal != nil:
		return kindDecimal, tg.decimal
	case t == decimalType:
		return kindDecimal, nil
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return kindBytes, arrow.BinaryTypes.Binary
	}
	s := scalars[t.Kind()]
	return s.kind, s.typ
}

var scalars = map[reflect.Kind]struct {
	kind kind
	typ  arrow.DataType
}{
	reflect.Bool:    {kindBool, arrow.FixedWidthTypes.Boolean},
	reflect.Int:     {kindInt64, arrow.PrimitiveTypes.Int64},
	reflect.Int8:    {kindInt8, arrow.PrimitiveTypes.Int8},
	reflect.Int16:   {kindInt16, arrow.PrimitiveTypes.Int16},
	reflect.Int32:   {kindInt32, arrow.PrimitiveTypes.Int32},
	reflect.Int64:   {kindInt64, arrow.PrimitiveTypes.Int64},
	reflect.Uint:    {kindUint64, arrow.PrimitiveTypes.Uint64},
	reflect.Uint8:   {kindUint8, arrow.PrimitiveTypes.Uint8},
	reflect.Uint16:  {kindUint16, arrow.PrimitiveTypes.Uint16},
	reflect.Uint32:  {kindUint32, arrow.PrimitiveTypes.Uint32},
	reflect.Uint64:  {kindUint64, arrow.PrimitiveTypes.Uint64},
	reflect.Float32: {kindFloat32, arrow.PrimitiveTypes.Float32},
	reflect.Float64: {kindFloat64, arrow.PrimitiveTypes.Float64},
	reflect.String:  {kindString, arrow.BinaryTypes.String},
}

// misfit names an option that a value of that kind does not have.
func (tg options) misfit(k kind) string {
	switch {
	case tg.date && k != kindDate:
		return "date"
	case tg.hasUnit && k != kindTime && k != kindDuration:
		return "unit"
	case tg.decimal != nil && k != kindDecimal:
		return "decimal"
	}
	return ""
}

// parseTag reads name,option,option...
func parseTag(s string) (options, error) {
	out := options{unit: arrow.Microsecond, skip: s == "-"}
	parts := optionPattern.FindAllString(s, -1)
	if !strings.HasPrefix(s, ",") && len(parts) > 0 {
		out.name, parts = parts[0], parts[1:]
	}
	for _, p := range parts {
		option := strings.TrimPrefix(p, ",")
		unit, isUnit := strings.CutPrefix(option, "unit=")
		u, known := units[unit]
		switch {
		case option == "date":
			out.date = true
		case isUnit && known:
			out.unit, out.hasUnit = u, true
		case strings.HasPrefix(option, "decimal("):
			out.decimal = &arrow.Decimal128Type{}
			n, _ := fmt.Sscanf(option, "decimal(%d,%d)", &out.decimal.Precision, &out.decimal.Scale)
			if d := out.decimal; n != 2 || d.Precision < 1 || d.Precision > 38 || d.Scale < 0 || d.Scale > d.Precision {
				return out, fmt.Errorf("%s is not decimal(precision,scale) with a precision up to 38", option)
			}
		default:
			return out, fmt.Errorf("unknown option %q: date, unit=s|ms|us|ns and decimal(p,s) exist", option)
		}
	}
	return out, nil
}

// optionPattern matches the name, and each option with its comma; decimal(p,s) has a comma inside.
var optionPattern = regexp.MustCompile(`,?(\w+\([^)]*\)|[^,])*`)

var units = map[string]arrow.TimeUnit{"s": arrow.Second, "ms": arrow.Millisecond, "us": arrow.Microsecond, "ns": arrow.Nanosecond}

// snake turns VendorID into vendor_id: a new word begins at an upper-case letter behind a lower-case letter or digit, and at
// the last letter of a run of capitals that a lower-case letter follows.
func snake(name string) string {
	var out strings.Builder
	r := []rune(name)
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 && (!unicode.IsUpper(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) && r[i-1] != '_' {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(c))
	}
	return out.String()
}
