package jdbcio

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow"
)

// opened lists the partitions of a table and then calls change; the error is that of opening the first partition.
func opened(t *testing.T, path string, change func()) error {
	t.Helper()
	src, err := openTable(Options{URL: "sqlite:" + path, Table: "t", Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	change()
	r, err := src.Open(t.Context(), flow.Assignment{Partition: parts[0]})
	if err == nil {
		err = r.Close()
	}
	return err
}

const (
	table = "CREATE TABLE t(id integer primary key, v text)"
	few   = "INSERT INTO t VALUES (-1, 'a'), (2, 'b')"
	many  = "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i+1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, 'xxxxxxxxxxxxxxxxxxxxxxxx' FROM n"
)

// Guarantee 11: whatever changes a row changes the state, also what the size and the counter of the file do not show.
func TestEveryChangeIsSeen(t *testing.T) {
	wal := []string{"PRAGMA journal_mode=WAL", table, few}
	for name, c := range map[string]struct {
		before []string // in one connection that closes
		kept   []string // in a connection that stays, before the partitions are listed
		change []string // in that connection, or in one that closes
	}{
		"rollback journal":             {before: []string{table, few}, change: []string{"UPDATE t SET v='c' WHERE id=2"}},
		"vacuum":                       {before: []string{table, few}, change: []string{"VACUUM"}},
		"log, one more frame":          {before: wal, kept: []string{"DELETE FROM t WHERE id=2"}, change: []string{"UPDATE t SET v='c'"}},
		"log, begun anew":              {before: wal, kept: []string{many, "PRAGMA wal_checkpoint(PASSIVE)"}, change: []string{"UPDATE t SET v='c' WHERE id=2"}},
		"log, overwritten in its size": {before: wal, kept: []string{many, "PRAGMA wal_checkpoint(PASSIVE)", "UPDATE t SET v='c' WHERE id=2"}, change: []string{"UPDATE t SET v='d' WHERE id=2"}},
		"log, written and gone":        {before: wal, change: []string{"UPDATE t SET v='c' WHERE id=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := makeDB(t, c.before...)
			change := func() { write(t, path, c.change...) }
			if c.kept != nil {
				db := keep(t, path, c.kept...)
				change = func() { run(t, db, c.change...) }
			}
			if err := opened(t, path, change); !errors.Is(err, flow.ErrIdentity) {
				t.Errorf("Open = %v, want ErrIdentity", err)
			}
		})
	}
}

// keep opens a connection that stays.
func keep(t *testing.T, path string, stmts ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	run(t, db, stmts...)
	return db
}

// A file that was put in the place of another is seen, even if size, counter and time are the same; a log is found beside the
// file that a link leads to.
func TestAnotherFileIsSeen(t *testing.T) {
	path, other := makeDB(t, table, few), makeDB(t, table, "INSERT INTO t VALUES (-1, 'a'), (2, 'c')")
	err := opened(t, path, func() {
		st, err := os.Stat(path)
		if err == nil {
			err = errors.Join(os.Chtimes(other, time.Time{}, st.ModTime()), os.Rename(other, path))
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if !errors.Is(err, flow.ErrIdentity) {
		t.Errorf("Open of another file = %v, want ErrIdentity", err)
	}
	path = makeDB(t, table, few)
	err = opened(t, path, func() {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, "UPDATE t SET v='c' WHERE id=2")
		if err := os.Chtimes(path, time.Time{}, st.ModTime()); err != nil {
			t.Fatal(err)
		}
	})
	if !errors.Is(err, flow.ErrIdentity) {
		t.Errorf("Open of a file with its old time = %v, want ErrIdentity", err)
	}
	path = makeDB(t, "PRAGMA journal_mode=WAL", table, few)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	db := keep(t, path, "DELETE FROM t WHERE id=2")
	if err := opened(t, link, func() { run(t, db, "UPDATE t SET v='c'") }); !errors.Is(err, flow.ErrIdentity) {
		t.Errorf("Open of a link = %v, want ErrIdentity", err)
	}
}

// What changes no row does not stop a dump: other readers, and transactions that are taken back, even if they have reached the
// log already.
func TestSameRowsGoOn(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		path := makeDB(t, "PRAGMA journal_mode="+mode, table, few)
		db := keep(t, path, "INSERT INTO t VALUES (5, 'e')")
		err := opened(t, path, func() {
			dumpAll(t, Options{URL: "sqlite:" + path, Table: "t"})
			run(t, db, "PRAGMA cache_size=10", "BEGIN", "UPDATE t SET v='c'", "ROLLBACK")
			if mode == "WAL" {
				run(t, db, "BEGIN", many, "ROLLBACK")
			}
		})
		if err != nil {
			t.Errorf("%s: Open = %v", mode, err)
		}
	}
}

// The snapshot of a file with a rollback journal is its lock: another process cannot write while a partition is open. With
// a log it can, and the partition goes on to read what was there.
func TestSnapshot(t *testing.T) {
	for mode, refused := range map[string]string{"DELETE": "database is locked (5) (SQLITE_BUSY)", "WAL": ""} {
		path := makeDB(t, "PRAGMA journal_mode="+mode, table, few)
		src, err := openTable(Options{URL: "sqlite:" + path, Table: "t", Partitions: 1, BatchRows: 1})
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
		var got dump
		for range 2 {
			page, err := r.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got.add(page)
			if out := elsewhere(t, path, "UPDATE t SET v = 'late'"); out != refused {
				t.Errorf("%s: a write during the snapshot: %q, want %q", mode, out, refused)
			}
		}
		if diff := cmp.Diff([]string{"-1 | a", "2 | b"}, got.Rows); diff != "" {
			t.Errorf("%s (-want +got)\n%s", mode, diff)
		}
	}
}

// A write that was cut off is never read: neither its rows nor the state before it, until a program has taken it back.
func TestUnfinishedWrite(t *testing.T) {
	path := makeDB(t, table, few)
	if out := elsewhere(t, path, "PRAGMA cache_size=10", "BEGIN IMMEDIATE", "UPDATE t SET v='torn'", many); out != "" {
		t.Fatal(out)
	}
	if _, err := openTable(Options{URL: "sqlite:" + path, Table: "t"}); !errors.Is(err, ErrUnfinished) {
		t.Errorf("a journal that is to be rolled back: %v, want ErrUnfinished", err)
	}
	write(t, path, "SELECT count(*) FROM t")
	if diff := cmp.Diff([]string{"-1 | a", "2 | b"}, dumpAll(t, Options{URL: "sqlite:" + path, Table: "t"}).Rows); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBusy(t *testing.T) {
	path := makeDB(t, table, few)
	db := keep(t, path, "BEGIN EXCLUSIVE")
	o := Options{URL: "sqlite:" + path, Table: "t", Timeout: 10 * time.Millisecond}
	if _, err := openTable(o); !errors.Is(err, ErrBusy) {
		t.Errorf("a locked database: %v, want ErrBusy", err)
	}
	run(t, db, "ROLLBACK")
	src, err := openTable(o)
	if err != nil {
		t.Fatal(err)
	}
	run(t, db, "BEGIN EXCLUSIVE")
	if _, err := src.Partitions(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("a database locked while it runs: %v, want ErrBusy", err)
	}
	run(t, db, "ROLLBACK")
	o.Timeout = 0
	if got := dumpAll(t, o); len(got.Rows) != 2 {
		t.Errorf("behind the lock: %+v", got)
	}
}

// A write-ahead log needs an index beside it. Where there is one, a folder that may not be written is read, the rows of the
// log included; where there is none, the error says so.
func TestReadOnlyFolder(t *testing.T) {
	path := makeDB(t, "PRAGMA journal_mode=WAL", table, few)
	if out := elsewhere(t, path, "INSERT INTO t VALUES (5, 'in the log')"); out != "" {
		t.Fatal(out)
	}
	dir := filepath.Dir(path)
	err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o555))
	t.Cleanup(func() { os.Chmod(dir, 0o755) })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := unprivileged(t, path), "-1 | a\n2 | b\n5 | in the log"; got != want {
		t.Errorf("with an index: %q, want %q", got, want)
	}
	if err := os.Remove(path + "-shm"); err != nil {
		t.Skip(err) // only root may
	}
	if got := unprivileged(t, path); !strings.Contains(got, "its folder may be written") {
		t.Errorf("without an index: %q", got)
	}
}

// unprivileged reads the table t in a process that has no more rights than the file's mode gives to others.
func unprivileged(t *testing.T, path string) string {
	t.Helper()
	c := child(t, path, readTable)
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return output(t, c)
}

func TestNoDatabase(t *testing.T) {
	whole := makeDB(t, table, many)
	if err := os.Truncate(whole, 100_000); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is a text. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{whole, text} {
		if _, err := openTable(Options{URL: "sqlite:" + path, Table: "t"}); err == nil || !strings.Contains(err.Error(), "damaged or no database") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
