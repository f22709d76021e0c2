package parquetio

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

// Check finds what the files cannot hold.
func (s *sink) Check(in *arrow.Schema) error {
	var errs []error
	for _, f := range in.Fields() {
		errs = append(errs, storable(f.Name, f.Type))
	}
	if len(s.fileFields(in)) == 0 {
		errs = append(errs, errors.New("parquetio: every column is a partition column that DropPartitionColumns leaves out: a file needs one column"))
	}
	names := in.Fields()
	for _, p := range s.parts {
		if i := in.FieldIndices(p.column); len(i) != 1 {
			errs = append(errs, fmt.Errorf("parquetio: PartitionBy: the rows have no column %q, only %s", p.column, columnNames(in)))
		} else if err := partitionable(p.per, in.Field(i[0]).Type); err != nil {
			errs = append(errs, fmt.Errorf("parquetio: PartitionBy %q: %w", p.column, err))
		}
		if p.per != identity {
			names = append(names, arrow.Field{Name: p.name()})
		}
		if n := len(p.key) + 1 + len(nullFolder); n > maxName {
			errs = append(errs, fmt.Errorf("parquetio: PartitionBy %q: the name is too long for a folder", p.column))
		}
	}
	return errors.Join(append(errs, distinct("", names), s.repeated())...)
}

// repeated finds columns that PartitionBy names twice.
func (s *sink) repeated() error {
	seen := map[string]bool{}
	for _, p := range s.parts {
		if seen[p.name()] {
			return fmt.Errorf("parquetio: PartitionBy names %q twice", p.name())
		}
		seen[p.name()] = true
	}
	return nil
}

// storable says whether Parquet holds every value of a type as it is, apart from those that Route refuses.
func storable(path string, t arrow.DataType) error {
	switch t := t.(type) {
	case *arrow.DictionaryType:
		return fmt.Errorf("parquetio: column %q has type %s: cast it to %s", path, t, t.ValueType)
	case *arrow.Decimal128Type:
		if t.Scale < 0 || t.Scale > t.Precision {
			return fmt.Errorf("parquetio: column %q has type %s: Parquet wants a scale from 0 to the precision", path, t)
		}
		return nil
	case *arrow.ListType:
		return storable(path+"."+t.ElemField().Name, t.Elem())
	case *arrow.MapType:
		return errors.Join(storable(path+".key", t.KeyType()), storable(path+".value", t.ItemType()))
	case *arrow.StructType:
		errs := []error{distinct(path, t.Fields())}
		if t.NumFields() == 0 {
			errs = append(errs, fmt.Errorf("parquetio: column %q is a struct without fields, which Parquet cannot hold", path))
		}
		for _, f := range t.Fields() {
			errs = append(errs, storable(path+"."+f.Name, f.Type))
		}
		return errors.Join(errs...)
	}
	switch t.ID() {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64,
		arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64, arrow.FLOAT32, arrow.FLOAT64,
		arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY,
		arrow.DATE32, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP:
		return nil
	case arrow.DURATION:
		return fmt.Errorf("parquetio: column %q has type %s, which Parquet does not know: cast it to an int64", path, t)
	case arrow.NULL:
		return fmt.Errorf("parquetio: column %q has no type, only nulls: cast it to one", path)
	}
	return fmt.Errorf("parquetio: column %q has type %s, which is not written: cast it to another", path, t)
}

// distinct finds names that readers could not tell apart: most engines fold the case of letters.
func distinct(path string, fields []arrow.Field) error {
	if path != "" {
		path += "."
	}
	var errs []error
	seen := map[string]string{}
	for _, f := range fields {
		switch first, ok := seen[strings.ToLower(f.Name)]; {
		case f.Name == "":
			errs = append(errs, fmt.Errorf("parquetio: column %q has no name: give it one", path))
		case !utf8.ValidString(f.Name):
			errs = append(errs, fmt.Errorf("parquetio: the name of column %q is not valid UTF-8", path+f.Name))
		case ok && first == f.Name:
			errs = append(errs, fmt.Errorf("parquetio: two columns are called %q: rename one", path+f.Name))
		case ok:
			errs = append(errs, fmt.Errorf("parquetio: columns %q and %q differ in case only, which most readers ignore: rename one", path+first, path+f.Name))
		default:
			seen[strings.ToLower(f.Name)] = f.Name
		}
	}
	return errors.Join(errs...)
}

func columnNames(s *arrow.Schema) string {
	var names []string
	for _, f := range s.Fields() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}
