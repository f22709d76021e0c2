package flow_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/flow"
)

// list is a source of a schema that nobody runs.
type list struct{ schema *arrow.Schema }

func (l list) Spec() flow.SourceSpec {
	return flow.SourceSpec{Connector: "list", Address: "here", Schema: l.schema, Bounded: true}
}
func (list) Partitions(context.Context) ([]flow.Partition, error) { return nil, nil }
func (list) Open(context.Context, flow.Assignment) (flow.Reader, error) {
	return nil, errors.New("nobody reads this")
}

var trips = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "fare", Type: arrow.PrimitiveTypes.Float64},
}, nil)

type fare struct {
	Fare float64
}

func line() int {
	_, _, n, _ := runtime.Caller(1)
	return n
}

// All mistakes come at once, each with the line of the user's call, and steps behind a mistake are silent.
func TestGraphErrors(t *testing.T) {
	var lines []int
	at := func(n int) { lines = append(lines, n) }
	_, err := flow.Build("mistakes", func(p *flow.Pipeline) {
		in := flow.Read(p, "in", list{trips})
		at(line() + 1)
		flow.Map("in", in.Rows, func(f fare) fare { return f })
		at(line() + 1)
		flow.Map("bad name", in.Rows, func(f fare) fare { return f })
		at(line() + 1)
		bad := flow.Map("unknown", in.Rows, func(struct{ Tip float64 }) fare { return fare{} })
		flow.Map("behind", bad.Rows, func(f fare) fare { return f })
		other := flow.Map("other", in.Rows, func(f fare) fare { return f })
		at(line() + 1)
		flow.Flatten("both", in.Rows, other.Rows)
		at(line() + 1)
		flow.Apply("keyed", in.Rows, flow.Operator{Kind: "k", Keys: []string{"nope"}, Schema: trips, Open: func() flow.Group { return nil }})
	})
	var got []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var g *flow.GraphError
		if !errors.As(e, &g) {
			t.Fatalf("%v is no GraphError", e)
		}
		got = append(got, filepath.Base(g.Site)+" "+g.Step)
	}
	var want []string
	for i, step := range []string{"in", "bad name", "unknown", "both", "keyed"} {
		want = append(want, fmt.Sprintf("pipeline_test.go:%d %s", lines[i], step))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sites (-want +got)\n%s", diff)
	}
	for _, text := range []string{"the name is taken by the step at", `"tip"`, "inputs", `key "nope" is no column`} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is missing in\n%v", text, err)
		}
	}
}

func TestPanicInBuildIsAnError(t *testing.T) {
	_, err := flow.Build("p", func(*flow.Pipeline) { panic("oops") })
	if err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("Build = %v", err)
	}
}

func TestPipelineWithoutSource(t *testing.T) {
	if _, err := flow.Build("p", func(*flow.Pipeline) {}); err == nil || !strings.Contains(err.Error(), "no source") {
		t.Errorf("Build = %v", err)
	}
}

func build(t *testing.T, more func(*flow.Pipeline, flow.Rows)) *flow.Graph {
	t.Helper()
	g, err := flow.Build("same", func(p *flow.Pipeline) { more(p, flow.Read(p, "in", list{trips}).Rows) })
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func keyed(identity string) flow.Operator {
	return flow.Operator{Kind: "k", Keys: []string{"id"}, Schema: trips, Identity: identity, Open: func() flow.Group { return nil }}
}

// The fingerprint is that of what state depends on, and of nothing else.
func TestFingerprint(t *testing.T) {
	base := build(t, func(_ *flow.Pipeline, in flow.Rows) { flow.Apply("a", in, keyed("10s")) })
	for name, c := range map[string]struct {
		same bool
		more func(*flow.Pipeline, flow.Rows)
	}{
		"the same":         {true, func(_ *flow.Pipeline, in flow.Rows) { flow.Apply("a", in, keyed("10s")) }},
		"another identity": {false, func(_ *flow.Pipeline, in flow.Rows) { flow.Apply("a", in, keyed("20s")) }},
		"another name":     {false, func(_ *flow.Pipeline, in flow.Rows) { flow.Apply("b", in, keyed("10s")) }},
		"a step more": {false, func(_ *flow.Pipeline, in flow.Rows) {
			flow.Apply("a", flow.Filter("f", in, func(fare) bool { return true }).Rows, keyed("10s"))
		}},
	} {
		if got := build(t, c.more).Fingerprint() == base.Fingerprint(); got != c.same {
			t.Errorf("%s: equal fingerprints: %t, want %t", name, got, c.same)
		}
	}
}

func TestOnceReplays(t *testing.T) {
	asked := 0
	build := func(p *flow.Pipeline) {
		flow.Read(p, "in", list{trips})
		if _, err := flow.Once(p, "question", func() ([]byte, error) { asked++; return []byte("answer"), nil }); err != nil {
			t.Error(err)
		}
		if _, err := flow.Once(p, "question", func() ([]byte, error) { return nil, nil }); err == nil {
			t.Error("the same key is taken twice")
		}
	}
	g, err := flow.Build("p", build)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flow.BuildRecorded("p", g.Recorded(), build); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]byte{"question": []byte("answer")}, g.Recorded()); diff != "" || asked != 1 {
		t.Errorf("asked %d times; recorded (-want +got)\n%s", asked, diff)
	}
}
