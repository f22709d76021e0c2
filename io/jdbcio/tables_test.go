package jdbcio

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow"
	"pgregory.net/rapid"
)

// plain reads a table with the driver alone, each row as the text that SQLite makes of it.
func plain(t *testing.T, path, columns, from string) (rows []string) {
	t.Helper()
	db := keep(t, path)
	rs, err := db.Query("SELECT " + columns + " FROM " + from)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Close()
	for rs.Next() {
		var row string
		if err := rs.Scan(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := rs.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// Every kind of table gives each of its rows once, whatever hides the row ids.
func TestTables(t *testing.T) {
	values := "VALUES (-9223372036854775808, 'a'), (-3, 'b'), (0, 'c'), (7, 'd'), (9223372036854775807, 'e')"
	for name, c := range map[string]struct {
		make      string
		parts     int
		want      []string
		tableName string
	}{
		"ids":                {"CREATE TABLE t(id integer primary key, v text); INSERT INTO t " + values, 4, nil, "t"},
		"without rowid":      {"CREATE TABLE t(id integer primary key, v text) WITHOUT ROWID; INSERT INTO t " + values, 1, nil, "t"},
		"view":               {"CREATE TABLE s(id integer primary key, v text); INSERT INTO s " + values + "; CREATE VIEW t AS SELECT * FROM s", 1, nil, "t"},
		"quoted":             {`CREATE TABLE "a ""b"" .c"(id integer primary key, v text); INSERT INTO "a ""b"" .c" ` + values, 4, nil, `a "b" .c`},
		"empty":              {"CREATE TABLE t(id integer primary key, v text)", 1, []string{}, "t"},
		"rowid is text":      {"CREATE TABLE t(rowid text primary key, id integer, v text); INSERT INTO t(rowid, id, v) VALUES ('20', 1, 'a'), ('3', 2, 'b')", 2, []string{"20 | 1 | a", "3 | 2 | b"}, "t"},
		"rowid is an id":     {"CREATE TABLE t(rowid integer primary key, v text); INSERT INTO t " + values, 4, []string{"-3 | b", "-9223372036854775808 | a", "0 | c", "7 | d", "9223372036854775807 | e"}, "t"},
		"rowid is made":      {"CREATE TABLE t(id integer primary key, v text, ROWID int AS (1) VIRTUAL); INSERT INTO t(id, v) " + values, 4, []string{"-3 | b | 1", "-9223372036854775808 | a | 1", "0 | c | 1", "7 | d | 1", "9223372036854775807 | e | 1"}, "t"},
		"no name left":       {"CREATE TABLE t(rowid int, _rowid_ int, oid int); INSERT INTO t VALUES (1, 1, 1), (1, 1, 1)", 1, []string{"1 | 1 | 1", "1 | 1 | 1"}, "t"},
		"made columns":       {"CREATE TABLE t(id integer primary key, n int AS (id * 2) STORED, v text AS ('v' || id) VIRTUAL); INSERT INTO t(id) VALUES (1), (2)", 2, []string{"1 | 2 | v1", "2 | 4 | v2"}, "t"},
		"gone in the middle": {"CREATE TABLE t(id integer primary key, v text); INSERT INTO t " + values + "; DELETE FROM t WHERE id BETWEEN -5 AND 5", 4, []string{"-9223372036854775808 | a", "7 | d", "9223372036854775807 | e"}, "t"},
		"full text":          {"CREATE VIRTUAL TABLE t USING fts5(v); INSERT INTO t VALUES ('a'), ('b')", 1, []string{"a", "b"}, "t"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				c.want = []string{"-3 | b", "-9223372036854775808 | a", "0 | c", "7 | d", "9223372036854775807 | e"}
			}
			path := makeDB(t, strings.Split(c.make, ";")...)
			src, err := openTable(Options{URL: "sqlite:" + path, Table: c.tableName, BatchRows: 2})
			if err != nil {
				t.Fatal(err)
			}
			parts, err := src.Partitions(t.Context())
			if err != nil || len(parts) != c.parts {
				t.Errorf("%d partitions, want %d; %v", len(parts), c.parts, err)
			}
			got, err := dumpOf(t.Context(), src)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got.Rows)
			if diff := cmp.Diff(c.want, append([]string{}, got.Rows...)); diff != "" || len(got.Letters) > 0 {
				t.Errorf("letters %v (-want +got)\n%s", got.Letters, diff)
			}
		})
	}
}

// A query may end like a person writes it.
func TestQueries(t *testing.T) {
	path := makeDB(t, table, few)
	for _, q := range []string{"SELECT id FROM t ORDER BY id DESC", "SELECT id FROM t ORDER BY id DESC ;\n", "SELECT id FROM t ORDER BY id DESC -- the last first", "WITH s AS (SELECT id FROM t) SELECT id FROM s ORDER BY id DESC"} {
		if diff := cmp.Diff([]string{"2", "-1"}, dumpAll(t, Options{URL: "sqlite:" + path, Query: q}).Rows); diff != "" {
			t.Errorf("%s (-want +got)\n%s", q, diff)
		}
	}
	// BR-037: names that are equal, or differ in case alone, stay apart.
	src, err := openTable(Options{URL: "sqlite:" + path, Query: `SELECT id AS a, v AS a, id AS "A", v AS "" FROM t`})
	if err != nil {
		t.Fatal(err)
	}
	got, err := dumpOf(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range src.Spec().Schema.Fields() {
		got.Letters = append(got.Letters, f.Name)
	}
	if diff := cmp.Diff(dump{[]string{"-1 | a | -1 | a", "2 | b | 2 | b"}, []string{"a", "a:1", "A:2", ""}}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, q := range []string{"DELETE FROM t", "SELECT 1) ; DELETE FROM t; --"} {
		if _, err := openTable(Options{URL: "sqlite:" + path, Query: q}); err == nil {
			t.Errorf("%s is read", q)
		}
	}
	if n := plain(t, path, "count(*)", "t"); n[0] != "2" {
		t.Errorf("%s rows are left of 2", n[0])
	}
}

// A page ends at BatchBytes, counted in what is stored and in what is rejected; a larger row is a page of its own.
func TestPagesAreBoundedInBytes(t *testing.T) {
	path := makeDB(t, "CREATE TABLE t(id integer primary key, b blob, n integer)",
		"INSERT INTO t VALUES (1, zeroblob(3000000), 1), (2, zeroblob(3000000), 1), (3, zeroblob(3000000), 'no integer'), (4, zeroblob(100), 1), (5, zeroblob(20000000), 1), (6, zeroblob(10), 1)")
	src, err := openTable(Options{URL: "sqlite:" + path, Table: "t", Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(t.Context(), flow.Assignment{Partition: parts[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for page := (flow.Page{}); page.State != flow.End; {
		if page, err = r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows := 0
		if page.Rows != nil {
			rows = page.Rows.Rows()
		}
		got = append(got, fmt.Sprintf("%d rows, %d rejected", rows, len(page.Rejected)))
	}
	if diff := cmp.Diff([]string{"2 rows, 0 rejected", "0 rows, 1 rejected", "2 rows, 0 rejected", "1 rows, 0 rejected"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A decimal is what its digits say, to the last place of the widest type, or it is refused.
func TestDecimalsAreExact(t *testing.T) {
	for text, want := range map[string]string{
		"0.12345678901234567890123456789012345678": "0.12345678901234567890123456789012345678", "-0.99999999999999999999999999999999999999": "-0.99999999999999999999999999999999999999",
		".5": "0.5", "0.": "0", "-0": "0", "+0.10": "0.1", "00.1": "0.1", "0.123456789012345678901234567890123456780": "0.12345678901234567890123456789012345678",
		"0.123456789012345678901234567890123456781": "", "1": "", "15e-3": "", "1e-1": "", "": "", ".": "", "-": "", "+-0": "", "0x0": "", "0_0": "", "Inf": "", "NaN": "", "0.1.0": "", "٠": "",
	} {
		dt := &arrow.Decimal128Type{Precision: 38, Scale: 38}
		got := ""
		if n, ok := exactDecimal(text, dt); ok {
			got = strings.TrimSuffix(strings.TrimRight(n.ToString(38), "0"), ".")
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// The integers that a float64 holds exactly are those that come back.
func TestFloatsOfIntegersAreExact(t *testing.T) {
	path := makeDB(t, "CREATE TABLE t(f)", "INSERT INTO t VALUES (9007199254740993), (1152921504606846976), (9223372036854775807), (-9223372036854775808)")
	schema := arrow.NewSchema([]arrow.Field{{Name: "f", Type: arrow.PrimitiveTypes.Float64}}, nil)
	want := dump{Rows: []string{"1.152921504606847e+18", "-9.223372036854776e+18"}, Letters: []string{
		`row 1: column "f": INTEGER 9007199254740993 is no exact float64: {"f":9007199254740993}`,
		`row 3: column "f": INTEGER 9223372036854775807 is no exact float64: {"f":9223372036854775807}`,
	}}
	if diff := cmp.Diff(want, dumpAll(t, Options{URL: "sqlite:" + path, Table: "t", Schema: schema, Partitions: 1})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Whatever ids a table has, however it is cut and wherever the reading stops, each row comes once.
func TestEachRowOnceProperty(t *testing.T) {
	path := makeDB(t, table)
	db := keep(t, path, "PRAGMA synchronous=OFF")
	rapid.Check(t, func(r *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.OneOf(rapid.Int64Range(-20, 20), rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64})), 0, 30, rapid.ID[int64]).Draw(r, "ids")
		o := Options{
			URL: "sqlite:" + path, Table: "t", Partitions: rapid.IntRange(1, 9).Draw(r, "partitions"), BatchRows: rapid.IntRange(1, 7).Draw(r, "batch"),
		}
		var want []string
		must(r, remove(db, ids))
		for _, id := range ids {
			want = append(want, fmt.Sprintf("%d | v", id))
		}
		slices.Sort(want)
		src, err := openTable(o)
		must(r, err)
		parts, err := src.Partitions(t.Context())
		must(r, err)
		var got dump
		for _, p := range parts {
			for a := (flow.Assignment{Partition: p}); ; {
				end, err := got.some(t, src, &a, rapid.IntRange(1, 4).Draw(r, "pages"))
				must(r, err)
				if end {
					break
				}
			}
		}
		slices.Sort(got.Rows)
		if diff := cmp.Diff(want, got.Rows); diff != "" {
			r.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func must(r *rapid.T, err error) {
	if err != nil {
		r.Fatal(err)
	}
}

// clear puts rows of the given ids in the place of all others.
func remove(db *sql.DB, ids []int64) error {
	_, err := db.Exec("DELETE FROM t")
	for _, id := range ids {
		_, e := db.Exec("INSERT INTO t VALUES (?, 'v')", id)
		err = errors.Join(err, e)
	}
	return err
}

// some reads a few pages with a reader of their own, and says whether the partition has ended.
func (d *dump) some(t *testing.T, src flow.Source, a *flow.Assignment, pages int) (end bool, err error) {
	r, err := src.Open(t.Context(), *a)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for range pages {
		page, err := r.Read(t.Context())
		if err != nil {
			return false, err
		}
		d.add(page)
		if a.Position = page.Next; page.State == flow.End {
			return true, nil
		}
	}
	return false, nil
}
