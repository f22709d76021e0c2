package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/flow/commit"
)

// cells are the states of one key in memory. Each call of a DoFn sees what the ones before it have left.
type cells struct {
	state.Provider // the rest is not used
	values         map[string]any
	bags           map[string][]any
}

func newCells() *cells { return &cells{values: map[string]any{}, bags: map[string][]any{}} }

func (c *cells) ReadValueState(id string) (any, []state.Transaction, error) {
	return c.values[id], nil, nil
}

func (c *cells) WriteValueState(x state.Transaction) error {
	c.values[x.Key] = x.Val
	return nil
}

func (c *cells) ReadBagState(id string) ([]any, []state.Transaction, error) {
	return slices.Clone(c.bags[id]), nil, nil
}

func (c *cells) WriteBagState(x state.Transaction) error {
	c.bags[x.Key] = append(c.bags[x.Key], x.Val)
	return nil
}

func (c *cells) ClearBagState(x state.Transaction) error {
	delete(c.bags, x.Key)
	return nil
}

// entriesOf gives what countFn gets of a commit: the commit itself, and a result per file.
func entriesOf(t *rapid.T, seq int64, files int) [][]byte {
	c := commit.Commit{Version: 1, Seq: seq, ID: commit.NewID(), Prev: commit.NewID(), Sink: "s"}
	for i := range files {
		c.Files = append(c.Files, commit.File{Name: fmt.Sprintf("f%d-%d", seq, i)})
	}
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out := [][]byte{countEntry(entryCommit, data)}
	for _, f := range c.Files {
		r, err := json.Marshal(fileResult{Seq: seq, Result: commit.FileResult{Name: f.Name}})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, countEntry(entryResult, r))
	}
	return out
}

// A commit is given on once, when it and all its results are there, in whatever order they come, and nothing stays.
func TestCountingIsOrderIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries [][]byte
		want := map[int64]int{}
		for seq := range rapid.Int64Range(1, 4).Draw(t, "commits") {
			seq += 2 // number 1 begins an incarnation and has no files
			files := rapid.IntRange(0, 4).Draw(t, "files")
			want[seq] = files
			entries = append(entries, entriesOf(t, seq, files)...)
		}
		fn, sp := newCountFn(stepPayload{"p", "s"}), newCells()
		got := map[int64]int{}
		for _, e := range rapid.Permutation(entries).Draw(t, "order") {
			err := fn.ProcessElement(t.Context(), sp, "s", e, func(_ beam.EventTime, _ string, whole []byte) {
				var w wholeCommit
				if err := json.Unmarshal(whole, &w); err != nil {
					t.Fatal(err)
				}
				c, err := commit.DecodeCommit(w.Commit)
				if err != nil {
					t.Fatal(err)
				}
				if _, twice := got[c.Seq]; twice {
					t.Errorf("commit %d is given on twice", c.Seq)
				}
				var names, results []string
				for _, f := range c.Files {
					names = append(names, f.Name)
				}
				for _, r := range w.Results {
					results = append(results, r.Result.Name)
				}
				slices.Sort(results)
				if diff := cmp.Diff(names, results); diff != "" {
					t.Errorf("commit %d: results (-want +got)\n%s", c.Seq, diff)
				}
				got[c.Seq] = len(results)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("files of the commits (-want +got)\n%s", diff)
		}
		if n := len(sp.bags["log"]); n > 0 || string(sp.values["counts"].([]byte)) != "{}" {
			t.Errorf("%d entries and the counts %s stay behind", n, sp.values["counts"])
		}
	})
}

func TestCountingRefusesDamage(t *testing.T) {
	for _, e := range [][]byte{nil, {}, []byte("x"), {entryCommit}, []byte("r{")} {
		err := newCountFn(stepPayload{"p", "s"}).ProcessElement(t.Context(), newCells(), "s", e, nil)
		if _, ok := errors.AsType[*StepError](err); !ok {
			t.Errorf("%q: error is %v", e, err)
		}
	}
}
