package direct

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/millrace-io/millrace/flow/failpoint"
	"github.com/millrace-io/millrace/runners/direct/internal/store"
)

// childDir is the environment variable that makes the test binary a job in that directory, which a failpoint may kill.
const childDir = "MILLRACE_TEST_JOB"

var killSpec = sourceSpec{Partitions: 3, Each: 120, PerCall: 4, Keys: 5, Pad: 100_000}

// child runs the job of TestKill and leaves what its sink collects in files.
func child(dir string) error {
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s, newKeep("kill"), beam.ParDo(s, newRunningSum(""), read(s, killSpec)))
	_, err := runOnce(p, func() (store.Store, error) {
		return store.OpenPebble(filepath.Join(dir, "state"), store.Options{Log: slog.New(slog.DiscardHandler)})
	}, Options{Workers: 2, BundleElements: 20})
	return err
}

// keepFile writes what a key collected, for the parent.
func keepFile(dir, key string, rs []rec) error {
	b, err := json.Marshal(rs)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, "tmp "+key)
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, "key "+key))
}

// TestKill kills the job at every failpoint of the commit path, each at several times, and lets it go on.
func TestKill(t *testing.T) {
	for _, point := range []string{"store/before-segment-sync", "store/after-segment-sync", "store/after-batch"} {
		t.Run(filepath.Base(point), func(t *testing.T) {
			dir := t.TempDir()
			kills := 0
			for n := 1; ; n += 3 {
				cmd := exec.Command(os.Args[0], "-test.run=^$")
				cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s=%s:%d", failpoint.Env, point, n))
				out, err := cmd.CombinedOutput()
				if err == nil {
					break
				}
				if exit := (&exec.ExitError{}); !errors.As(err, &exit) || exit.ExitCode() != -1 {
					t.Fatalf("the job failed: %v\n%s", err, out)
				}
				kills++
			}
			if kills < 3 {
				t.Errorf("the job was killed %d times only", kills)
			}
			got := map[string][]rec{}
			files, err := filepath.Glob(filepath.Join(dir, "key *"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				var rs []rec
				if err := json.Unmarshal(b, &rs); err != nil {
					t.Fatal(err)
				}
				got[filepath.Base(f)[len("key "):]] = rs
			}
			checkOrder(t, got)
			checkSumsOf(t, got, 1, []sourceSpec{killSpec})
		})
	}
}
