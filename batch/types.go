package batch

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// class says how the values of a type are stored in a Column and compared by Hash and EqualRows.
type class uint8

const (
	classNull    class = iota + 1
	classBool          // one word, 0 or 1
	classInt           // one word, two's complement: integers, dates, times, timestamps, durations
	classUint          // one word
	classFloat         // one word, the bits of a float64
	classDecimal       // two words, low and high
	classBytes         // bytes and ends: strings and binaries
	classList          // ends that count elements, one child: lists and maps
	classStruct        // ends that only count rows, one child per field
)

var classes = map[arrow.Type]class{
	arrow.NULL: classNull, arrow.BOOL: classBool,
	arrow.INT8: classInt, arrow.INT16: classInt, arrow.INT32: classInt, arrow.INT64: classInt,
	arrow.DATE32: classInt, arrow.DATE64: classInt, arrow.TIME32: classInt, arrow.TIME64: classInt,
	arrow.TIMESTAMP: classInt, arrow.DURATION: classInt,
	arrow.UINT8: classUint, arrow.UINT16: classUint, arrow.UINT32: classUint, arrow.UINT64: classUint,
	arrow.FLOAT32: classFloat, arrow.FLOAT64: classFloat, arrow.DECIMAL128: classDecimal,
	arrow.STRING: classBytes, arrow.BINARY: classBytes, arrow.LARGE_STRING: classBytes,
	arrow.LARGE_BINARY: classBytes, arrow.FIXED_SIZE_BINARY: classBytes,
	arrow.LIST: classList, arrow.MAP: classList, arrow.STRUCT: classStruct,
}

// children gives the fields inside a nested type.
func children(t arrow.DataType) []arrow.Field {
	if n, ok := t.(arrow.NestedType); ok {
		return n.Fields()
	}
	return nil
}

// Supported says whether all functions of this package take values of type t: the types of SupportedTypes, and dictionaries
// of them, which a Builder does not make.
func Supported(t arrow.DataType) error {
	if d, ok := t.(*arrow.DictionaryType); ok {
		t = d.ValueType
	}
	if classes[t.ID()] == 0 {
		return fmt.Errorf("type %s is not supported", t)
	}
	for _, f := range children(t) {
		if err := Supported(f.Type); err != nil {
			return fmt.Errorf("%w (field %q of %s)", err, f.Name, t)
		}
	}
	return nil
}

// SupportedTypes lists the types that a column may have.
func SupportedTypes() []arrow.Type { return slices.Sorted(maps.Keys(classes)) }

// buildable says whether a Builder can make a column of that type.
func buildable(path string, t arrow.DataType) error {
	if classes[t.ID()] == 0 {
		return fmt.Errorf("batch: column %q has type %s, which a builder cannot make", path, t)
	}
	for _, f := range children(t) {
		if err := buildable(path+"."+f.Name, f.Type); err != nil {
			return err
		}
	}
	return nil
}
