package runners_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are one of every kind that can be a flag.
type options struct {
	Text   string        `help:"a text" default:"here"`
	On     bool          `default:"true"`
	Count  int           `default:"3"`
	Big    int64         `default:"4"`
	Share  float64       `default:"0.5"`
	Wait   time.Duration `default:"2s"`
	Names  []string      `default:"a,b"`
	Broken bool          `flag:"break"`
	Hidden string        `flag:"-"`
}

var numbers = arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)

// empty is a source without rows.
type empty struct{}

func (empty) Spec() flow.SourceSpec {
	return flow.SourceSpec{Connector: "empty", Address: "nowhere", Schema: numbers, Bounded: true}
}
func (empty) Partitions(context.Context) ([]flow.Partition, error) { return nil, nil }
func (empty) Open(context.Context, flow.Assignment) (flow.Reader, error) {
	return nil, errors.New("nothing to open")
}

// job is a command in a place of its own.
type job struct {
	t     *testing.T
	dir   string
	got   options
	asked int
	away  bool
}

func (j *job) build(p *flow.Pipeline, o options) {
	j.got = o
	if o.Broken {
		p.Errorf("in", "it is broken")
		return
	}
	_, err := flow.Once(p, "world", func() ([]byte, error) {
		j.asked++
		if j.away {
			return nil, errors.New("the world is away")
		}
		return []byte("answer"), nil
	})
	if err != nil {
		p.Errorf("in", "%w", err)
		return
	}
	flow.Collect[struct{ N int64 }]("out", flow.Read(p, "in", empty{}).Rows)
}

// must runs the command and checks its exit code and words of what it says.
func (j *job) must(want int, words string, args ...string) string {
	j.t.Helper()
	var out, errs bytes.Buffer
	code := runners.Command(args, j.build, runners.Streams{Out: &out, Err: &errs})
	if all := out.String() + errs.String(); code != want || !strings.Contains(all, words) {
		j.t.Errorf("%v: exit code %d, want %d with %q\n%s", args, code, want, words, all)
	}
	return out.String()
}

func newJob(t *testing.T) *job {
	t.Helper()
	j := &job{t: t, dir: t.TempDir()}
	t.Setenv("XDG_STATE_HOME", j.dir)
	return j
}

func TestFlags(t *testing.T) {
	j := newJob(t)
	j.must(runners.ExitOK, "job", "plan")
	want := options{Text: "here", On: true, Count: 3, Big: 4, Share: 0.5, Wait: 2 * time.Second, Names: []string{"a", "b"}}
	if d := cmp.Diff(want, j.got); d != "" {
		t.Errorf("defaults (-want +got)\n%s", d)
	}
	j.must(runners.ExitOK, "job", "plan", "--text=x", "--on=false", "--count=-1", "--big=9", "--share=1", "--wait=1m", "--names=c", "--names=d,e")
	want = options{Text: "x", Count: -1, Big: 9, Share: 1, Wait: time.Minute, Names: []string{"c", "d", "e"}}
	if d := cmp.Diff(want, j.got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	j.must(runners.ExitOK, "--break", "--help")
}

// Mistakes in the arguments and in the graph are told apart from failures, and start nothing.
func TestUsage(t *testing.T) {
	j := newJob(t)
	for words, args := range map[string][]string{
		"unknown flag: --nope":     {"--nope"},
		"unknown command":          {"frobnicate"},
		"accepts 2 arg(s)":         {"resolve", "out"},
		"only now is supported":    {"--until=later"},
		"exclude each other":       {"--until=now", "--until-idle=1s"},
		"supported: direct":        {"--runner=flink"},
		"is no size":               {"--memory=lots"},
		"--workers=-1 is negative": {"--workers=-1"},
		"--keep":                   {"reset"},
		"--replace":                {"reset", "--keep", "--replace"},
		"--publish":                {"resolve", "out", "1"},
		`step "in": it is broken`:  {"--break"},
		"invalid argument":         {"--count=many"},
		"command_test.go:":         {"plan", "--break"},
	} {
		j.must(runners.ExitUsage, words, args...)
	}
	if entries, err := os.ReadDir(j.dir); len(entries) > 0 || err != nil {
		t.Errorf("%d things were made, %v", len(entries), err)
	}
}

// A job of the default name lies in the user's state directory, and says in its summary what it came to.
func TestDefaultPlace(t *testing.T) {
	j := newJob(t)
	j.must(runners.ExitOK, "never started", "status")
	summary := filepath.Join(t.TempDir(), "deep", "summary.json")
	j.must(runners.ExitOK, "finished", "--summary="+summary)
	data, err := os.ReadFile(summary)
	var res runners.Result
	if err == nil {
		err = json.Unmarshal(data, &res)
	}
	if err != nil || res.State != "finished" || filepath.Dir(res.Dir) != filepath.Join(j.dir, "millrace") {
		t.Errorf("%+v, %v", res, err)
	}
	j.must(runners.ExitOK, "state      finished", "status")
}

// What a first start has asked of the world is not asked again: where the name or the directory is given not even to find
// the job.
func TestVerbsAskNothing(t *testing.T) {
	j := newJob(t)
	dir := "--job=" + filepath.Join(j.dir, "here")
	j.must(runners.ExitOK, "finished", dir)
	j.must(runners.ExitOK, "finished", "--name=other")
	j.away = true
	j.asked = 0
	for _, args := range [][]string{{"status", dir}, {"cancel", dir}, {"drain", "--name=other"}, {"plan", dir}} {
		j.must(runners.ExitOK, "", args...)
	}
	j.must(runners.ExitRefused, "its ledger in memory:out is gone", "--name=other")
	if j.asked > 0 {
		t.Errorf("the world was asked %d times", j.asked)
	}
	j.must(runners.ExitUsage, "the world is away", "--name=new")
}
