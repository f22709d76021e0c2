package iotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
)

var errCrash = errors.New("crash")

// crashes are the commits before which each run of a job is ended; the run after the last one comes to its end.
var crashes = [][]int64{{1, 1, 2}, {3, 2, 5}, {4, 7, 6, 1}}

// runThrough runs a job to its end, through crashes, of which at least the first one has to come.
func runThrough(ctx context.Context, dir string, at []int64, build func(*flow.Pipeline)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for crashed := false; ; crashed = true {
		o := runners.Options{Pipeline: "conform", Name: "conform", Job: filepath.Join(dir, "job"), Workers: 2, UntilIdle: 100 * time.Millisecond}
		o.OnCommit = func(n int64) error {
			if len(at) > 0 && n >= at[0] {
				return errCrash
			}
			return nil
		}
		_, err := runners.Run(ctx, build, o)
		if err == nil && !crashed {
			return errors.New("the job came to its end without a crash")
		}
		if !errors.Is(err, errCrash) {
			return errors.Join(err, context.Cause(ctx))
		}
		at = at[1:]
	}
}

// checkSourceCrashes runs a job that keeps what the source reads.
func checkSourceCrashes(t testing.TB, _ Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	parts, err := all(t.Context(), src)
	if err != nil {
		return err
	}
	var want []string
	letters := 0
	for _, p := range parts {
		want = append(want, p.visible...)
		letters += len(p.letters)
	}
	slices.Sort(want)
	for _, at := range crashes {
		dir := t.TempDir()
		err := runThrough(t.Context(), dir, at, func(p *flow.Pipeline) {
			src, err := fx.New()
			if err != nil {
				p.Errorf("in", "%w", err)
				return
			}
			in := flow.Read(p, "in", src)
			flow.Write("rows", in.Rows, keeper{filepath.Join(dir, "rows")})
			flow.Write("letters", in.Rejected, keeper{filepath.Join(dir, "letters")})
		})
		if err != nil {
			return fmt.Errorf("crashes %v: %w", at, err)
		}
		got, err := kept(filepath.Join(dir, "rows"), ".arrow", decodeKept)
		if err != nil {
			return err
		}
		for i := range got {
			got[i] = got[i][len("./ "):] // all in the root
		}
		dead, err := kept(filepath.Join(dir, "letters"), ".arrow", decodeKept)
		if err != nil {
			return err
		}
		if diff := gocmp.Diff(want, got); diff != "" || len(dead) != letters {
			return fmt.Errorf("crashes %v: %d dead letters, want %d; rows: %s", at, len(dead), letters, diff)
		}
	}
	return nil
}

// kept gives the rows of all files below a folder, each behind its folder, sorted.
func kept(root, extension string, decode func([]byte) ([]arrow.RecordBatch, error)) ([]string, error) {
	var out []string
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != extension {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		recs, err := decode(data)
		if err != nil {
			return fmt.Errorf("decode %s: %w", name, err)
		}
		for _, rec := range recs {
			for _, row := range texts(rec) {
				out = append(out, path.Dir(name)+"/ "+row)
			}
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// keeper is a sink that keeps rows as Arrow IPC streams.
type keeper struct{ dir string }

// Spec describes it.
func (k keeper) Spec() flow.SinkSpec {
	return flow.SinkSpec{Connector: "keeper", URL: k.dir, Extension: ".arrow", Roll: flow.Roll{Age: 10 * time.Millisecond}, Guarantee: "each row once"}
}

// Check takes everything.
func (k keeper) Check(*arrow.Schema) error { return nil }

// Route takes every row to the root.
func (k keeper) Route(*batch.Batch) (flow.Routing, error) {
	return flow.Routing{Dests: []string{""}}, nil
}

// Encode writes one stream.
func (k keeper) Encode(w io.Writer, schema *arrow.Schema, in iter.Seq2[*batch.Batch, error]) error {
	out := ipc.NewWriter(w, ipc.WithSchema(schema))
	for b, err := range in {
		if err != nil {
			return err
		}
		if err := out.Write(b.Visible()); err != nil {
			return err
		}
	}
	return out.Close()
}

func decodeKept(data []byte) ([]arrow.RecordBatch, error) {
	r, err := ipc.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	var out []arrow.RecordBatch
	for r.Next() {
		rec := r.RecordBatch()
		rec.Retain()
		out = append(out, rec)
	}
	return out, r.Err()
}
