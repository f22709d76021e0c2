package batch

import (
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
)

// newColumn makes the empty column of a field whose type is buildable.
func newColumn(f arrow.Field, path string) Column {
	c := Column{class: classes[f.Type.ID()], bits: 64, field: f, path: path, maxNulls: math.MaxInt}
	if t, ok := f.Type.(arrow.FixedWidthDataType); ok {
		c.bits = uint8(min(t.BitWidth(), 64))
	}
	if !f.Nullable {
		c.maxNulls = 0
	}
	if c.picky() {
		c.maxNulls = -1
	}
	switch c.class {
	case classDecimal:
		c.shift = 1
	case classBytes, classList, classStruct, classNull:
		c.ends = []int32{0}
	}
	for _, f := range children(f.Type) {
		c.children = append(c.children, newColumn(f, path+"."+f.Name))
	}
	return c
}

// picky says whether there are values that the column's methods take and its type does not.
func (c *Column) picky() bool {
	switch c.class {
	case classInt, classUint, classFloat:
		return c.bits < 64
	case classBytes:
		return c.field.Type.ID() == arrow.FIXED_SIZE_BINARY
	case classDecimal, classList, classStruct:
		return true
	}
	return false
}

// settle ends a row that is the column's n-th: a missing value becomes null.
func (c *Column) settle(n int) error {
	if c.Len() < n && !c.misused {
		if open := c.unended(); open != "" {
			return fmt.Errorf("batch: column %q was given values that no %s took in", c.path, open)
		}
		c.Null()
	}
	if c.Len() > n {
		return fmt.Errorf("batch: column %q has %d values in one row", c.path, c.Len()-n+1)
	}
	return c.check(n - 1)
}

// unended names the method that would take in the elements or fields which were added last, if there are such.
func (c *Column) unended() string {
	for i := range c.children {
		switch f := &c.children[i]; {
		case c.class == classList && f.Len() > int(c.ends[len(c.ends)-1]):
			return "EndList"
		case c.class == classStruct && f.Len() > c.Len():
			return "EndStruct"
		}
	}
	return ""
}

// check finds what the type does not take among the values from the given one on.
func (c *Column) check(from int) error {
	if c.misused {
		return fmt.Errorf("batch: column %q of type %s was given a value of another type", c.path, c.field.Type)
	}
	if !c.field.Nullable && len(c.nulls) > 0 {
		return fmt.Errorf("batch: column %q is required and has no value", c.path)
	}
	if open := c.unended(); open != "" {
		return fmt.Errorf("batch: column %q was given values that no %s took in", c.path, open)
	}
	switch c.class {
	case classBytes:
		return c.checkBytes(from)
	case classList:
		return c.children[0].check(int(c.ends[from]))
	case classStruct:
		for i := range c.children {
			if err := c.children[i].check(from); err != nil {
				return err
			}
		}
	case classDecimal:
		return c.checkDecimals(from)
	case classInt, classUint, classFloat:
		return c.checkRange(c.words[from:])
	}
	return nil
}

func (c *Column) checkBytes(from int) error {
	if len(c.data) > math.MaxInt32 {
		return fmt.Errorf("batch: column %q holds more than 2 GiB: build batches of fewer rows", c.path)
	}
	t, ok := c.field.Type.(*arrow.FixedSizeBinaryType)
	for i := from; ok && i < c.Len(); i++ {
		if n := int(c.ends[i+1] - c.ends[i]); n != t.ByteWidth {
			return fmt.Errorf("batch: column %q: %d bytes do not fit %s", c.path, n, t)
		}
	}
	return nil
}

func (c *Column) checkDecimals(from int) error {
	t := c.field.Type.(*arrow.Decimal128Type)
	for i := from; i < c.Len(); i++ {
		if v := decimalAt(c.words, i); !v.FitsInPrecision(t.Precision) {
			return fmt.Errorf("batch: column %q: %s does not fit %s", c.path, v.ToString(t.Scale), t)
		}
	}
	return nil
}

func (c *Column) checkRange(words []uint64) error {
	if c.bits == 64 {
		return nil
	}
	for _, w := range words {
		fits, shown := true, ""
		switch rest := 64 - c.bits; c.class {
		case classInt:
			if v := int64(w); v<<rest>>rest != v {
				fits, shown = false, strconv.FormatInt(v, 10)
			}
		case classUint:
			if w<<rest>>rest != w {
				fits, shown = false, strconv.FormatUint(w, 10)
			}
		case classFloat:
			if v := math.Float64frombits(w); math.Abs(v) > math.MaxFloat32 && !math.IsInf(v, 0) {
				fits, shown = false, strconv.FormatFloat(v, 'g', -1, 64)
			}
		}
		if !fits {
			return fmt.Errorf("batch: column %q: %s does not fit %s", c.path, shown, c.field.Type)
		}
	}
	return nil
}
