package commit

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow/object"
)

// bench is a sink in a temporary directory.
type bench struct {
	t       *testing.T
	staging *object.Local
	dest    *object.Local
	ledger  *Ledger
	ids     int
	pieces  int
}

const testJob, testSink = "demo", "trips"

func newBench(t *testing.T, keep int64) *bench {
	t.Helper()
	dir := t.TempDir()
	staging, err := object.NewLocal(filepath.Join(dir, ".millrace", testJob))
	if err != nil {
		t.Fatal(err)
	}
	dest, err := object.NewLocal(filepath.Join(dir, "trips"))
	if err != nil {
		t.Fatal(err)
	}
	l := NewLedger(LedgerOptions{Job: testJob, Sink: testSink, Staging: staging, Dest: dest, Keep: keep})
	return &bench{t: t, staging: staging, dest: dest, ledger: l}
}

func (b *bench) ctx() context.Context { return b.t.Context() }

func id(n int) string { return fmt.Sprintf("%032x", n) }

func (b *bench) newID() string {
	b.ids++
	return id(1000 + b.ids)
}

// attach begins incarnation 1 and gives a new roll.
func (b *bench) attach() *Roll {
	b.t.Helper()
	a, err := b.ledger.Attach(b.ctx(), AttachOptions{Incarnation: id(1)})
	if err != nil {
		b.t.Fatal(err)
	}
	return NewRoll(RollOptions{Sink: testSink, Job: testJob, Incarnation: id(1), First: a.First, Extension: ".txt"})
}

// stage writes a piece with one range of one row per destination, and gives its element.
func (b *bench) stage(dests ...string) Staged {
	b.t.Helper()
	b.pieces++
	s, body := stagedText(fmt.Sprintf("pieces/%04d", b.pieces), dests)
	if err := b.staging.Put(b.ctx(), s.Piece, func(w io.Writer) error {
		_, err := io.WriteString(w, body)
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return s
}

func stagedText(piece string, dests []string) (Staged, string) {
	s, body := Staged{Piece: piece, NumRanges: len(dests)}, ""
	for _, d := range dests {
		row := fmt.Sprintf("%s of %s\n", d, piece)
		s.Manifests = append(s.Manifests, Manifest{
			Piece: piece, Dest: d, Off: int64(len(body)), Len: int64(len(row)), Counts: Counts{Rows: 1, Weight: 2},
			Sum: Sum([]byte(row)), Parts: []PartRange{{Partition: "p", Counts: Counts{Rows: 1, Weight: 2}, First: []byte(piece), Last: []byte(piece)}},
		})
		body += row
	}
	return s, body
}

// cut adds elements and cuts everything.
func (b *bench) cut(r *Roll, end bool, elements ...Staged) Commit {
	b.t.Helper()
	for _, s := range elements {
		if err := r.Add(s, 0); err != nil {
			b.t.Fatal(err)
		}
	}
	c, ok := r.Cut(r.Dests(), CutOptions{NewID: b.newID, End: end})
	if !ok {
		b.t.Fatal("nothing to cut")
	}
	return c
}

func (b *bench) encode(ctx context.Context, w io.Writer, f File) error {
	for _, g := range f.Ranges {
		data, err := ReadRange(ctx, b.staging, g)
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) publish(c Commit) Outcome {
	b.t.Helper()
	o, err := b.ledger.Publish(b.ctx(), c, b.encode)
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

func (b *bench) state() Status {
	b.t.Helper()
	s, err := b.ledger.State(b.ctx())
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// visible gives the text of all visible files.
func (b *bench) visible() string {
	b.t.Helper()
	list, err := b.dest.List(b.ctx(), "")
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	for _, i := range list {
		if strings.HasPrefix(i.Name, ".") {
			continue
		}
		data, err := b.dest.Get(b.ctx(), i.Name)
		if err != nil {
			b.t.Fatal(err)
		}
		out.Write(data)
	}
	return out.String()
}

func (b *bench) staged(prefix string) []string {
	b.t.Helper()
	list, err := b.staging.List(b.ctx(), prefix)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, i := range list {
		out = append(out, strings.TrimPrefix(i.Name, prefix))
	}
	return out
}
