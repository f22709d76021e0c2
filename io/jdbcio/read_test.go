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
func makeDB(t testing.TB, stmts ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test file.db")
	write(t, path, stmts...)
	return path
}

func write(t testing.TB, path string, stmts ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run(t, db, stmts...)
}

func run(t testing.TB, db *sql.DB, stmts ...string) {
	t.Helper()
	for _, s := range stmts {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// openTable builds a Read step and gives its source.
func openTable(o Options) (src flow.Source, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	_, _ = flow.Build("test", func(p *flow.Pipeline) { src, err = build(p, "read", o.withDefaults()) })
	return src, err
}

// dump is what was read: rows as text, and dead letters.
type dump struct {
	Rows    []string
	Letters []string
}

// read reads a partition from a position to its end, page by page.
func (d *dump) read(ctx context.Context, src flow.Source, a flow.Assignment) (positions [][]byte, err error) {
	r, err := src.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		page, err := r.Read(ctx)
		if err != nil {
			return positions, err
		}
		d.add(page)
		positions = append(positions, page.Next)
		if page.State == flow.End {
			return positions, nil
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
	src, err := openTable(o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dumpOf(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// dumpOf reads all partitions.
func dumpOf(ctx context.Context, src flow.Source) (d dump, err error) {
	parts, err := src.Partitions(ctx)
	if err != nil {
		return d, err
	}
	for _, p := range parts {
		if _, err := d.read(ctx, src, flow.Assignment{Partition: p}); err != nil {
			return d, err
		}
	}
	return d, nil
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
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "n", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "ts", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true},
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

// An event time is read from text, numbers and Julian days, whatever the type of its column; without one a row is rejected.
func TestEventTime(t *testing.T) {
	path := makeDB(t, "CREATE TABLE t(id integer, at)", "INSERT INTO t VALUES (1, '2024-01-02 03:04:05'), (2, 1704164645), (3, 2460311.5), (4, NULL), (5, 'soon')")
	for _, at := range []arrow.DataType{arrow.BinaryTypes.String, arrow.FixedWidthTypes.Timestamp_us} {
		schema := arrow.NewSchema([]arrow.Field{
			{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "at", Type: at, Nullable: true},
		}, nil)
		src, err := openTable(Options{URL: "sqlite:" + path, Table: "t", Schema: schema, EventTime: "at", Partitions: 1})
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
		var d dump
		d.add(page)
		column := map[bool]string{true: "column", false: "event time"}[at.ID() == arrow.TIMESTAMP]
		want := []string{
			`row 4: event time "at": it is null: {"id":4,"at":null}`,
			`row 5: ` + column + ` "at": TEXT "soon" is no time in ISO 8601 form: {"id":5,"at":"soon"}`,
		}
		if diff := cmp.Diff(want, d.Letters); diff != "" {
			t.Errorf("dead letters (-want +got)\n%s", diff)
		}
		if off := page.Rows.Hidden("@off").(*array.Int64).Int64Values(); !cmp.Equal(off, []int64{1, 2, 3}) {
			t.Errorf("positions %v", off)
		}
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
			src, err := openTable(Options{URL: "sqlite:" + path, Table: "t"})
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

func TestURLs(t *testing.T) {
	path := makeDB(t, table, few)
	t.Chdir(filepath.Dir(path))
	for _, u := range []string{"jdbc:sqlite:" + path, "sqlite:" + path, "sqlite://" + path, "jdbc:sqlite:test file.db", "sqlite:test file.db", "sqlite://test file.db"} {
		if got := dumpAll(t, Options{URL: u, Table: "t"}); len(got.Rows) != 2 {
			t.Errorf("%s: %+v", u, got)
		}
	}
	for _, u := range []string{"sqlite:test%20file.db", "sqlite:", "sqlite:" + path + "?mode=rw", path} {
		if _, err := openTable(Options{URL: u, Table: "t"}); err == nil {
			t.Errorf("%s is read", u)
		}
	}
}

func TestMistakes(t *testing.T) {
	path := makeDB(t, `CREATE TABLE "odd "" name"(id integer)`)
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "URL: want jdbc:<database>"},
		{Options{URL: "jdbc:oracle:thin:u/geheim@h"}, `database "oracle" is not supported; supported: postgres, postgresql, sqlite`},
		{Options{URL: "sqlite:" + path, Table: "t", Query: "q"}, "exclude each other"},
		{Options{URL: "sqlite:" + path, Table: "t"}, `no such table or view: "t"`},
		{Options{URL: "sqlite:/no/such.db", Table: "t"}, "no database file: /no/such.db does not exist"},
		{Options{URL: "sqlite:" + path, Table: `odd " name`, Columns: []string{"x"}}, `no column "x"`},
		{Options{URL: "sqlite:" + path, Table: `odd " name`, EventTime: "x"}, `EventTime: there is no column "x"`},
		{Options{URL: "sqlite:" + path, Query: "SELEC"}, "no such table: SELEC"},
	} {
		if _, err := openTable(c.o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	path := makeDB(t, "CREATE TABLE t(id integer primary key)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) INSERT INTO t SELECT i FROM n")
	src, err := openTable(Options{URL: "sqlite:" + path, Table: "t", Partitions: 1, BatchRows: 20000})
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
