package jdbcio

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childEnv holds the statements that a child process runs on the file of its only argument, or readTable.
const (
	childEnv  = "JDBCIO_TEST_STATEMENTS"
	readTable = "read table t"
)

func TestMain(m *testing.M) {
	if stmts, ok := os.LookupEnv(childEnv); ok {
		if err := childMain(os.Args[1], strings.Split(stmts, ";")); err != nil {
			fmt.Println(err)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func childMain(path string, stmts []string) error {
	if stmts[0] == readTable {
		src, err := openTable(Options{URL: "sqlite:" + path, Table: "t", Partitions: 1, Timeout: time.Second})
		if err != nil {
			return err
		}
		d, err := dumpOf(context.Background(), src)
		fmt.Print(strings.Join(d.Rows, "\n"))
		return err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	for _, s := range stmts {
		if _, err := db.Exec(s); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere runs statements in another process, which then ends without closing the file, as by kill -9: locks between
// processes and what a crash leaves do not show within one. It gives the error that the process printed, "" if none.
func elsewhere(t *testing.T, path string, stmts ...string) string {
	t.Helper()
	return output(t, child(t, path, stmts...))
}

func child(t *testing.T, path string, stmts ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), "/proc/self/exe", path)
	c.Env = append(os.Environ(), childEnv+"="+strings.Join(stmts, ";"))
	return c
}

func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
