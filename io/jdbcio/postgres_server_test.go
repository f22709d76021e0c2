package jdbcio

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/iotest"
)

// The tests of this file need a PostgreSQL: MILLRACE_POSTGRES=postgres://user:password@host/db go test ./io/jdbcio

// server makes a database of its own for a test, runs statements in it, and gives its URL.
func server(t *testing.T, stmts ...string) string {
	t.Helper()
	base := os.Getenv("MILLRACE_POSTGRES")
	if base == "" {
		t.Skip("MILLRACE_POSTGRES=postgres://user:password@host/db is not set")
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal("MILLRACE_POSTGRES is no URL")
	}
	u.Path = "/" + strings.ToLower(strings.NewReplacer("/", "_", " ", "_", "#", "_").Replace(t.Name()))
	name := quote(u.Path[1:])
	t.Cleanup(func() { execute(t, base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	execute(t, base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)", "CREATE DATABASE "+name)
	execute(t, u.String(), stmts...)
	return u.String()
}

func execute(t *testing.T, to string, stmts ...string) {
	t.Helper()
	conn, err := pgconn.Connect(context.WithoutCancel(t.Context()), to)
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(conn)
	for _, s := range stmts {
		if _, err := conn.Exec(context.WithoutCancel(t.Context()), s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// leave ends the connection that holds the snapshot.
func leave(t *testing.T, src flow.Source) {
	t.Cleanup(func() {
		if s := src.(*postgresSource); s.held != nil {
			_ = hangUp(s.held)
		}
	})
}

// dumpTable reads all partitions.
func dumpTable(t *testing.T, o Options) dump {
	t.Helper()
	src, err := openTable(o)
	if err != nil {
		t.Fatal(err)
	}
	leave(t, src)
	d, err := dumpOf(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sameRows(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPostgresConformance(t *testing.T) {
	table := []string{
		"CREATE TABLE t(id int PRIMARY KEY, d date, at timestamptz, v text)",
		"INSERT INTO t SELECT i, CASE WHEN i % 6 = 0 THEN 'infinity' ELSE '2024-01-01'::date + i END, to_timestamp(1704164645 + i), repeat('x', 900) FROM generate_series(0, 59) i",
	}
	for name, o := range map[string]Options{"table": {Table: "t"}, "query": {Query: "SELECT id, d, at FROM t ORDER BY id"}} {
		t.Run(name, func(t *testing.T) {
			iotest.Source(t, iotest.JDBC(), func(t *testing.T) iotest.SourceFixture {
				to := server(t, table...)
				o := o
				o.URL, o.EventTime, o.BatchRows = to, "at", 7
				src, err := openTable(o) // the snapshot lives as long as the process
				if err != nil {
					t.Fatal(err)
				}
				leave(t, src)
				return iotest.SourceFixture{
					New: func() (flow.Source, error) { return src, nil }, Rows: 50, Rejected: 10,
					Recreate: func() error {
						execute(t, to, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", "DROP TABLE t", table[0], table[1])
						return nil
					},
				}
			})
		})
	}
}

// BR-001, BR-002
func TestPostgresNumeric(t *testing.T) {
	to := server(t, "CREATE TABLE n(id int primary key, v numeric)",
		"INSERT INTO n VALUES (1,7),(2,3.125),(3,0.000000000000000001),(4,-12345678901234567890.5)",
		"CREATE TABLE t(a numeric, b numeric(4,0), c numeric(38,37), d numeric(5,2))",
		"INSERT INTO t VALUES (0.12345678901234567890123456789012345678, 1987, 1.2345678901234567890123456789012345678, -0.05), (1, 2, 3, 'NaN')")
	got := dumpTable(t, Options{URL: to, Table: "n", BatchRows: 1})
	sameRows(t, got.Rows, []string{"1 | 7", "2 | 3.125", "3 | 0.000000000000000001", "4 | -12345678901234567890.5"})
	got = dumpTable(t, Options{URL: to, Table: "t"})
	sameRows(t, got.Rows, []string{"0.12345678901234567890123456789012345678 | 1987 | 1.2345678901234567890123456789012345678 | -0.05"})
	sameRows(t, got.Letters, []string{`row 1: column "d": TEXT "NaN" is no decimal(5, 2): {"a":"1","b":"2","c":"3.0000000000000000000000000000000000000","d":"NaN"}`})
	schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: &arrow.Decimal128Type{Precision: 10, Scale: 3}}}, nil)
	got = dumpTable(t, Options{URL: to, Table: "n", Columns: []string{"v"}, Schema: schema})
	if len(got.Rows) != 2 || len(got.Letters) != 2 {
		t.Errorf("as decimal(10, 3): %v", got)
	}
}

// BR-004, BR-005
func TestPostgresTimes(t *testing.T) {
	to := server(t, "CREATE TABLE t(id int, ts timestamptz, d date)",
		"INSERT INTO t VALUES (1,'infinity','2024-01-01'),(2,'2024-01-01','-infinity'),(3,'2024-02-29 23:59:59.999999+05:30','2024-02-29')",
		"CREATE TABLE b(id int, d int)", "CREATE TABLE e(d date, n int)", "INSERT INTO e VALUES ('0044-03-15 BC', 1),('0044-03-15', 2),('4713-01-01 BC', 3)")
	got := dumpTable(t, Options{URL: to, Table: "t"})
	sameRows(t, got.Rows, []string{"3 | 2024-02-29T18:29:59.999999Z | 2024-02-29"})
	sameRows(t, got.Letters, []string{
		`row 0: column "ts": infinity is no timestamp: {"id":1,"ts":"infinity","d":"2024-01-01"}`,
		`row 1: column "d": -infinity is no date: {"id":2,"ts":"2024-01-01 00:00:00","d":"-infinity"}`,
	})
	sameRows(t, dumpTable(t, Options{URL: to, Table: "e"}).Rows, []string{"-0043-03-15 | 1", "0044-03-15 | 2", "-4712-01-01 | 3"})
	sameRows(t, dumpTable(t, Options{URL: to, Table: "b"}).Rows, nil)
}

// BR-007, BR-008, and one column of every type
func TestPostgresTypes(t *testing.T) {
	to := server(t, "CREATE SCHEMA s2", `CREATE TYPE s2."Mood" AS enum('ok','a,b','NULL')`, "CREATE DOMAIN s2.pos AS int CHECK (value > 0)",
		`CREATE TABLE s2.t(id int NOT NULL, m s2."Mood", ms s2."Mood"[], p s2.pos)`, `INSERT INTO s2.t VALUES (1,'a,b','{ok,"a,b","NULL"}',7)`,
		"CREATE TABLE m(m money)", "INSERT INTO m VALUES ('-92233720368547758.08'),('92233720368547758.07'),('1234567.89'),('-0.01'),(NULL)",
		`CREATE TABLE "All"(b bool, i2 int2, i8 int8, f4 float4, f8 float8, t text, vc varchar(9), c char(3), n name, by bytea, ts timestamp,
			ti time, u uuid, j json, jb jsonb, o oid, iv interval, ip inet, r int4range, x bit(3), a int[], n76 numeric(40,2))`,
		`INSERT INTO "All" VALUES (true, -2, -8, 0.1, 0.1, 'ä', 'v', 'c', 'n', '\x00ff', '1969-12-31 23:59:59.5', '12:34:56.789', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
			'{"a" : 1}', '{"a" : 1}', 4294967295, '1 year 2 days', '10.0.0.1/8', '[1,5)', B'101', '{1,NULL}', 1.5)`)
	src, err := openTable(Options{URL: to, Table: `"s2".t`})
	if err != nil {
		t.Fatal(err)
	}
	if f := src.Spec().Schema.Fields(); f[0].Nullable || !f[1].Nullable || f[3].Type.ID() != arrow.INT32 {
		t.Errorf("schema %v", src.Spec().Schema)
	}
	sameRows(t, dumpTable(t, Options{URL: to, Table: `"s2".t`}).Rows, []string{`1 | a,b | {ok,"a,b","NULL"} | 7`})
	sameRows(t, dumpTable(t, Options{URL: to, Table: "m"}).Rows, []string{"-92233720368547758.08", "92233720368547758.07", "1234567.89", "-0.01", "(null)"})
	sameRows(t, dumpTable(t, Options{URL: to, Table: "All"}).Rows, []string{"true | -2 | -8 | 0.1 | 0.1 | ä | v | c   | n | AP8= | 1969-12-31T23:59:59.5 | 12:34:56.789000 | " +
		`a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 | {"a" : 1} | {"a": 1} | 4294967295 | 1 year 2 days | 10.0.0.1/8 | [1,5) | 101 | {1,NULL} | 1.50`})
	for want, o := range map[error]Options{ErrNoTable: {Table: "nope"}, errNoColumn: {Table: "m", Columns: []string{"x"}}} {
		o.URL = to
		if _, err := openTable(o); !errors.Is(err, want) {
			t.Errorf("%+v: %v, want %v", o, err, want)
		}
	}
}

// BR-022
func TestPostgresPartitionedTables(t *testing.T) {
	to := server(t, "CREATE TABLE p(id int, d date) PARTITION BY RANGE(d)",
		"CREATE TABLE p_2023 PARTITION OF p FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')", "CREATE TABLE p_2024 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
		"INSERT INTO p VALUES (1, '2023-05-05'), (2, '2024-05-05')", "CREATE TABLE q(a int)", "CREATE TABLE r() INHERITS (q)", "INSERT INTO q VALUES (1)", "INSERT INTO r VALUES (2)",
		"CREATE VIEW w AS SELECT a FROM q", "CREATE MATERIALIZED VIEW mw AS SELECT a FROM q")
	sameRows(t, dumpTable(t, Options{URL: to, Table: "p"}).Rows, []string{"1 | 2023-05-05", "2 | 2024-05-05"})
	for _, name := range []string{"q", "w", "mw"} {
		sameRows(t, dumpTable(t, Options{URL: to, Table: name}).Rows, []string{"1", "2"})
	}
}

// BR-023: rows without a key, a snapshot that writers do not touch, and a restart in it.
func TestPostgresSnapshot(t *testing.T) {
	to := server(t, "CREATE TABLE t(a int, b text)", "INSERT INTO t VALUES (1,'x'),(1,'x'),(NULL,NULL),(NULL,NULL),(2,'y')",
		"CREATE TABLE big(a int, b text)", "INSERT INTO big SELECT i, repeat('z', 500) FROM generate_series(1, 5000) i")
	sameRows(t, dumpTable(t, Options{URL: to, Table: "t", BatchRows: 1}).Rows, []string{"1 | x", "1 | x", "(null) | (null)", "(null) | (null)", "2 | y"})
	src, err := openTable(Options{URL: to, Table: "big", Columns: []string{"a"}, BatchRows: 100})
	if err != nil {
		t.Fatal(err)
	}
	leave(t, src)
	parts, err := src.Partitions(t.Context())
	if err != nil || len(parts) != 4 {
		t.Fatalf("%d partitions, %v", len(parts), err)
	}
	execute(t, to, "UPDATE big SET a = -a", "INSERT INTO big SELECT 0 FROM generate_series(1, 9)", "VACUUM big")
	var all dump
	var done [][]byte
	for _, p := range parts {
		before := len(all.Rows)
		positions, err := all.read(t.Context(), src, flow.Assignment{Partition: p})
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, positions[len(positions)-1])
		var rest dump
		if _, err := rest.read(t.Context(), src, flow.Assignment{Partition: p, Position: positions[2]}); err != nil {
			t.Fatal(err)
		}
		sameRows(t, rest.Rows, all.Rows[before+3*100:])
	}
	want := make([]string, 5000)
	for i := range want {
		want[i] = fmt.Sprint(i + 1)
	}
	sameRows(t, all.Rows, want)
	goneSnapshot(t, src, parts, done)
}

// goneSnapshot ends the snapshot: what is done opens to its end, the rest is refused.
func goneSnapshot(t *testing.T, src flow.Source, parts []flow.Partition, done [][]byte) {
	t.Helper()
	if err := hangUp(src.(*postgresSource).held); err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		var d dump
		if _, err := d.read(t.Context(), src, flow.Assignment{Partition: p, Position: done[i]}); err != nil || len(d.Rows) > 0 {
			t.Errorf("a partition that is done: %v, %d rows", err, len(d.Rows))
		}
	}
	if _, err := src.Open(t.Context(), flow.Assignment{Partition: parts[0]}); !errors.Is(err, flow.ErrIdentity) || !strings.Contains(err.Error(), "nothing is lost") {
		t.Errorf("a snapshot that is gone: %v, want ErrIdentity", err)
	}
	again, err := src.Partitions(t.Context())
	if err != nil || slices.EqualFunc(parts, again, func(a, b flow.Partition) bool { return string(a.Data) == string(b.Data) }) {
		t.Errorf("the partitions of a snapshot that is gone are given again: %v", err)
	}
}

// A reader that is closed in the middle leaves nothing behind.
func TestPostgresCloseEarly(t *testing.T) {
	to := server(t, "CREATE TABLE t(a text)", "INSERT INTO t SELECT repeat(i::text, 1000) FROM generate_series(1, 5000) i")
	src, err := openTable(Options{URL: to, Table: "t", BatchRows: 3})
	if err != nil {
		t.Fatal(err)
	}
	leave(t, src)
	parts, err := src.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(t.Context(), flow.Assignment{Partition: parts[0]})
	if err != nil {
		t.Fatal(err)
	}
	if page, err := r.Read(t.Context()); err != nil || page.Records != 3 {
		t.Errorf("%d records, %v", page.Records, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
