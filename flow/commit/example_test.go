package commit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/flow/object"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place gives a sink's staging place and destination in a new directory.
func place() (staging, dest object.Store, remove func()) {
	dir, err := os.MkdirTemp("", "lake")
	check(err)
	staging, err = object.Open(filepath.Join(dir, ".millrace", "demo"))
	check(err)
	dest, err = object.Open(filepath.Join(dir, "trips"))
	check(err)
	return staging, dest, func() { check(os.RemoveAll(dir)) }
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// stage writes a piece with one row for one destination.
func stage(ctx context.Context, staging object.Store, dest, row string) commit.Staged {
	piece := "pieces/" + commit.NewID()
	check(staging.Put(ctx, piece, func(w io.Writer) error { _, err := io.WriteString(w, row); return err }))
	return commit.Staged{Piece: piece, NumRanges: 1, Manifests: []commit.Manifest{{
		Piece: piece, Dest: dest, Len: int64(len(row)), Counts: commit.Counts{Rows: 1, Weight: 1}, Sum: commit.Sum([]byte(row)),
	}}}
}

// copyRows is the simplest encoding: the staged bytes.
func copyRows(staging object.Store) commit.Encode {
	return func(ctx context.Context, w io.Writer, f commit.File) error {
		for _, g := range f.Ranges {
			data, err := commit.ReadRange(ctx, staging, g)
			if err != nil {
				return err
			}
			if _, err := w.Write(data); err != nil {
				return err
			}
		}
		return nil
	}
}

// The way of two rows from staging to a visible file, and what a second try and a copy of the job's state meet.
func Example() {
	ctx := context.Background()
	staging, dest, remove := place()
	defer remove()
	ledger := commit.NewLedger(commit.LedgerOptions{Job: "demo", Sink: "trips", Staging: staging, Dest: dest})
	incarnation := commit.NewID()
	at, err := ledger.Attach(ctx, commit.AttachOptions{Incarnation: incarnation})
	check(err)

	o := commit.RollOptions{Job: "demo", Sink: "trips", Incarnation: incarnation, First: at.First, Extension: ".txt"}
	roll := commit.NewRoll(o)
	older := roll.Encode()
	check(roll.Add(stage(ctx, staging, "day=1", "first\n"), 0))
	check(roll.Add(stage(ctx, staging, "day=1", "second\n"), 5))
	c, _ := roll.Cut(roll.Dests(), commit.CutOptions{NewID: commit.NewID})

	for range 2 {
		outcome, err := ledger.Publish(ctx, c, copyRows(staging))
		check(err)
		fmt.Println("publish:", outcome)
	}
	text, err := dest.Get(ctx, c.Files[0].Name)
	check(err)
	fmt.Printf("%s", text)

	copied, err := commit.DecodeRoll(older, o)
	check(err)
	check(copied.Add(stage(ctx, staging, "day=1", "first\n"), 0))
	c, _ = copied.Cut(copied.Dests(), commit.CutOptions{NewID: commit.NewID})
	_, err = ledger.Publish(ctx, c, copyRows(staging))
	conflict, _ := errors.AsType[*commit.ConflictError](err)
	fmt.Println("a copy:", conflict.History, "at number", conflict.Seq)
	// Output:
	// publish: new
	// publish: done
	// first
	// second
	// a copy: older state at number 2
}

func ExampleRoll_Due() {
	roll := commit.NewRoll(commit.RollOptions{
		Job: "demo", Sink: "trips", Incarnation: commit.NewID(), First: 1, Rows: 2,
		AgeOf: func(dest string) time.Duration {
			if dest == "urgent" {
				return time.Second
			}
			return time.Minute
		},
	})
	add := func(piece, dest string, now int64) {
		check(roll.Add(commit.Staged{Piece: piece, NumRanges: 1, Manifests: []commit.Manifest{
			{Piece: piece, Dest: dest, Len: 10, Counts: commit.Counts{Rows: 1, Weight: 1}},
		}}, now))
	}
	add("p1", "urgent", 0)
	add("p2", "day=1", 100)
	fmt.Println(roll.Due(500))
	fmt.Println(roll.NextDeadline())
	add("p3", "day=1", 600)
	fmt.Println(roll.Due(1000))
	// Output:
	// []
	// 1000 true
	// [day=1 urgent]
}

func ExampleLedger_Reset() {
	ctx := context.Background()
	staging, dest, remove := place()
	defer remove()
	ledger := commit.NewLedger(commit.LedgerOptions{Job: "demo", Sink: "trips", Staging: staging, Dest: dest})
	_, err := ledger.Attach(ctx, commit.AttachOptions{Incarnation: commit.NewID()})
	check(err)

	lost := commit.NewID() // the job's directory is gone, and the new one has drawn another incarnation
	_, err = ledger.Attach(ctx, commit.AttachOptions{Incarnation: lost})
	refused, _ := errors.AsType[*commit.AttachError](err)
	fmt.Println("refused:", refused.Reason == commit.StateLost)

	_, err = ledger.Reset(ctx, commit.ResetOptions{Incarnation: lost})
	check(err)
	at, err := ledger.Attach(ctx, commit.AttachOptions{Incarnation: lost})
	check(err)
	fmt.Println("goes on behind number", at.First)
	// Output:
	// refused: true
	// goes on behind number 2
}

func ExampleLedger_Resolve() {
	ctx := context.Background()
	staging, dest, remove := place()
	defer remove()
	ledger := commit.NewLedger(commit.LedgerOptions{Job: "demo", Sink: "trips", Staging: staging, Dest: dest})
	incarnation := commit.NewID()
	at, err := ledger.Attach(ctx, commit.AttachOptions{Incarnation: incarnation})
	check(err)
	roll := commit.NewRoll(commit.RollOptions{Job: "demo", Sink: "trips", Incarnation: incarnation, First: at.First, Extension: ".txt"})
	check(roll.Add(stage(ctx, staging, "day=1", "row\n"), 0))
	c, _ := roll.Cut(roll.Dests(), commit.CutOptions{NewID: commit.NewID})
	_, err = ledger.Claim(ctx, c)
	check(err)

	status, err := ledger.State(ctx)
	check(err)
	for _, open := range status.Open {
		fmt.Println("open:", open.Seq)
		check(ledger.Resolve(ctx, open.Seq, commit.PublishClaim, copyRows(staging)))
	}
	status, err = ledger.State(ctx)
	check(err)
	fmt.Println("through:", status.Through, "rows:", status.Totals.Visible.Rows)
	// Output:
	// open: 2
	// through: 2 rows: 1
}
