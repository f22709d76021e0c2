//go:build cgo

package readback

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/io/parquetio"
	"pgregory.net/rapid"
)

const (
	asHive  = "'/**/*.parquet', hive_partitioning=true)"
	asFiles = "'/**/*.parquet', hive_partitioning=false)"
)

func from(root, how string) string { return "read_parquet('" + root + strings.TrimPrefix(how, "'") }

func expect(t *testing.T, got, want [][]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTypes(t *testing.T) {
	db := duck(t)
	for _, c := range []struct {
		typ                 arrow.DataType
		value, sqlType, sql string
	}{
		{arrow.FixedWidthTypes.Boolean, `true`, "BOOLEAN", "true"},
		{arrow.PrimitiveTypes.Int8, `-128`, "TINYINT", "-128"},
		{arrow.PrimitiveTypes.Int16, `-32768`, "SMALLINT", "-32768"},
		{arrow.PrimitiveTypes.Int32, `-2147483648`, "INTEGER", "-2147483648"},
		{arrow.PrimitiveTypes.Int64, `9223372036854775807`, "BIGINT", "9223372036854775807"},
		{arrow.PrimitiveTypes.Uint8, `255`, "UTINYINT", "255"},
		{arrow.PrimitiveTypes.Uint32, `4294967295`, "UINTEGER", "4294967295"},
		{arrow.PrimitiveTypes.Uint64, `18446744073709551615`, "UBIGINT", "18446744073709551615"},
		{arrow.PrimitiveTypes.Float32, `1.5`, "FLOAT", "1.5"},
		{arrow.PrimitiveTypes.Float64, `-0.1`, "DOUBLE", "-0.1"},
		{arrow.BinaryTypes.String, `"aü\u0000"`, "VARCHAR", "aü\x00"},
		{arrow.BinaryTypes.LargeString, `"x"`, "VARCHAR", "x"},
		{arrow.BinaryTypes.Binary, `"/wA="`, "BLOB", `\xFF\x00`},
		{&arrow.Decimal128Type{Precision: 9, Scale: 2}, `"-1234567.89"`, "DECIMAL(9,2)", "-1234567.89"},
		{&arrow.Decimal128Type{Precision: 18, Scale: 2}, `"-1234567890123456.78"`, "DECIMAL(18,2)", "-1234567890123456.78"},
		{&arrow.Decimal128Type{Precision: 38, Scale: 38}, `"-0.99999999999999999999999999999999999999"`, "DECIMAL(38,38)", "-.99999999999999999999999999999999999999"},
		{arrow.FixedWidthTypes.Date32, `"0044-03-15"`, "DATE", "0044-03-15"},
		{arrow.FixedWidthTypes.Time32s, `"23:59:59"`, "TIME", "23:59:59"},
		{arrow.FixedWidthTypes.Time64us, `"23:59:59.999999"`, "TIME", "23:59:59.999999"},
		{arrow.FixedWidthTypes.Timestamp_us, `"1600-02-29T23:59:59.999999Z"`, "TIMESTAMP WITH TIME ZONE", "1600-02-29 23:59:59.999999+00"},
		{arrow.FixedWidthTypes.Timestamp_s, `"2300-06-01T00:00:00Z"`, "TIMESTAMP WITH TIME ZONE", "2300-06-01 00:00:00+00"},
		{&arrow.TimestampType{Unit: arrow.Microsecond}, `"2023-11-15 03:43:20"`, "TIMESTAMP", "2023-11-15 03:43:20"},
		{&arrow.TimestampType{Unit: arrow.Nanosecond}, `"2023-11-15 03:43:20.000000001"`, "TIMESTAMP_NS", "2023-11-15 03:43:20.000000001"},
		{arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), `[{"key":"k","value":null}]`, "MAP(VARCHAR, BIGINT)", "{k=NULL}"},
	} {
		t.Run(c.typ.String(), func(t *testing.T) {
			root := t.TempDir()
			in := rows(t, []arrow.Field{optional("v", c.typ)}, `{"v":`+c.value+`}`, `{"v":null}`)
			if refused := write(t, root, parquetio.Options{}, in); refused != nil {
				t.Fatal(refused)
			}
			got := query(t, db, "select typeof(v), v from "+from(root, asFiles))
			expect(t, got, [][]string{{c.sqlType, c.sql}, {c.sqlType, "NULL"}})
		})
	}
}

// BR-028 and BR-029: as folders and as plain files, with the column in the files and without.
func TestPartitionValues(t *testing.T) {
	db := duck(t)
	values := []string{
		"a/b", "a%2Fb", "../x", "x=y", "50%", "%2F", "10:30", "a b", "a+b", "#1?", "ü", "tab\there", "line\nbreak", ".", "..",
		"A", "a", " ", "__HIVE_DEFAULT_PARTITION__", "%5F_HIVE_DEFAULT_PARTITION__", `q"'`, "*?[x]", "z\x00z",
	}
	fields := []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, optional("c", arrow.BinaryTypes.String)}
	var in []string
	var want [][]string
	for i, v := range values {
		in = append(in, fmt.Sprintf(`{"id":%d,"c":%s}`, i, quoteJSON(v)))
		want = append(want, []string{strconv.Itoa(i), v})
	}
	n := strconv.Itoa(len(values))
	in = append(in, `{"id":`+n+`,"c":null}`)
	want = append(want, []string{n, "NULL"})
	for _, drop := range []bool{false, true} {
		root := filepath.Join(t.TempDir(), "lake")
		if refused := write(t, root, parquetio.Options{PartitionBy: []string{"c"}, DropPartitionColumns: drop}, rows(t, fields, in...)); refused != nil {
			t.Fatal(refused)
		}
		folders, err := os.ReadDir(root)
		if err != nil || len(folders) != len(in) {
			t.Errorf("%d folders for %d values: %v", len(folders), len(in), err)
		}
		around, err := os.ReadDir(filepath.Dir(root))
		if err != nil || len(around) != 1 {
			t.Errorf("something lies outside of the root: %v, %v", around, err)
		}
		expect(t, query(t, db, "select id, c from "+from(root, asHive)+" order by id"), want)
		if !drop {
			expect(t, query(t, db, "select id, c from "+from(root, asFiles)+" order by id"), want)
		}
	}
}

func TestEmptyPartition(t *testing.T) {
	db, root := duck(t), t.TempDir()
	fields := []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, optional("c", arrow.BinaryTypes.String)}
	in := rows(t, fields, `{"id":0,"c":""}`, `{"id":1,"c":null}`, `{"id":2,"c":" "}`)
	if refused := write(t, root, parquetio.Options{PartitionBy: []string{"c"}}, in); refused != nil {
		t.Fatal(refused)
	}
	expect(t, query(t, db, "select id, c from "+from(root, asFiles)+" order by id"), [][]string{{"0", ""}, {"1", "NULL"}, {"2", " "}})
	expect(t, query(t, db, "select id, c from "+from(root, asHive)+" order by id"), [][]string{{"0", "NULL"}, {"1", "NULL"}, {"2", " "}})
}

// Whatever the texts are: nothing leaves the root, and each comes back.
func TestPartitionProperty(t *testing.T) {
	db, dir := duck(t), t.TempDir()
	text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("/.%=:2F5_\x00\n\\ ~ü'*"))))
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		home := filepath.Join(dir, strconv.Itoa(n))
		root := filepath.Join(home, "lake")
		values := rapid.SliceOfNDistinct(text, 1, 5, rapid.ID[string]).Draw(rt, "values")
		var in []string
		for i, v := range values {
			in = append(in, fmt.Sprintf(`{"id":%d,"c":%s}`, i, quoteJSON(v)))
		}
		b := rows(rt, []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, optional("c", arrow.BinaryTypes.String)}, in...)
		refused := map[int32]bool{}
		for _, r := range write(rt, root, parquetio.Options{PartitionBy: []string{"c"}, DropPartitionColumns: true}, b) {
			refused[r.Row] = true
		}
		want := [][]string{}
		for i, v := range values {
			if !refused[int32(i)] {
				want = append(want, []string{strconv.Itoa(i), v})
			}
		}
		if len(want) == 0 {
			return
		}
		if around, err := os.ReadDir(home); err != nil || len(around) != 1 {
			rt.Fatalf("something lies outside of the root: %v, %v", around, err)
		}
		got := query(rt, db, "select id, c from read_parquet('"+root+"/*/*.parquet', hive_partitioning=true, hive_types_autocast=false) order by id")
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestDayAndVendor(t *testing.T) {
	db, root := duck(t), t.TempDir()
	fields := []arrow.Field{optional("at", arrow.FixedWidthTypes.Timestamp_us), optional("vendor_id", arrow.PrimitiveTypes.Int64)}
	in := rows(t, fields, `{"at":"2019-01-15T23:59:59Z","vendor_id":1}`, `{"at":"1969-12-31T23:59:59.999999Z","vendor_id":null}`, `{"at":"2019-01-16T00:00:00Z","vendor_id":1}`)
	if refused := write(t, root, parquetio.Options{PartitionBy: []string{"day(at)", "hour(at)", "vendor_id"}}, in); refused != nil {
		t.Fatal(refused)
	}
	expect(t, query(t, db, "select at_day, typeof(at_day), at_hour, vendor_id, typeof(vendor_id) from read_parquet('"+root+"/**/*.parquet', hive_types={'vendor_id': BIGINT}) order by \"at\""), [][]string{
		{"1969-12-31", "DATE", "1969-12-31-23", "NULL", "BIGINT"},
		{"2019-01-15", "DATE", "2019-01-15-23", "1", "BIGINT"},
		{"2019-01-16", "DATE", "2019-01-16-00", "1", "BIGINT"},
	})
	expect(t, query(t, db, "select count(*) from "+from(root, asHive)+" where at_day = '2019-01-15'"), [][]string{{"1"}})
	expect(t, query(t, db, "select count(*), count(vendor_id) from "+from(root, asFiles)), [][]string{{"3", "2"}})
}

// BR-032: the statistics of negative decimals, in every physical form, as filters use them.
func TestDecimalStatistics(t *testing.T) {
	db := duck(t)
	for _, precision := range []int32{9, 18, 19, 38} {
		t.Run(fmt.Sprint(precision), func(t *testing.T) {
			root := t.TempDir()
			typ := &arrow.Decimal128Type{Precision: precision, Scale: 2}
			in := rows(t, []arrow.Field{optional("d", typ)}, `{"d":"-1.00"}`, `{"d":"0.00"}`, `{"d":"5.00"}`, `{"d":"7.00"}`, `{"d":"9.00"}`)
			write(t, root, parquetio.Options{RowGroupRows: 3}, in)
			file := from(root, asFiles)
			expect(t, query(t, db, "from (select stats_min, stats_max from parquet_metadata('"+root+"/0.parquet') order by row_group_id)"), [][]string{{"-1.00", "5.00"}, {"7.00", "9.00"}})
			expect(t, query(t, db, "select count(*) from "+file+" where d < 0"), [][]string{{"1"}})
			expect(t, query(t, db, "select count(*) from "+file+" where d between -2 and 1"), [][]string{{"2"}})
			expect(t, query(t, db, "select count(*) from "+file+" where d > 5"), [][]string{{"2"}})
		})
	}
}

// Filters on every type find what is there: wrong statistics would hide it.
func TestStatistics(t *testing.T) {
	db, root := duck(t), t.TempDir()
	fields := []arrow.Field{optional("s", arrow.BinaryTypes.String), optional("f", arrow.PrimitiveTypes.Float64), optional("u", arrow.PrimitiveTypes.Uint64), optional("b", arrow.BinaryTypes.Binary)}
	in := rows(t, fields, `{"s":"z","f":"NaN","u":18446744073709551615,"b":"/w=="}`, `{"s":"ü","f":-0.0,"u":0,"b":"AA=="}`, `{"s":"","f":"-Inf","u":null,"b":""}`, `{"s":null,"f":null,"u":7,"b":null}`)
	write(t, root, parquetio.Options{RowGroupRows: 1}, in)
	file := from(root, asFiles)
	for filter, want := range map[string]string{
		"s = 'ü'": "1", "s > 'z'": "1", "s = ''": "1", "s is null": "1", "f = 0": "1", "f = -0.0": "1", "f < -1": "1", "isnan(f)": "1",
		"u > 9223372036854775807": "1", "u < 8": "2", "b = '\\xFF'::blob": "1", "b < '\\x01'::blob": "2",
	} {
		if got := query(t, db, "select count(*) from "+file+" where "+filter); got[0][0] != want {
			t.Errorf("%s: %s rows, want %s", filter, got[0][0], want)
		}
	}
}

// BR-034.
func TestLists(t *testing.T) {
	db, root := duck(t), t.TempDir()
	list := arrow.ListOf(arrow.PrimitiveTypes.Int64)
	deep := arrow.ListOf(arrow.StructOf(optional("a", list), optional("b", &arrow.Decimal128Type{Precision: 38, Scale: 1})))
	in := rows(t, []arrow.Field{optional("id", arrow.PrimitiveTypes.Int64), optional("l", list), optional("d", deep)},
		`{"id":1,"l":null}`, `{"id":2}`, `{"id":3,"l":[],"d":[]}`, `{"id":4,"l":[null],"d":[null]}`, `{"id":5,"l":[1,null,2],"d":[null,{"a":[],"b":"1.5"}]}`,
		`{"id":6,"l":[3],"d":[{"a":[null],"b":null},{"a":null,"b":"-2.0"}]}`)
	write(t, root, parquetio.Options{}, in)
	expect(t, query(t, db, "select id, l, d from "+from(root, asFiles)+" order by id"), [][]string{
		{"1", "NULL", "NULL"},
		{"2", "NULL", "NULL"},
		{"3", "[]", "[]"},
		{"4", "[NULL]", "[NULL]"},
		{"5", "[1, NULL, 2]", "[NULL, {'a': [], 'b': 1.5}]"},
		{"6", "[3]", "[{'a': [NULL], 'b': NULL}, {'a': NULL, 'b': -2.0}]"},
	})
	expect(t, query(t, db, "select distinct name from parquet_schema('"+root+"/0.parquet') where name in ('list', 'element', 'array') order by 1"), [][]string{{"element"}, {"list"}})
}

// BR-037: names that look alike stay apart.
func TestNames(t *testing.T) {
	db, root := duck(t), t.TempDir()
	num := arrow.PrimitiveTypes.Int64
	in := rows(t, []arrow.Field{optional("+1", num), optional("-1", num), optional("a.b", num), optional("a", arrow.StructOf(optional("b", num))), optional(`q"`, num)},
		`{"+1":1,"-1":2,"a.b":5,"a":{"b":6},"q\"":7}`)
	write(t, root, parquetio.Options{PartitionBy: []string{"a.b"}}, in)
	expect(t, query(t, db, `select "+1", "-1", "a.b", a.b, "q""" from `+from(root, asFiles)), [][]string{{"1", "2", "5", "6", "7"}})
	expect(t, query(t, db, `select "+1", "-1", "a.b", a.b, "q""" from `+from(root, asHive)), [][]string{{"1", "2", "5", "6", "7"}})
}

func TestCompression(t *testing.T) {
	db := duck(t)
	for name, want := range map[string]string{"": "SNAPPY", "snappy": "SNAPPY", "zstd": "ZSTD", "none": "UNCOMPRESSED"} {
		root := t.TempDir()
		write(t, root, parquetio.Options{Compression: name}, rows(t, []arrow.Field{optional("n", arrow.PrimitiveTypes.Int64)}, `{"n":1}`))
		expect(t, query(t, db, "select compression from parquet_metadata('"+root+"/0.parquet')"), [][]string{{want}})
	}
}

func quoteJSON(s string) string {
	out, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(out)
}
