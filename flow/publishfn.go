package flow

import (
	"context"
	"encoding/json"
	"io"
	"iter"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow/commit"
)

// task is one file of a claimed commit, to be written. Commit is the commit without its files.
type task struct {
	Commit commit.Commit `json:"commit"`
	File   commit.File   `json:"file"`
}

// claimFn takes a commit's number in the ledger and hands out its files. Its input is stable.
type claimFn struct{ stepPayload }

// ProcessElement claims each commit in order. A commit that is done already gives nothing.
func (f *claimFn) ProcessElement(ctx context.Context, _ string, commits iterBytes, tasks, claimed emitString) error {
	g, _, err := stepOf[*sink](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	var raw []byte
	for commits(&raw) {
		c, err := commit.DecodeCommit(raw)
		if err != nil {
			return f.fail("claim", err)
		}
		outcome, err := g.sinks.of(f.Step).ledger.Claim(ctx, c)
		if err != nil {
			return f.fail("claim", err)
		}
		if outcome == commit.Done {
			continue
		}
		claimed(minTime, f.key(), countEntry(entryCommit, raw))
		t := task{Commit: c}
		t.Commit.Files = nil
		for _, file := range c.Files {
			t.File = file
			data, err := json.Marshal(t)
			if err != nil {
				return f.fail("claim", err)
			}
			tasks(minTime, f.Step+"/"+file.Name, data)
		}
	}
	return nil
}

// fileFn writes files. Its input is stable.
type fileFn struct{ stepPayload }

// ProcessElement writes one file, or finds that it stands.
func (f *fileFn) ProcessElement(ctx context.Context, _ string, tasks iterBytes, emit emitString) error {
	g, s, err := stepOf[*sink](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	st := g.sinks.of(f.Step)
	var raw []byte
	for tasks(&raw) {
		var t task
		if err := json.Unmarshal(raw, &t); err != nil {
			return f.fail("publish", damaged("a file task", err))
		}
		res, err := st.ledger.WriteFile(ctx, t.Commit, t.File, func(ctx context.Context, w io.Writer, file commit.File) error {
			return protect(func() error { return s.Encode(w, s.in, st.rows(ctx, file)) })
		})
		if err != nil {
			return &StepError{Step: f.Step, Partition: t.File.Name, Op: "publish", Err: err}
		}
		data, err := json.Marshal(fileResult{Seq: t.Commit.Seq, Result: res, Done: res.Done})
		if err != nil {
			return f.fail("publish", err)
		}
		emit(minTime, f.key(), countEntry(entryResult, data))
	}
	return nil
}

// fileResult is what became of a task.
type fileResult struct {
	Seq    int64             `json:"seq"`
	Result commit.FileResult `json:"result"`
	Done   bool              `json:"done,omitempty"`
}

// rows reads the staged ranges of a file, in order.
func (st *sinkState) rows(ctx context.Context, file commit.File) iter.Seq2[*batch.Batch, error] {
	return func(yield func(*batch.Batch, error) bool) {
		for _, r := range file.Ranges {
			body, err := commit.ReadRange(ctx, st.staging, r)
			if err != nil {
				yield(nil, err)
				return
			}
			bs, err := readStaged(st.head, body)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, b := range bs {
				if !yield(b, nil) {
					return
				}
			}
		}
	}
}

// finishFn ends commits of which all files stand. Its input is stable.
type finishFn struct{ stepPayload }

// ProcessElement writes the done records, in order.
func (f *finishFn) ProcessElement(ctx context.Context, _ string, whole iterBytes) error {
	g, _, err := stepOf[*sink](ctx, f.P, f.Step)
	if err != nil {
		return err
	}
	var raw []byte
	for whole(&raw) {
		var w wholeCommit
		if err := json.Unmarshal(raw, &w); err != nil {
			return f.fail("finish", damaged("a whole commit", err))
		}
		c, err := commit.DecodeCommit(w.Commit)
		if err != nil {
			return f.fail("finish", err)
		}
		results := make([]commit.FileResult, len(w.Results))
		for i, r := range w.Results {
			results[i] = r.Result
			results[i].Done = r.Done
		}
		st := g.sinks.of(f.Step)
		if err := st.ledger.Finish(ctx, c, results); err != nil {
			return f.fail("finish", err)
		}
		if err := st.collect(ctx, c); err != nil {
			g.job.Log.Warn("the next start tries again", "step", f.Step, "error", err)
		}
	}
	return nil
}
