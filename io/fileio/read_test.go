package fileio

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch/jsonarrow"
	"github.com/millrace-io/millrace/flow"
)

func columns(fields ...arrow.Field) *arrow.Schema { return arrow.NewSchema(fields, nil) }

func column1(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

var pair = columns(column1("a", arrow.PrimitiveTypes.Int64), column1("b", arrow.BinaryTypes.String))

// recordCase is a file and what is read of it.
type recordCase struct {
	file, text string
	o          Options
	want       got
}

func checkRecords(t *testing.T, cases map[string]recordCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.o.Schema == nil {
				c.o.Schema = pair
			}
			if diff := cmp.Diff(c.want, readText(t, c.file, c.text, c.o)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRecords(t *testing.T) {
	checkRecords(t, map[string]recordCase{
		"mixed line ends, no end of the last line": {"x.csv", "1,x\r\n2,y\n3,z", Options{}, got{Rows: []string{`1 "x"`, `2 "y"`, `3 "z"`}}},
		"empty file":      {"x.csv", "", Options{}, got{}},
		"empty lines":     {"x.csv", "\n\r\n1,x\n\n\n2,y\n\n", Options{}, got{Rows: []string{`1 "x"`, `2 "y"`}}},
		"byte order mark": {"x.csv", "\xEF\xBB\xBF1,x\n", Options{}, got{Rows: []string{`1 "x"`}}},
		"faults of quotes": {"x.csv", "1,a\"b\n2,\"a\"b\n3,\"a\nb\"\n4,\"a\n5,b\n", Options{}, got{
			Rows: []string{`3 "a\nb"`},
			Rejected: []string{
				`line 1, byte 0: a quote stands inside a field, or something behind the quote that closes one: "1,a\"b"`,
				`line 2, byte 6: a quote stands inside a field, or something behind the quote that closes one: "2,\"a\"b"`,
				`line 5, byte 21: the file ends inside a field with quotes: "4,\"a\n5,b\n"`,
			},
		}},
		"number of fields": {"x.csv", "1\n1,2,3\n1,x\n", Options{}, got{
			Rows:     []string{`1 "x"`},
			Rejected: []string{`line 1, byte 0: the record has 1 fields, want 2: "1"`, `line 2, byte 2: the record has 3 fields, want 2: "1,2,3"`},
		}},
		"text that is not UTF-8": {"x.csv", "1,\xff\n", Options{}, got{
			Rejected: []string{`line 1, byte 0: column "b": byte 0xFF is not valid UTF-8: "1,\xff"`},
		}},
		"too large": {"x.csv.zst", "1,\"" + strings.Repeat("x\n", 100) + "\"\n2,12345678\r\n3,123456789\n", Options{MaxRecordBytes: 10}, got{
			Rows: []string{`2 "12345678"`},
			Rejected: []string{
				`line 1, byte 0: the record is larger than MaxRecordBytes; its first bytes are kept: "1,\"x\nx\nx\nx"`,
				`line 103, byte 217: the record is larger than MaxRecordBytes; its first bytes are kept: "3,12345678"`,
			},
		}},
		"JSON lines": {"x.ndjson.zst", "{\"a\":1}\r\n \t\n{\"b\":\"x\",\"a\":\"2\"}\n{\"a\":1.5}\n{", Options{}, got{
			Rows: []string{`1 (null)`, `2 "x"`},
			Rejected: []string{
				`line 4, byte 30: column "a": the number 1.5 is not a whole number for a column of type int64 (at byte 5): "{\"a\":1.5}"`,
				`line 5, byte 40: the record ends where a field name is expected (at byte 1): "{"`,
			},
		}},
	})
}

func TestHeader(t *testing.T) {
	strict := columns(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64}, column1("b", arrow.BinaryTypes.String))
	checkRecords(t, map[string]recordCase{
		"empty compressed file":      {"x.csv.gz", "", Options{Header: true}, got{}},
		"byte order mark and header": {"x.csv", "\xEF\xBB\xBFb,a\nx,1\n", Options{Header: true}, got{Rows: []string{`1 "x"`}}},
		"quotes": {
			"x.csv", "\"1\",\"a,\"\"b\"\"\r\n\tc\"\r\n2,\"\"\n3,\n",
			Options{},
			got{Rows: []string{`1 "a,\"b\"\r\n\tc"`, `2 ""`, `3 (null)`}},
		},
		"columns added and missing": {"x.csv", "new,a\nx,1\n", Options{Header: true}, got{Rows: []string{`1 (null)`}}},
		"columns captured":          {"x.csv", "new,a\nx,1\n", Options{Header: true, Unknown: jsonarrow.Capture}, got{Rows: []string{`1 (null) "{\"new\":\"x\"}"`}}},
		"a column that must be there": {"x.csv", "b\nx\n", Options{Header: true, Schema: strict}, got{
			Rejected: []string{`line 2, byte 2: column "a": the field is missing, and the column takes no null: "x"`},
		}},
		"a column twice": {"x.csv", "a,a\n1,2\n", Options{Header: true}, got{Rejected: []string{`line 2, byte 4: the header names the column "a" twice: "1,2"`}}},
		"broken header": {"x.csv", "a\"\n1,2\n", Options{Header: true}, got{
			Rejected: []string{`line 2, byte 3: the header cannot be read: a quote stands inside a field, or something behind the quote that closes one: "1,2"`},
		}},
		"null and comma": {
			"x.csv", "NA;NA\n1;\"NA\"\n2;\n",
			Options{Null: []string{"NA"}, Comma: ';'},
			got{Rows: []string{`(null) (null)`, `1 "NA"`, `2 ""`}},
		},
	})
}

func TestValues(t *testing.T) {
	type texts = map[string]string // by cell; "" is rejected
	for _, c := range []struct {
		t    arrow.DataType
		want texts
	}{
		{arrow.PrimitiveTypes.Int64, texts{"9007199254740993": "9007199254740993", " +007 ": "7", "-9223372036854775808": "-9223372036854775808", "9223372036854775808": "", "1.5": "", "x": "", "-": "", "1_0": "", "0x1": ""}},
		{arrow.PrimitiveTypes.Uint8, texts{"255": "255", "256": "", "-1": "", "-0": "0"}},
		{arrow.PrimitiveTypes.Float64, texts{".5": "0.5", "1.": "1", "-00.25e1": "-2.5", "1e400": "", "1.e1": "10", ".": "", "+": "", "": "(null)"}},
		{arrow.FixedWidthTypes.Boolean, texts{"1": "true", "F": "false", "True": "true", "yes": ""}},
		{arrow.FixedWidthTypes.Date32, texts{"2024-02-29": "2024-02-29", "2023-02-29": "", "29.02.2024": ""}},
		{arrow.FixedWidthTypes.Timestamp_us, texts{"2024-01-02 03:04:05": "2024-01-02T03:04:05Z", "2024-01-02 03:04:05.123456": "2024-01-02T03:04:05.123456Z", "2024-01-02T03:04:05+02:00": "2024-01-02T01:04:05Z", "1": ""}},
		{&arrow.Decimal128Type{Precision: 38, Scale: 2}, texts{"-012345678901234567890123456789012345.67": "-12345678901234567890123456789012345.67", "1.005": "", "+.5": "0.5"}},
		{arrow.BinaryTypes.String, texts{" 007 ": `" 007 "`, "a\\b\x01": `"a\\b\x01"`}},
	} {
		for cell, want := range c.want {
			out := readText(t, "x.csv", "0,"+cell+"\n", Options{Schema: columns(column1("n", arrow.PrimitiveTypes.Int64), column1("v", c.t))})
			have := ""
			if len(out.Rows) == 1 {
				have = strings.TrimPrefix(out.Rows[0], "0 ")
			} else if len(out.Rejected) != 1 || !strings.Contains(out.Rejected[0], `column "v"`) {
				t.Errorf("%s: %q is rejected without the name of its column: %q", c.t, cell, out.Rejected)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s: %q (-want +got)\n%s", c.t, cell, diff)
			}
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.csv", "a.csv", "sub/c.csv", "d.jsonl", "e.parquet"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, []byte("1,"+name+"\n"))
	}
	for pattern, want := range map[string][]string{
		dir + "/*.csv": {`1 "a.csv"`, `1 "b.csv"`}, "file://" + dir + "/[b-z].csv": {`1 "b.csv"`}, dir + "/*/?.csv": {`1 "sub/c.csv"`},
		dir + "/a.csv": {`1 "a.csv"`},
	} {
		out, err := readAll(t, Options{URL: pattern, Schema: pair}, never)
		if diff := cmp.Diff(want, out.Rows); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", pattern, err, diff)
		}
	}
	for pattern, want := range map[string]error{dir + "/*.tsv": ErrNoFile, dir + "/none/x.csv": ErrNoFile, dir + "/e.*": ErrFormat} {
		if _, err := readAll(t, Options{URL: pattern, Schema: pair}, never); !errors.Is(err, want) || !strings.Contains(err.Error(), dir) && errors.Is(want, ErrNoFile) {
			t.Errorf("%s: %v, want %v", pattern, err, want)
		}
	}
}

func TestDamagedFile(t *testing.T) {
	for _, name := range []string{"x.csv.gz", "x.csv.zst"} {
		file := filepath.Join(t.TempDir(), name)
		writeFile(t, file, []byte(strings.Repeat("1,x\n", 100)))
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data[:len(data)-3], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(t, Options{URL: file, Schema: pair}, never); !errors.Is(err, ErrDamaged) || !flow.Permanent(err) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
}

// A file that grows while it is read is not taken for whole.
func TestGrowingFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.csv")
	writeFile(t, file, []byte("1,x\n2,y\n"))
	_, err := readAll(t, Options{URL: file, Schema: pair, BatchRows: 1}, func() bool {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("3,z\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return false
	})
	if !errors.Is(err, flow.ErrIdentity) {
		t.Errorf("%v, want ErrIdentity", err)
	}
}

func TestValidate(t *testing.T) {
	nested := columns(column1("l", arrow.ListOf(arrow.PrimitiveTypes.Int64)))
	for want, o := range map[string]Options{
		"URL is required": {Schema: pair}, "Schema is required": {URL: "x.csv"}, `Format: "parquet" is not supported`: {URL: "x", Schema: pair, Format: "parquet"},
		"the pattern": {URL: "[", Schema: pair}, "scheme \"ftp\"": {URL: "ftp://x/y.csv", Schema: pair}, "Comma": {URL: "x.csv", Schema: pair, Comma: '"'},
		"BatchRows": {URL: "x.csv", Schema: pair, BatchRows: 1 << 20}, "BatchBytes": {URL: "x.csv", Schema: pair, BatchBytes: -1},
		"MaxRecordBytes": {URL: "x.csv", Schema: pair, MaxRecordBytes: -1}, `no timestamp column "b"`: {URL: "x.csv", Schema: pair, EventTime: "b"},
		`column "l": CSV has no values`: {URL: "x.csv", Schema: nested},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %q", err, want)
		}
	}
	if err := (Options{URL: "x.jsonl", Schema: nested}).Validate(); err != nil {
		t.Error(err)
	}
}
