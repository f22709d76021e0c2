package parquetio

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// nullFolder is the value of a partition folder whose rows hold null: Hive's name for it.
const nullFolder = "__HIVE_DEFAULT_PARTITION__"

// maxName is the longest name of a folder that file systems take, in bytes.
const maxName = 255

// partition is one entry of Options.PartitionBy.
type partition struct {
	column string
	per    period
	key    string // the name before the '=', escaped
}

type period string

const (
	identity period = ""
	perDay   period = "day"
	perHour  period = "hour"
)

var partitionCall = regexp.MustCompile(`^([a-z]+)\((.*)\)$`)

func parsePartitions(specs []string) ([]partition, error) {
	var parts []partition
	var errs []error
	for _, spec := range specs {
		p := partition{column: spec}
		if m := partitionCall.FindStringSubmatch(spec); m != nil {
			p.per, p.column = period(m[1]), m[2]
		}
		switch {
		case p.column == "":
			errs = append(errs, fmt.Errorf("PartitionBy %q names no column", spec))
		case p.per != identity && p.per != perDay && p.per != perHour:
			errs = append(errs, fmt.Errorf("PartitionBy %q: use a column, day(column) or hour(column)", spec))
		}
		p.key = escape(p.name())
		if strings.HasPrefix(p.key, ".") { // a hidden folder is skipped by readers
			p.key = "%2E" + p.key[1:]
		}
		parts = append(parts, p)
	}
	return parts, errors.Join(errs...)
}

// name is what readers that follow the folders call the column.
func (p partition) name() string {
	if p.per == identity {
		return p.column
	}
	return p.column + "_" + string(p.per)
}

// folder gives the name of the folder of a value.
func (p partition) folder(value string) string { return p.key + "=" + escapeValue(value) }

// nullFolder gives the name of the folder of null.
func (p partition) nullFolder() string { return p.key + "=" + nullFolder }

// escapeValue is escape for the text behind the '='. The text that stands for null gets its first letter escaped:
// readers compare with it before they unescape.
func escapeValue(s string) string {
	if s == nullFolder {
		return "%5F" + s[1:]
	}
	return escape(s)
}

// escape writes s as a part of a folder's name, by Hive's rules (FileUtils.escapePathName): control characters and those
// that mean something in paths, URLs or Hive as % and two hexadecimal digits. Different texts give different names.
func escape(s string) string {
	n := 0
	for i := range len(s) {
		if special(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; special(c) {
			out = append(out, '%', digits[c>>4], digits[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

func special(c byte) bool {
	return c < ' ' || c == 0x7f || strings.IndexByte(`"#%'*/:=?\{[]^`, c) >= 0
}
