package jdbcio

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/iotest"
)

func TestConformance(t *testing.T) {
	stmts := []string{
		"CREATE TABLE t(id integer primary key, n integer, at datetime)",
		"WITH RECURSIVE c(i) AS (SELECT -20 UNION ALL SELECT i+1 FROM c WHERE i < 39) INSERT INTO t SELECT i * i * i, CASE WHEN i % 6 = 0 THEN 'n/a' ELSE i END, 1704164645 + i FROM c",
		"CREATE TABLE w(id integer primary key, n integer, at datetime) WITHOUT ROWID", "INSERT INTO w SELECT * FROM t",
	}
	for name, o := range map[string]Options{
		"table": {Table: "t"}, "without rowid": {Table: "w"},
		"query": {Query: "SELECT id, n, at FROM t ORDER BY n, id"}, "write-ahead log": {Table: "t"},
	} {
		t.Run(name, func(t *testing.T) {
			iotest.Source(t, iotest.JDBC(), func(t *testing.T) iotest.SourceFixture {
				path := makeDB(t, stmts...)
				if name == "write-ahead log" {
					keep(t, path, "PRAGMA journal_mode=WAL", "UPDATE t SET n = n")
				}
				o := o
				o.URL, o.EventTime, o.BatchRows = "sqlite:"+path, "at", 7
				return iotest.SourceFixture{
					New: func() (flow.Source, error) { return openTable(o) }, Rows: 50, Rejected: 10,
					Recreate: func() error {
						other := makeDB(t, stmts...)
						for _, beside := range []string{"-wal", "-shm"} {
							if err := os.Remove(path + beside); err != nil && !errors.Is(err, os.ErrNotExist) {
								return err
							}
						}
						return os.Rename(other, path)
					},
				}
			})
		})
	}
}

// A position of a partition that is read in the order of a query does not outlive the version that plans it.
func TestOrderBelongsToAVersion(t *testing.T) {
	path := makeDB(t, table, few)
	src, err := openTable(Options{URL: "sqlite:" + path, Query: "SELECT v FROM t"})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data := string(parts[0].Data)
	old := strings.Replace(data, "SQLite 3.", "SQLite 2.", 1)
	_, err = src.Open(t.Context(), flow.Assignment{Partition: flow.Partition{ID: "query/0", Data: []byte(old)}})
	if old == data || !errors.Is(err, flow.ErrIdentity) {
		t.Errorf("Open after another version = %v, want ErrIdentity; partition %s", err, data)
	}
}
