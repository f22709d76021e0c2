package batch

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Mapping maps the exported fields of the struct T to columns, by name.
//
// The column of a field is its name in snake_case (VendorID is vendor_id). A tag names another one and adds options:
//
//	Fare   decimal128.Num `millrace:"fare_amount,decimal(10,2)"` // needed for decimals
//	Day    time.Time      `millrace:",date"`                     // the calendar date that the time shows
//	Seen   time.Time      `millrace:",unit=ms"`                  // s, ms, us or ns; default us
//	Secret string         `millrace:"-"`                         // no column
//
// Types:
//
//	bool, all widths of int, uint and float  the same in Arrow; int is int64, uint is uint64
//	string                                   utf8
//	[]byte                                   binary; nil is null
//	time.Time                                timestamp[us, UTC], or date32; what is finer is rounded down
//	time.Duration                            duration[us], with the same units
//	decimal128.Num                           decimal128 of the tag's precision and scale
//	[]E                                      list of E; nil is null
//	struct                                   struct; an embedded one without a tag gives its fields to its parent
//	*E                                       E, and nil is null
//
// All other columns are required. A Mapping is immutable.
type Mapping[T any] struct {
	schema *arrow.Schema
	fields []field
}

// NewMapping derives the mapping of T. All faults of the struct are returned at once.
func NewMapping[T any]() (*Mapping[T], error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || t == timeType || t == decimalType {
		return nil, fmt.Errorf("batch: rows map to a struct, not to %s", t)
	}
	fields, err := structFields(t, t.Name(), nil)
	faults := []error{err}
	columns := make([]arrow.Field, len(fields))
	for i, f := range fields {
		if strings.HasPrefix(f.column, HiddenPrefix) {
			faults = append(faults, fmt.Errorf("batch: field %s: column names that start with %q are reserved", f.path, HiddenPrefix))
		}
		columns[i] = f.arrow()
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Mapping[T]{schema: arrow.NewSchema(columns, nil), fields: fields}, nil
}

// Schema gives the columns of T, in the order of its fields.
func (m *Mapping[T]) Schema() *arrow.Schema { return m.schema }

// field is one field of a struct, or the element of a slice.
type field struct {
	path     string       // as in Go, for errors
	column   string       // the Arrow name
	goType   reflect.Type // behind the pointer
	typ      arrow.DataType
	kind     kind
	offset   uintptr // in the struct
	nullable bool
	pointer  bool
	fields   []field // of a struct
	elem     *field  // of a slice
}

func (f *field) arrow() arrow.Field {
	return arrow.Field{Name: f.column, Type: f.typ, Nullable: f.nullable}
}

// kind says how a Go value is read and written.
type kind uint8

const (
	kindBool kind = iota + 1
	kindInt8
	kindInt16
	kindInt32
	kindInt64
	kindUint8
	kindUint16
	kindUint32
	kindUint64
	kindFloat32
	kindFloat64
	kindString
	kindBytes
	kindTime
	kindDate
	kindDuration
	kindDecimal
	kindList
	kindStruct
)

// Binding knows where the fields of T stand in a schema. It is immutable.
type Binding[T any] struct {
	schema *arrow.Schema
	fields []field
	at     []int // column of each field
}

// Bind finds the columns that the fields of T name; other columns are left alone. Each field needs a column of its own
// type or of one that fits into it without loss: a narrower integer or float, any timestamp or date for a time,
// a dictionary of such values. A column that may hold nulls may be bound to a field that cannot: a null is then an error of its
// row. All faults are returned at once, with field, column and both types.
func (m *Mapping[T]) Bind(schema *arrow.Schema) (*Binding[T], error) {
	b := &Binding[T]{schema: schema, fields: m.fields}
	var faults []error
	for i := range m.fields {
		f := &m.fields[i]
		at := schema.FieldIndices(f.column)
		if len(at) != 1 {
			faults = append(faults, fmt.Errorf("batch: field %s wants one column %q of type %s, there are %d among %s",
				f.path, f.column, f.typ, len(at), columnNames(schema)))
			continue
		}
		if err := f.accepts(schema.Field(at[0]).Type); err != nil {
			faults = append(faults, err)
		}
		b.at = append(b.at, at[0])
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return b, nil
}

func columnNames(schema *arrow.Schema) string {
	var names []string
	for _, f := range schema.Fields() {
		names = append(names, f.Name)
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// accepts says whether every value of a column of type t fits into the field.
func (f *field) accepts(t arrow.DataType) error {
	if d, ok := t.(*arrow.DictionaryType); ok {
		t = d.ValueType
	}
	switch f.kind {
	case kindList:
		if l, ok := t.(*arrow.ListType); ok {
			return f.elem.accepts(l.Elem())
		}
	case kindStruct:
		if s, ok := t.(*arrow.StructType); ok {
			return f.acceptsFields(s)
		}
	case kindDecimal:
		want := f.typ.(*arrow.Decimal128Type)
		if got, ok := t.(*arrow.Decimal128Type); ok && got.Scale == want.Scale && got.Precision <= want.Precision {
			return nil
		}
	default:
		if slices.Contains(accepted[f.kind], t.ID()) {
			return nil
		}
	}
	return fmt.Errorf("batch: field %s of type %s cannot hold column %q of type %s", f.path, f.goType, f.column, t)
}

func (f *field) acceptsFields(s *arrow.StructType) error {
	var faults []error
	for i := range f.fields {
		g := &f.fields[i]
		if column, ok := s.FieldByName(g.column); !ok {
			faults = append(faults, fmt.Errorf("batch: field %s wants a field %q of type %s in %s", g.path, g.column, g.typ, s))
		} else if err := g.accepts(column.Type); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// accepted lists the Arrow types that fit into a Go type without loss, the narrowest first.
var accepted = map[kind][]arrow.Type{
	kindBool:     {arrow.BOOL},
	kindInt8:     {arrow.INT8},
	kindInt16:    {arrow.INT8, arrow.INT16, arrow.UINT8},
	kindInt32:    {arrow.INT8, arrow.INT16, arrow.INT32, arrow.UINT8, arrow.UINT16},
	kindInt64:    {arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32},
	kindUint8:    {arrow.UINT8},
	kindUint16:   {arrow.UINT8, arrow.UINT16},
	kindUint32:   {arrow.UINT8, arrow.UINT16, arrow.UINT32},
	kindUint64:   {arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64},
	kindFloat32:  {arrow.FLOAT32},
	kindFloat64:  {arrow.FLOAT32, arrow.FLOAT64},
	kindString:   {arrow.STRING, arrow.LARGE_STRING},
	kindBytes:    {arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY, arrow.STRING, arrow.LARGE_STRING},
	kindTime:     {arrow.TIMESTAMP, arrow.DATE32, arrow.DATE64},
	kindDate:     {arrow.DATE32, arrow.DATE64},
	kindDuration: {arrow.DURATION},
}
