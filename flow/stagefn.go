package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow/commit"
	"github.com/millrace-io/millrace/flow/failpoint"
)

// stageBytes is how much one bundle gathers before it writes an object, in bytes.
const stageBytes = 64 << 20

// stageFn writes the rows of a bundle as one object, sorted by destination, and says where they lie.
type stageFn struct {
	stepPayload
	in   []*batch.Batch
	size int64
}

// StartBundle forgets what a failed bundle left.
func (f *stageFn) StartBundle(context.Context, emitString, emitBatch) error {
	f.in, f.size = nil, 0
	return nil
}

// ProcessElement gathers.
func (f *stageFn) ProcessElement(ctx context.Context, in *batch.Batch, emit emitString, dead emitBatch) error {
	f.in = append(f.in, in)
	if f.size += in.Bytes(); f.size < stageBytes {
		return nil
	}
	return f.FinishBundle(ctx, emit, dead)
}

// FinishBundle writes the object, makes it durable and emits what it holds.
func (f *stageFn) FinishBundle(ctx context.Context, emit emitString, dead emitBatch) error {
	if len(f.in) == 0 {
		return nil
	}
	g, s, err := stepOf[*sink](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	in := f.in
	f.in, f.size = nil, 0
	all, err := batch.Concat(in)
	if err != nil {
		return f.fail("gather", err)
	}
	s.n.count(ctx, "in", all.Weight())
	var r Routing
	if err := protect(func() (err error) { r, err = s.Route(all); return err }); err != nil {
		return &StepError{Step: f.Step, Position: span(all), Op: "route", Err: err}
	}
	if err := refuse(ctx, s.n, refusals{in: all, rows: r.Refused, emit: dead}); err != nil {
		return f.fail("reject", err)
	}
	piece, body, err := stagePiece(g.sinks.pieceName(g, f.Step), all, r)
	if err != nil {
		return f.fail("stage", err)
	}
	if len(piece.Manifests) == 0 {
		return nil
	}
	for _, m := range piece.Manifests {
		s.n.count(ctx, "staged", m.Weight)
	}
	failpoint.Hit("stage/before-sync")
	err = g.sinks.of(f.Step).staging.Put(ctx, piece.Piece, func(w io.Writer) error { _, err := w.Write(body); return err })
	if err != nil {
		return f.fail("stage rows", err)
	}
	failpoint.Hit("stage/after-sync")
	emit(beamTime(all.MinTime()), f.key(), piece.Encode())
	return nil
}

// stagePiece sorts the rows by destination and encodes each destination's run as Arrow IPC messages. The schema stands once
// in front; a range has the record batches alone.
func stagePiece(name string, all *batch.Batch, r Routing) (commit.Staged, []byte, error) {
	st := commit.Staged{Piece: name}
	sorted, runs, err := sortByDest(all, r)
	if err != nil || len(runs) == 0 {
		return st, nil, err
	}
	var buf bytes.Buffer
	buf.Grow(int(sorted.Bytes()) + len(runs)<<10) // and about 1 kB before each range
	w := ipc.NewWriter(&buf, ipc.WithSchema(sorted.Schema()))
	for i, run := range runs {
		part := sorted.Slice(run.from, run.to)
		if i == 0 { // the writer puts the schema before its first batch
			if err := w.Write(part.Visible().NewSlice(0, 0)); err != nil {
				return st, nil, err
			}
		}
		off := buf.Len()
		if err := w.Write(part.Visible()); err != nil {
			return st, nil, err
		}
		st.Manifests = append(st.Manifests, manifest(name, r.Dests[run.dest], part))
		m := &st.Manifests[i]
		m.Off, m.Len = int64(off), int64(buf.Len()-off)
		m.Sum = commit.Sum(buf.Bytes()[off:])
	}
	st.NumRanges = len(st.Manifests)
	return st, buf.Bytes(), w.Close()
}

func manifest(piece, dest string, part *batch.Batch) commit.Manifest {
	m := commit.Manifest{
		Piece: piece, Dest: dest, MinTime: part.MinTime(), MaxTime: part.MaxTime(),
		Counts: commit.Counts{Rows: int64(part.Rows()), Weight: part.Weight()},
	}
	for _, p := range batch.PartRanges(part) {
		m.Parts = append(m.Parts, commit.PartRange{
			Partition: p.Part, Counts: commit.Counts{Rows: p.Rows, Weight: p.Weight}, First: p.First, Last: p.Last,
		})
	}
	return m
}

type run struct{ dest, from, to int }

// sortByDest orders rows by destination, keeps their order within one, and leaves refused rows out.
func sortByDest(b *batch.Batch, r Routing) (*batch.Batch, []run, error) {
	if r.Of == nil {
		return b, []run{{0, 0, b.Rows()}}, nil
	}
	refused := 0
	if len(r.Of) != b.Rows() {
		return nil, nil, fmt.Errorf("the sink routed %d of %d rows", len(r.Of), b.Rows())
	}
	start := make([]int, len(r.Dests)+1)
	for _, d := range r.Of {
		if int(d) >= len(r.Dests) || b.Rows() > math.MaxInt32 {
			return nil, nil, errors.New("the sink routed a row to no destination")
		}
		if d >= 0 {
			start[d+1]++
		} else {
			refused++
		}
	}
	if refused != len(r.Refused) {
		return nil, nil, fmt.Errorf("the sink routed %d rows to no destination and gave a reason for %d", refused, len(r.Refused))
	}
	var runs []run
	for d := range r.Dests {
		if n := start[d+1]; n > 0 {
			runs = append(runs, run{d, start[d], start[d] + n})
		}
		start[d+1] += start[d]
	}
	order := make([]int32, start[len(r.Dests)])
	for i, d := range r.Of {
		if d >= 0 {
			order[start[d]] = int32(i)
			start[d]++
		}
	}
	if len(runs) == 0 {
		return nil, nil, nil
	}
	sorted, err := b.Take(order)
	return sorted, runs, err
}

// stagedSchema is the head of an IPC stream of the schema: with a range behind it, it is a whole stream.
func stagedSchema(schema *arrow.Schema) ([]byte, error) {
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(schema))
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes()[:buf.Len()-8], nil // without the mark of the stream's end
}

// readStaged reads a range back.
func readStaged(head, body []byte) ([]*batch.Batch, error) {
	r, err := ipc.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(body)))
	if err != nil {
		return nil, damaged("a staged range", err)
	}
	defer r.Release()
	var out []*batch.Batch
	for r.Next() {
		rec := r.RecordBatch()
		rec.Retain()
		b, err := batch.New(rec)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, damaged("a staged range", err)
	}
	return out, nil
}

// seedFn tells a sink's roll that the job has begun, so that it waits for END even if no row ever comes.
type seedFn struct{ stepPayload }

// ProcessElement emits the empty element.
func (f *seedFn) ProcessElement(_ context.Context, _ []byte, emit emitString) error {
	emit(minTime, f.key(), nil)
	return nil
}
