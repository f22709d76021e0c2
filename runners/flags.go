package runners

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"
)

// bindFlags makes a flag of every exported field of the struct o.
func bindFlags[O any](f *pflag.FlagSet, o *O) error {
	v := reflect.ValueOf(o).Elem()
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("options must be a struct, not %s", v.Type())
	}
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		if !sf.IsExported() || sf.Tag.Get("flag") == "-" {
			continue
		}
		name := sf.Tag.Get("flag")
		if name == "" {
			name = kebab(sf.Name)
		}
		if f.Lookup(name) != nil {
			return fmt.Errorf("option %s: the flag --%s exists already; rename it with the tag flag:\"...\"", sf.Name, name)
		}
		if err := bindFlag(f, v.Field(i), sf, name); err != nil {
			return fmt.Errorf("option %s: %w", sf.Name, err)
		}
	}
	return nil
}

func bindFlag(f *pflag.FlagSet, v reflect.Value, sf reflect.StructField, name string) error {
	def, help := sf.Tag.Get("default"), sf.Tag.Get("help")
	var err error
	switch p := v.Addr().Interface().(type) {
	case *string:
		f.StringVar(p, name, def, help)
	case *bool:
		b := false
		if def != "" {
			b, err = strconv.ParseBool(def)
		}
		f.BoolVar(p, name, b, help)
	case *int:
		n := 0
		if def != "" {
			n, err = strconv.Atoi(def)
		}
		f.IntVar(p, name, n, help)
	case *int64:
		n := int64(0)
		if def != "" {
			n, err = strconv.ParseInt(def, 10, 64)
		}
		f.Int64Var(p, name, n, help)
	case *float64:
		n := 0.0
		if def != "" {
			n, err = strconv.ParseFloat(def, 64)
		}
		f.Float64Var(p, name, n, help)
	case *time.Duration:
		d := time.Duration(0)
		if def != "" {
			d, err = time.ParseDuration(def)
		}
		f.DurationVar(p, name, d, help)
	case *[]string:
		var list []string
		if def != "" {
			list = strings.Split(def, ",")
		}
		f.StringSliceVar(p, name, list, help)
	default:
		return fmt.Errorf("type %s cannot be a flag; use string, bool, int, int64, float64, time.Duration or []string", sf.Type)
	}
	return err
}

// kebab writes a field's name as a flag's: DeadLetter is dead-letter, URLPrefix is url-prefix.
func kebab(s string) string {
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		lower := i > 0 && unicode.IsLower(r[i-1])
		begins := i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1])
		if unicode.IsUpper(c) && (lower || begins) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
