package jdbcio

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow"
)

// makeDB makes a SQLite file with the given statements and returns its path.
func makeDB(t *testing.T, stmts ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test file.db")
	exec(t, path, stmts...)
	return path
}

func exec(t *testing.T, path string, stmts ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range stmts {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// source builds a Read step and gives its source.
func source(t *testing.T, o Options) (flow.Source, error) {
	t.Helper()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	var src flow.Source
	var err error
	_, _ = flow.Build("test", func(p *flow.Pipeline) { src, err = build(p, "read", o.withDefaults()) })
	return src, err
}

// dump is what was read: rows as text, and dead letters.
type dump struct {
	Rows    []string
	Letters []string
}

// readAll reads a partition from pos to its end, page by page.
func readAll(t *testing.T, src flow.Source, a flow.Assignment) (d dump, positions [][]byte) {
	t.Helper()
	r, err := src.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		page, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d.add(page)
		positions = append(positions, page.Next)
		if page.State == flow.End {
			return d, positions
		}
	}
}

func (d *dump) add(page flow.Page) {
	if page.Rows != nil {
		for i := range page.Rows.Rows() {
			var cells []string
			for c := range page.Rows.Columns() {
				cells = append(cells, page.Rows.Column(c).ValueStr(i))
			}
			d.Rows = append(d.Rows, strings.Join(cells, " | "))
		}
	}
	for _, l := range page.Rejected {
		d.Letters = append(d.Letters, fmt.Sprintf("%s: %s: %s", l.Position, l.Reason, l.Payload))
	}
}

func dumpAll(t *testing.T, o Options) dump {
	t.Helper()
	src, err := source(t, o)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all dump
	for _, p := range parts {
		d, _ := readAll(t, src, flow.Assignment{Partition: p})
		all.Rows = append(all.Rows, d.Rows...)
		all.Letters = append(all.Letters, d.Letters...)
	}
	return all
}

func TestDeclaredTypes(t *testing.T) {
	for decl, want := range map[string]arrow.DataType{
		"INTEGER": arrow.PrimitiveTypes.Int64, "bigint": arrow.PrimitiveTypes.Int64, "VARCHAR(10)": arrow.BinaryTypes.String,
		"REAL": arrow.PrimitiveTypes.Float64, "double precision": arrow.PrimitiveTypes.Float64, "BLOB": arrow.BinaryTypes.Binary,
		"BOOLEAN": arrow.FixedWidthTypes.Boolean, "DATETIME": arrow.FixedWidthTypes.Timestamp_us, "date": arrow.FixedWidthTypes.Date32,
		"DECIMAL(10, 2)": &arrow.Decimal128Type{Precision: 10, Scale: 2}, "NUMERIC": arrow.BinaryTypes.String,
		"DECIMAL(50,2)": arrow.BinaryTypes.String, "": arrow.BinaryTypes.String,
	} {
		if got := declared(decl); !arrow.TypeEqual(got, want) {
			t.Errorf("declared(%q) = %s, want %s", decl, got, want)
		}
	}
}

// SQLite's declared type binds nobody (BR-025): what does not fit is rejected with its values, never 0 or null.
func TestMisfitsAreRejected(t *testing.T) {
	path := makeDB(t, "CREATE TABLE t(id integer primary key, n integer, ts timestamp, b blob)",
		"INSERT INTO t VALUES (1, 5, '2024-01-02 03:04:05', x'00'), (2, 'n/a', 1598313600, 'txt'), (3, 9223372036854775807, 2460000.5, NULL), (4, 1.5, NULL, NULL)")
	want := dump{
		Rows: []string{
			"1 | 5 | 2024-01-02T03:04:05Z | AA==",
			"3 | 9223372036854775807 | 2023-02-25T00:00:00Z | (null)",
		},
		Letters: []string{
			`row 2: column "n": TEXT "n/a" is no integer: {"id":2,"n":"n/a","ts":1598313600,"b":"txt"}`,
			`row 4: column "n": REAL 1.5 is no integer: {"id":4,"n":1.5,"ts":null,"b":null}`,
		},
	}
	if diff := cmp.Diff(want, dumpAll(t, Options{URL: "jdbc:sqlite:" + path, Table: "t"})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	text := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "n", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "ts", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true}, {Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true},
	}, nil)
	got := dumpAll(t, Options{URL: "sqlite://" + path, Table: "t", Schema: text})
	if want := 4; len(got.Rows) != want || len(got.Letters) != 0 {
		t.Errorf("with n as text: %d rows, want %d; letters %v", len(got.Rows), want, got.Letters)
	}
}

// Text that is not UTF-8 never reaches a string column (BR-038).
func TestInvalidUTF8IsRejected(t *testing.T) {
	path := makeDB(t, "CREATE TABLE t(s text)", "INSERT INTO t VALUES ('ü'), (CAST(x'C3' AS text)), (CAST(x'00A859E277' AS text))")
	want := dump{Rows: []string{"ü"}, Letters: []string{
		`row 2: column "s": TEXT is not valid UTF-8: {"s":{"base64":"ww=="}}`,
		`row 3: column "s": TEXT is not valid UTF-8: {"s":{"base64":"AKhZ4nc="}}`,
	}}
	if diff := cmp.Diff(want, dumpAll(t, Options{URL: "sqlite:" + path, Table: "t"})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTimes(t *testing.T) {
	path := makeDB(t, `CREATE TABLE t(ts datetime, d date, m decimal(6,2), f real, b boolean)`,
		`INSERT INTO t VALUES ('1969-12-31T23:59:59.5', '2024-02-29', '12.50', 3, 1), ('0001-01-01 00:00:00', '9999-12-31', 7, 0.5, 0),
		('2024-02-29 23:59:59.999999+05:30', NULL, 1.5, NULL, NULL), ('2024-02-30 00:00:00', NULL, NULL, NULL, NULL),
		(NULL, '2024-01-01 12:00', NULL, NULL, NULL), (NULL, NULL, '1.234', NULL, NULL), (NULL, NULL, NULL, 9007199254740993, 1), (NULL, NULL, NULL, NULL, 2)`)
	want := dump{
		Rows: []string{
			"1969-12-31T23:59:59.5Z | 2024-02-29 | 12.5 | 3 | true",
			"0001-01-01T00:00:00Z | 9999-12-31 | 7 | 0.5 | false",
			"2024-02-29T18:29:59.999999Z | (null) | 1.5 | (null) | (null)",
			// SQLite itself stores an INTEGER in a REAL column as the nearest float.
			"(null) | (null) | (null) | 9.007199254740992e+15 | true",
		},
		Letters: []string{
			`row 4: column "ts": TEXT "2024-02-30 00:00:00" is no time in ISO 8601 form: {"ts":"2024-02-30 00:00:00","d":null,"m":null,"f":null,"b":null}`,
			`row 5: column "d": TEXT "2024-01-01 12:00" is no date: {"ts":null,"d":"2024-01-01 12:00","m":null,"f":null,"b":null}`,
			`row 6: column "m": REAL 1.234 is no decimal(6, 2): {"ts":null,"d":null,"m":1.234,"f":null,"b":null}`,
			`row 8: column "b": INTEGER 2 is no boolean (0 or 1): {"ts":null,"d":null,"m":null,"f":null,"b":2}`,
		},
	}
	if diff := cmp.Diff(want, dumpAll(t, Options{URL: "sqlite:" + path, Table: "t"})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEventTime(t *testing.T) {
	path := makeDB(t, "CREATE TABLE t(id integer, at)", "INSERT INTO t VALUES (1, '2024-01-02 03:04:05'), (2, 1704164645), (3, 2460311.5), (4, NULL), (5, 'soon')")
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "at", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	src, err := source(t, Options{URL: "sqlite:" + path, Table: "t", Schema: schema, EventTime: "at", Partitions: 1})
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
	page, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{1704164645_000000, 1704164645_000000, 1704153600_000000}, page.Rows.Times()); diff != "" {
		t.Errorf("event times (-want +got)\n%s", diff)
	}
	if len(page.Rejected) != 2 {
		t.Errorf("rejected %d rows, want 2: %+v", len(page.Rejected), page.Rejected)
	}
	if off := page.Rows.Hidden("@off").(*array.Int64).Int64Values(); !cmp.Equal(off, []int64{1, 2, 3}) {
		t.Errorf("positions %v", off)
	}
}

// A restart from every position gives exactly the rows behind it, for tables, tables without row id, and queries.
func TestResumeFromEveryPosition(t *testing.T) {
	var values []string
	for i := range 100 {
		values = append(values, fmt.Sprintf("(%d, 'v%d')", i*i-50, i))
	}
	all := strings.Join(values, ", ")
	path := makeDB(t, "CREATE TABLE t(id integer primary key, v text)", "INSERT INTO t VALUES "+all,
		"CREATE TABLE w(id integer primary key, v text) WITHOUT ROWID", "INSERT INTO w VALUES "+all, "CREATE VIEW x AS SELECT * FROM t")
	for _, o := range []Options{
		{Table: "t", Partitions: 1}, {Table: "t", Partitions: 7}, {Table: "w"}, {Table: "x"},
		{Query: "SELECT v, id FROM t WHERE id > 0 ORDER BY v"}, {Table: "t", Columns: []string{"v"}},
	} {
		o.URL, o.BatchRows = "sqlite:"+path, 9
		t.Run(fmt.Sprintf("%s%s/%d", o.Table, o.Query, o.Partitions), func(t *testing.T) {
			src, err := source(t, o)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := src.Partitions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, p := range parts {
				whole, positions := readAll(t, src, flow.Assignment{Partition: p})
				total += len(whole.Rows)
				seen := 0
				for _, pos := range positions {
					seen = min(seen+9, len(whole.Rows))
					rest, _ := readAll(t, src, flow.Assignment{Partition: p, Position: pos})
					if diff := cmp.Diff(whole.Rows[seen:], rest.Rows); diff != "" && len(rest.Rows)+seen != len(whole.Rows) {
						t.Fatalf("partition %s from %s (-want +got)\n%s", p.ID, pos, diff)
					}
				}
			}
			if want := map[bool]int{true: 92, false: 100}[o.Query != ""]; total != want {
				t.Errorf("read %d rows, want %d", total, want)
			}
		})
	}
}

func TestCutCoversAllRowIDs(t *testing.T) {
	const big = 1<<63 - 1
	for _, c := range []struct {
		lo, hi int64
		n      int
	}{{1, 10, 3}, {5, 5, 4}, {-big - 1, big, 4}, {0, 2, 256}, {big - 1, big, 2}} {
		ranges := cut(c.lo, c.hi, c.n)
		if len(ranges) > c.n || ranges[0].From != c.lo || ranges[len(ranges)-1].To != c.hi {
			t.Errorf("cut(%d, %d, %d) = %+v", c.lo, c.hi, c.n, ranges)
		}
		for i, r := range ranges {
			if r.From > r.To || i > 0 && r.From != ranges[i-1].To+1 {
				t.Errorf("cut(%d, %d, %d): range %d is %+v behind %+v", c.lo, c.hi, c.n, i, r, ranges[max(i-1, 0)])
			}
		}
	}
}

func TestChangedFileStops(t *testing.T) {
	for _, wal := range []string{"DELETE", "WAL"} {
		t.Run(wal, func(t *testing.T) {
			path := makeDB(t, "PRAGMA journal_mode="+wal, "CREATE TABLE t(id integer primary key)", "INSERT INTO t VALUES (1), (2)")
			src, err := source(t, Options{URL: "sqlite:" + path, Table: "t"})
			if err != nil {
				t.Fatal(err)
			}
			parts, err := src.Partitions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("UPDATE t SET id = 3 WHERE id = 2"); err != nil {
				t.Fatal(err)
			}
			if _, err := src.Open(t.Context(), flow.Assignment{Partition: parts[0]}); !errors.Is(err, flow.ErrIdentity) {
				t.Errorf("Open after a change = %v, want ErrIdentity", err)
			}
			if _, err := db.Exec("ALTER TABLE t ADD COLUMN v text"); err != nil {
				t.Fatal(err)
			}
			if _, err := src.Partitions(t.Context()); !errors.Is(err, flow.ErrSchema) {
				t.Errorf("Partitions after ALTER = %v, want ErrSchema", err)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	path := makeDB(t, `CREATE TABLE "odd "" name"(id integer)`)
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "URL: want jdbc:<database>"},
		{Options{URL: "jdbc:oracle:thin:u/geheim@h"}, `database "oracle" is not supported; supported: sqlite`},
		{Options{URL: "sqlite:" + path, Table: "t", Query: "q"}, "exclude each other"},
		{Options{URL: "sqlite:" + path, Table: "t"}, `no such table or view: "t"`},
		{Options{URL: "sqlite:/no/such.db", Table: "t"}, "no database file: /no/such.db does not exist"},
		{Options{URL: "sqlite:" + path, Table: `odd " name`, Columns: []string{"x"}}, `no column "x"`},
		{Options{URL: "sqlite:" + path, Table: `odd " name`, EventTime: "x"}, `EventTime: there is no column "x"`},
		{Options{URL: "sqlite:" + path, Query: "SELEC"}, "no such table: SELEC"},
	} {
		if _, err := source(t, c.o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	path := makeDB(t, "CREATE TABLE t(id integer primary key)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) INSERT INTO t SELECT i FROM n")
	src, err := source(t, Options{URL: "sqlite:" + path, Table: "t", Partitions: 1, BatchRows: 20000})
	if err != nil {
		t.Fatal(err)
	}
	parts, _ := src.Partitions(t.Context())
	r, err := src.Open(t.Context(), flow.Assignment{Partition: parts[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	page, err := r.Read(done)
	if err != nil || page.Records > 1024 || page.State != flow.More {
		t.Errorf("Read with an ended context: %d records, state %d, %v", page.Records, page.State, err)
	}
	for rows := page.Records; rows < 20000; rows += page.Records {
		if page, err = r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
