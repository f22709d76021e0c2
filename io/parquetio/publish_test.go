package parquetio_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/flowtest"
	"github.com/millrace-io/millrace/io/jdbcio"
	"github.com/millrace-io/millrace/io/parquetio"
	"github.com/millrace-io/millrace/runners"
)

// rowsOfFiles gives the number of rows of every file that a listing of a folder shows, sorted.
func rowsOfFiles(t testing.TB, root string) []int64 {
	t.Helper()
	out := []int64{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".parquet" {
			return err
		}
		r, err := file.OpenParquetFile(name, false)
		if err != nil {
			return err
		}
		out = append(out, r.NumRows())
		return r.Close()
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// BR-035: rows of several partitions of a source, in several commits and several runs of the same minute, lie in files of their
// own: the rows of the files are those that the runs say they have written.
func TestNoFileIsOverwritten(t *testing.T) {
	const rows = 100_000
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "t.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(fmt.Sprintf("CREATE TABLE t(id integer primary key); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO t SELECT i FROM n", rows))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	files := int64(0)
	for run := int64(1); run <= 2; run++ {
		res, err := runners.Run(context.Background(), func(p *flow.Pipeline) {
			in := jdbcio.Read(p, "in", jdbcio.Options{URL: "sqlite:" + filepath.Join(dir, "t.db"), Table: "t", Partitions: 2})
			parquetio.Write("out", in.Rows, parquetio.Options{URL: filepath.Join(dir, "lake"), Roll: flow.Roll{Rows: 40_000}, FileBytes: 100_000})
		}, runners.Options{Name: fmt.Sprint("run-", run), InMemory: true, Workers: 2, Append: true})
		if err != nil {
			t.Fatal(err)
		}
		got, sum := rowsOfFiles(t, filepath.Join(dir, "lake")), int64(0)
		for _, n := range got {
			sum += n
		}
		said := res.Sinks[0]
		files += said.Files
		if sum != run*rows || said.Written != rows || said.Commits < 2 || int64(len(got)) != files {
			t.Errorf("run %d: %d files with %d rows; it says %+v", run, len(got), sum, said)
		}
	}
}

type fare struct {
	ID int64
	At time.Time
}

// BR-040: rows are published by their age, though no further record comes, and once, though the job is started anew before.
func TestAgePublishesWithoutAnotherRecord(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	var ten []fare
	for i := range int64(10) {
		ten = append(ten, fare{i, at})
	}
	for _, workers := range []int{1, 4} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("workers=%d,restart=%v", workers, restart), func(t *testing.T) {
				script := flowtest.NewScript(flowtest.Options[fare]{Time: func(f fare) time.Time { return f.At }, IdleAfter: -1})
				script.Partition("a").Rows("a", ten...)
				if restart {
					script.Restart()
				}
				script.Clock(6*time.Second).Rows("a", fare{10, at}) // by now the ten are in a file of their own
				lake := filepath.Join(t.TempDir(), "lake")
				flowtest.Run(t, flowtest.Case{
					Workers: []int{workers},
					Build: func(p *flow.Pipeline) {
						parquetio.Write("out", flowtest.Read(p, "in", script).Rows, parquetio.Options{URL: lake, Roll: flow.Roll{Age: 5 * time.Second}})
					},
					Check: func(t testing.TB, _ runners.Result) {
						if diff := cmp.Diff([]int64{1, 10}, rowsOfFiles(t, lake)); diff != "" {
							t.Errorf("rows per file (-want +got)\n%s", diff)
						}
					},
				})
			})
		}
	}
}
