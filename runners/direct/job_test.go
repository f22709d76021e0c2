package direct

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

func openJob(t *testing.T, dir string) *Job {
	t.Helper()
	j, err := OpenJob(dir, JobOptions{Name: "test", Pipeline: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestJobGoesOn stops a job again and again and runs it from its directory until it is finished, and once more after that.
func TestJobGoesOn(t *testing.T) {
	dir := t.TempDir()
	spec := sourceSpec{Partitions: 2, Each: 60, PerCall: 5, Keys: 3, Pad: 70_000}
	var states []State
	for len(states) < 20 {
		job := openJob(t, dir)
		p, s := beam.NewPipelineWithRoot()
		beam.ParDo0(s, newKeep(t.Name()), beam.ParDo(s, newRunningSum(""), read(s, spec)))
		var c Control
		r := mustRun(t, p, Options{Job: job, Control: &c, OnCommit: func(n int64) error {
			if n == 8 {
				c.Stop()
			}
			return nil
		}})
		if err := job.Close(); err != nil {
			t.Fatal(err)
		}
		states = append(states, r.State)
		if n := len(states); n > 1 && states[n-2] == Finished {
			break
		}
	}
	if n := len(states); n < 4 || states[0] != Stopped || states[n-1] != Finished {
		t.Errorf("states are %v", states)
	}
	checkSums(t, t.Name(), 1, spec)
}

// TestFenced: once the directory was started by another process, nothing is committed any more.
func TestFenced(t *testing.T) {
	dir := t.TempDir()
	job := openJob(t, dir)
	t.Cleanup(func() {
		if err := job.Close(); err != nil {
			t.Error(err)
		}
	})
	p, s := beam.NewPipelineWithRoot()
	gather(s, t.Name(), read(s, sourceSpec{Partitions: 2, Each: 50, PerCall: 5, Keys: 3}))
	var last int64
	_, err := Run(t.Context(), p, Options{Job: job, OnCommit: func(n int64) error {
		if last = n; n == 3 {
			return os.WriteFile(filepath.Join(dir, "epoch"), []byte("7\n"), 0o600)
		}
		return nil
	}})
	taken(t.Name())
	if !errors.Is(err, ErrFenced) || last != 3 {
		t.Errorf("error is %v after commit %d", err, last)
	}
}
