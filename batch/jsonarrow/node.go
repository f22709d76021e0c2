package jsonarrow

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
)

// kind says how the values of a type are read.
type kind uint8

const (
	kindNull kind = iota + 1
	kindBool
	kindInt
	kindUint
	kindFloat32
	kindFloat64
	kindDecimal
	kindString
	kindBinary
	kindTimestamp
	kindDate
	kindTime
	kindList
	kindStruct
)

var kinds = map[arrow.Type]kind{
	arrow.NULL: kindNull, arrow.BOOL: kindBool,
	arrow.INT8: kindInt, arrow.INT16: kindInt, arrow.INT32: kindInt, arrow.INT64: kindInt, arrow.DURATION: kindInt,
	arrow.UINT8: kindUint, arrow.UINT16: kindUint, arrow.UINT32: kindUint, arrow.UINT64: kindUint,
	arrow.FLOAT32: kindFloat32, arrow.FLOAT64: kindFloat64, arrow.DECIMAL128: kindDecimal,
	arrow.STRING: kindString, arrow.LARGE_STRING: kindString,
	arrow.BINARY: kindBinary, arrow.LARGE_BINARY: kindBinary, arrow.FIXED_SIZE_BINARY: kindBinary,
	arrow.TIMESTAMP: kindTimestamp, arrow.DATE32: kindDate, arrow.DATE64: kindDate,
	arrow.TIME32: kindTime, arrow.TIME64: kindTime, arrow.LIST: kindList, arrow.STRUCT: kindStruct,
}

// node is one column, list element or struct field.
type node struct {
	kind     kind
	required bool
	name     string
	quoted   string // the name as a JSON string; empty if it has more than one such form
	typ      arrow.DataType
	lo       int64 // range of a whole number, in the column's own unit
	hi       uint64
	digits   int // decimal places of a second: 0, 3, 6 or 9; scale of a decimal
	width    int // bytes of a fixed_size_binary, otherwise 0
	children []node
	index    map[string]int // children by name

	col    *batch.Column
	parent *node
	seen   uint64 // the last object that had this field
	at     int    // where the value of this field is in it, if exact
	elem   int    // the element of this list that is being read
}

func newNode(f arrow.Field, path []string) (node, error) {
	n := node{kind: kinds[f.Type.ID()], required: !f.Nullable, name: f.Name, quoted: quote(f.Name), typ: f.Type}
	if n.kind == 0 {
		return n, fmt.Errorf("jsonarrow: column %q: type %s cannot be read from JSON", strings.Join(path, "."), f.Type)
	}
	n.measure()
	var fields []arrow.Field
	if t, ok := f.Type.(arrow.NestedType); ok {
		fields, n.index = t.Fields(), map[string]int{}
	}
	var errs []error
	for i, f := range fields {
		path := append(path[:len(path):len(path)], f.Name)
		child, err := newNode(f, path)
		if _, twice := n.index[f.Name]; twice {
			err = errors.Join(err, fmt.Errorf("jsonarrow: column %q is in the schema twice", strings.Join(path, ".")))
		}
		n.index[f.Name] = i
		n.children = append(n.children, child)
		errs = append(errs, err)
	}
	return n, errors.Join(errs...)
}

// measure notes what the type says about its values.
func (n *node) measure() {
	n.lo, n.hi = math.MinInt64, math.MaxInt64
	switch t := n.typ.(type) {
	case *arrow.TimestampType:
		n.digits = unitDigits[t.Unit]
	case *arrow.Time32Type:
		n.digits = unitDigits[t.Unit]
	case *arrow.Time64Type:
		n.digits = unitDigits[t.Unit]
	case *arrow.Decimal128Type:
		n.digits = int(t.Scale)
	case *arrow.FixedSizeBinaryType:
		n.width = t.ByteWidth
	}
	if w, ok := n.typ.(arrow.FixedWidthDataType); ok && w.BitWidth() <= 64 {
		n.lo >>= 64 - w.BitWidth()
		n.hi >>= 64 - w.BitWidth()
		if n.kind == kindUint {
			n.hi = math.MaxUint64 >> (64 - w.BitWidth())
		}
	}
	if n.kind == kindTime {
		n.lo, n.hi = 0, 86400*tens[n.digits]-1
	}
}

// quote gives the JSON string of a name that can be written in one way only, as far as producers do: not escaped.
func quote(name string) string {
	for _, c := range []byte(name) {
		if c < ' ' || c == '"' || c == '\\' {
			return ""
		}
	}
	return `"` + name + `"`
}

// link sets the parents, once the nodes stay where they are.
func (n *node) link(parent *node) {
	n.parent = parent
	for i := range n.children {
		n.children[i].link(n)
	}
}

func (n *node) bind(c *batch.Column) {
	n.col = c
	switch n.kind {
	case kindList:
		n.children[0].bind(c.Elem())
	case kindStruct:
		for i := range n.children {
			n.children[i].bind(c.Field(i))
		}
	}
}

// pointer gives the JSON Pointer of the value that is being read.
func (n *node) pointer() string {
	if n.parent == nil {
		return ""
	}
	if n.parent.kind == kindList {
		return n.parent.pointer() + "/" + strconv.Itoa(n.parent.elem)
	}
	return n.parent.pointer() + "/" + pointerEscape.Replace(n.name)
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// Decimal places of a second that a unit counts.
var (
	unitDigits  = map[arrow.TimeUnit]int{arrow.Second: 0, arrow.Millisecond: 3, arrow.Microsecond: 6, arrow.Nanosecond: 9}
	epochDigits = map[time.Duration]int{time.Second: 0, time.Millisecond: 3, time.Microsecond: 6, time.Nanosecond: 9}
)
