package millrace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRulesCatch breaks each rule and sees it caught; the cases without a wanted fault must pass.
func TestRulesCatch(t *testing.T) {
	long := strings.Repeat("\t_ = 0\n", maxFuncLines)
	cases := []struct {
		name, path, text string
		want             []string // "line rule"
	}{
		{"no go", "flow/a.go", "package", []string{"0 parse"}},
		{"long file", "flow/a.go", "package flow\n" + strings.Repeat("\n", maxFileLines), []string{"1 file-lines"}},
		{"full file", "flow/a.go", "package flow\n" + strings.Repeat("\n", maxFileLines-1), nil},
		{"long function", "flow/a.go", "package flow\nfunc f() {\n" + long + "}\n", []string{"2 func-lines"}},
		{"full function", "flow/a.go", "package flow\nfunc f() {\n" + long[len("\t_ = 0\n")*2:] + "}\n", nil},
		{"long literal", "flow/a.go", "package flow\nvar f = func() {\n" + long + "}\n", []string{"2 func-lines"}},
		{"five parameters", "flow/a.go", "package flow\nfunc f(a, b, c int, d, e string) {}\n", []string{"2 parameters"}},
		{"five unnamed", "flow/a.go", "package flow\ntype f func(int, int, int, int, int)\n", []string{"2 parameters"}},
		{"four parameters", "flow/a.go", "package flow\nfunc (x t) f(a, b, c int, d string) {}\n", nil},
		{"Beam's methods", "flow/a.go", "package flow\nfunc (x *t) ProcessElement(a, b, c, d, e int) {}\nfunc (x *t) OnTimer(a, b, c, d, e int) {}\n", nil},
		{"a function of that name", "flow/a.go", "package flow\nfunc OnTimer(a, b, c, d, e int) {}\n", []string{"2 parameters", "2 comment"}},
		{"init", "flow/a.go", "package flow\nfunc init() {}\n", []string{"2 init"}},
		{"the one init", "flow/register.go", "package flow\nfunc init() {}\n", nil},
		{"init as a method", "flow/a.go", "package flow\nfunc (x t) init() {}\n", nil},
		{"sleep", "flow/a_test.go", "package flow\nimport clock \"time\"\nvar _ = clock.Sleep\n", []string{"3 sleep"}},
		{"sleep in test support", "io/iotest/a.go", "package iotest\nimport clock \"time\"\nvar _ = clock.Sleep\n", []string{"3 sleep"}},
		{"sleep outside tests", "flow/a.go", "package flow\nimport clock \"time\"\nvar _ = clock.Sleep\n", nil},
		{
			"no comment", "flow/a.go", "package flow\nfunc F() {}\ntype T int\nfunc (T) M() {}\nfunc (t) N() {}\nfunc (T) String() {}\nvar V, w = 1, 2\n",
			[]string{"2 comment", "3 comment", "4 comment", "7 comment"},
		},
		{"comments", "flow/a.go", "package flow\n// F.\nfunc F() {}\n// All.\nvar (\n\tV = 1\n\tW = 2\n)\nconst C = 1 // C.\n", nil},
		{"bare field", "flow/a.go", "package flow\n// O.\ntype ReadOptions struct {\n\tA int\n\t// B.\n\tB int\n\tc int\n\tD int `help:\"d\"`\n}\n", []string{"4 comment"}},
		{"bare method", "flow/a.go", "package flow\n// I.\ntype I interface {\n\tA()\n\tb()\n\t// C.\n\tC()\n}\n", []string{"4 comment"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { wantFaults(t, checkSource(c.path, c.text), c.want) })
	}
}

func TestAnyIsCaught(t *testing.T) {
	cases := map[string]bool{
		"func F(v any)":                              true,
		"func F(v []any) error":                      true,
		"func F() map[string]interface{}":            true,
		"func F(fn func(any) error)":                 true,
		"func F(v ...any)":                           true,
		"func F(format string, v ...any) any":        true,
		"func (t *T) F(v any)":                       true,
		"func (t T[A, B]) F(v any)":                  true,
		"type F func(v any)":                         true,
		"type F interface {\n// G.\nG(v any)\n}":     true,
		"func F(format string, v ...any)":            false,
		"func F[T any](v T) T":                       false,
		"func F(v interface{ M() })":                 false,
		"func f(v any)":                              false,
		"func (t *t) F(v any)":                       false,
		"// G.\ntype F[T any] struct{ v any }\n":     false,
		"type F interface {\n// G.\nG(v error)\n}\n": false,
	}
	for decl, want := range cases {
		got := strings.Contains(fmt.Sprint(checkSource("flow/a.go", "package flow\n// F.\n"+decl+"\n")), ": any: ")
		if got != want {
			t.Errorf("%s: caught %v, want %v", decl, got, want)
		}
	}
}

func TestImportDirection(t *testing.T) {
	cases := []struct {
		path, imports string
		bad           bool
	}{
		{"batch/a.go", "flow", true},
		{"flow/a.go", "batch", false},
		{"flow/a.go", "io/kafkaio", true},
		{"flow/a.go", "runners/direct", true},
		{"flow/a_test.go", "runners/direct", false},
		{"flow/a_test.go", "io/kafkaio", true},
		{"flow/flowtest/a.go", "runners", false},
		{"flow/a.go", "flow/flowtest", true},
		{"io/kafkaio/a.go", "flow/commit", false},
		{"io/kafkaio/a.go", "runners", true},
		{"io/kafkaio/a.go", "transforms/clean", true},
		{"runners/direct/a.go", "flow", false},
		{"runners/direct/a.go", "io/kafkaio", true},
		{"runners/direct/a_test.go", "io/kafkaio", true},
		{"transforms/clean/a.go", "io/jdbcio", true},
		{"transforms/clean/a.go", "runners", true},
		{"transforms/clean/a_test.go", "flow/flowtest", false},
		{"pipelines/trips/a.go", "runners", false},
		{"pipelines/trips/a.go", "cmd/millrace", true},
		{"cmd/millrace/a.go", "io/jdbcio", false},
	}
	for _, c := range cases {
		text := fmt.Sprintf("package a\nimport %q\n", module+"/"+c.imports)
		if got := len(checkSource(c.path, text)) > 0; got != c.bad {
			t.Errorf("%s imports %s: caught %v, want %v", c.path, c.imports, got, c.bad)
		}
	}
}

func TestConnectorFiles(t *testing.T) {
	const hub = "// Package xio reads x.\n//\n// Delivery: d. Order: o. Positions: p.\npackage xio\n"
	wantFaults(t, checkSource("io/xio/xio.go", hub), nil)
	wantFaults(t, checkSource("io/xio/xio.go", "// Package xio reads x. Order: o.\npackage xio\n"), []string{"2 connector", "2 connector"})
	wantFaults(t, checkSource("io/xio/read.go", hub), []string{"4 connector"})
	wantFaults(t, checkSource("io/xio/codec.go", "package xio\n// E.\nvar ErrGone = 1\n// Read.\nfunc Read() {}\n"), []string{"3 connector", "5 connector"})
	wantFaults(t, checkFolder("io/xio", []string{"xio.go", "read.go", "errors.go", "example_test.go", "conform_test.go"}), nil)
	wantFaults(t, checkFolder("io/xio", []string{"x.go", "readers.go", "errors.go", "example_test.go"}),
		[]string{"0 folder", "0 folder", "0 folder"})
	wantFaults(t, checkFolder("io/iotest", []string{"source.go"}), nil)
	wantFaults(t, checkFolder("flow/util", nil), []string{"0 folder"})
	wantFaults(t, checkFolder("tools", nil), []string{"0 folder"})
}

func TestWordsAreCaught(t *testing.T) {
	bad := "see /wo" + "rk/x\n// TO" + "DO: it\nfine\nfor " + "now\nfile:/ro" + "ot/y\n"
	wantFaults(t, checkText("docs/a.md", bad), []string{"1 machine-path", "2 unfinished", "4 unfinished", "5 machine-path"})
	wantFaults(t, checkText("docs/a.md", "lake/work/x $HOME/root/x https://a.org/home/b\n"), nil)
}

func TestExceptions(t *testing.T) {
	found := []fault{{"runners/a.go", 1, "parameters", ""}, {"flow/a.go", 2, "init", ""}}
	wantFaults(t, except(found, []exception{{"runners/a.go", "parameters", "Beam's interface"}}), []string{"2 init"})
	wantFaults(t, except(found, []exception{{"runners/a.go", "init", "none"}}), []string{"1 parameters", "2 init", "0 exceptions"})
	wantFaults(t, except(found, []exception{{"flow/a.go", "init", "why"}}), []string{"1 parameters", "0 exceptions"})
	wantFaults(t, except(found[:1], []exception{{"runners/a.go", "parameters", ""}}), []string{"0 exceptions"})
}

func wantFaults(t *testing.T, got []fault, want []string) {
	t.Helper()
	var have []string
	for _, f := range got {
		have = append(have, fmt.Sprintf("%d %s", f.line, f.rule))
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("faults differ (-want +got):\n%s\n%v", d, got)
	}
}
