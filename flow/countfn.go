package flow

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/millrace-io/millrace/flow/commit"
)

// Kinds of entries that countFn takes: the first byte of each.
const (
	entryCommit = 'c'
	entryResult = 'r'
)

func countEntry(kind byte, body []byte) []byte { return append([]byte{kind}, body...) }

// countFn waits until every file of a commit has its result. The log holds the commits and results that wait; the counts
// say when one is whole, without reading the log.
type countFn struct {
	P      string              `json:"p"`
	Step   string              `json:"step"`
	Counts state.Value[[]byte] `json:"counts"`
	Log    state.Bag[[]byte]   `json:"log"`
}

func newCountFn(sp stepPayload) *countFn {
	return &countFn{P: sp.P, Step: sp.Step, Counts: state.MakeValueState[[]byte]("counts"), Log: state.MakeBagState[[]byte]("log")}
}

// waiting counts the results of one commit. Files is -1 until the commit itself has come.
type waitingFor struct {
	Files int `json:"files"`
	Have  int `json:"have"`
}

// wholeCommit is a commit with the results of all its files.
type wholeCommit struct {
	Commit  []byte       `json:"commit"`
	Results []fileResult `json:"results"`
}

// ProcessElement takes a commit or a result, and emits a commit when it is whole.
func (f *countFn) ProcessElement(_ context.Context, sp state.Provider, key string, entry []byte, emit emitString) error {
	step := stepPayload{f.P, f.Step}
	counts := map[int64]waitingFor{}
	raw, ok, err := f.Counts.Read(sp)
	if err == nil && ok {
		err = json.Unmarshal(raw, &counts)
	}
	if err != nil {
		return step.fail("count files", err)
	}
	seq, files, err := parseEntry(entry)
	if err != nil {
		return step.fail("count files", err)
	}
	n, known := counts[seq]
	if !known {
		n.Files = -1
	}
	if files >= 0 {
		n.Files = files
	} else {
		n.Have++
	}
	counts[seq] = n
	if err := f.Log.Add(sp, entry); err != nil {
		return step.fail("count files", err)
	}
	if n.Files == n.Have {
		delete(counts, seq)
		whole, err := f.takeOut(sp, seq)
		if err != nil {
			return step.fail("count files", err)
		}
		emit(minTime, key, whole)
	}
	if raw, err = json.Marshal(counts); err != nil {
		return step.fail("count files", err)
	}
	return f.Counts.Write(sp, raw)
}

// takeOut removes a commit and its results from the log.
func (f *countFn) takeOut(sp state.Provider, seq int64) ([]byte, error) {
	log, _, err := f.Log.Read(sp)
	if err != nil {
		return nil, err
	}
	if err := f.Log.Clear(sp); err != nil {
		return nil, err
	}
	var whole wholeCommit
	for _, e := range log {
		s, files, err := parseEntry(e)
		if err != nil {
			return nil, err
		}
		switch {
		case s != seq:
			if err := f.Log.Add(sp, e); err != nil {
				return nil, err
			}
		case files >= 0:
			whole.Commit = e[1:]
		default:
			var r fileResult
			if err := json.Unmarshal(e[1:], &r); err != nil {
				return nil, err
			}
			whole.Results = append(whole.Results, r)
		}
	}
	return json.Marshal(whole)
}

// parseEntry gives the commit's number and, for a commit, the number of its files; -1 for a result.
func parseEntry(e []byte) (seq int64, files int, err error) {
	switch {
	case len(e) > 0 && e[0] == entryCommit:
		c, err := commit.DecodeCommit(e[1:])
		return c.Seq, len(c.Files), err
	case len(e) > 0 && e[0] == entryResult:
		var r fileResult
		err := json.Unmarshal(e[1:], &r)
		return r.Seq, -1, err
	}
	return 0, 0, fmt.Errorf("%w: an entry of no kind", errDamaged)
}
