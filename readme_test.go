package millrace_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown marks a code block that repeats declarations of a Go file: <!-- source: PATH NAME... -->.
var shown = regexp.MustCompile("(?m)^<!-- source: (\\S+) ([^>]*) -->\n```go\n((?s:.*?))```$")

// TestReadme holds the README to its form: code by line 15, out of a checked Example, and exactly two commands.
func TestReadme(t *testing.T) {
	text := readFile("README.md")
	if at := strings.Index(text, "```go"); at < 0 || strings.Count(text[:at], "\n") >= 15 {
		t.Error("the first code does not begin by line 15")
	}
	if !strings.Contains(text, "<!-- source: ") {
		t.Error("the first program is not marked with the Example that it comes from")
	}
	commands := regexp.MustCompile("(?m)^```sh\n((?s:.*?))```$").FindAllStringSubmatch(text, -1)
	if len(commands) != 1 || commands[0][1] != "make demo\nmake test\n" {
		t.Errorf("the commands are %q, want make demo and make test", commands)
	}
}

func TestDocsShowSource(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range shown.FindAllStringSubmatch(p.text, -1) {
			want := declarations(t, m[1], strings.Fields(m[2]))
			if d := cmp.Diff(want, m[3]); d != "" {
				t.Errorf("%s: the code is not that of %s (-source +page):\n%s", p.path, m[1], d)
			}
		}
		if n := strings.Count(p.text, "\n<!-- source: "); n != len(shown.FindAllString(p.text, -1)) {
			t.Errorf("%s: a source comment is not followed by a block of go", p.path)
		}
	}
}

// declarations gives the named top-level declarations of a Go file with their comments, separated by empty lines.
func declarations(t *testing.T, name string, want []string) string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, d := range file.Decls {
		var out bytes.Buffer
		config := printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}
		if err := config.Fprint(&out, fset, &printer.CommentedNode{Node: d, Comments: file.Comments}); err != nil {
			t.Fatal(err)
		}
		found[declared(d)] = out.String() + "\n"
	}
	var parts []string
	for _, w := range want {
		if found[w] == "" {
			t.Fatalf("%s declares no %s", name, w)
		}
		parts = append(parts, found[w])
	}
	return strings.Join(parts, "\n")
}

// declared names what a declaration declares first.
func declared(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Name.Name
	case *ast.GenDecl:
		switch s := d.Specs[0].(type) {
		case *ast.TypeSpec:
			return s.Name.Name
		case *ast.ValueSpec:
			return s.Names[0].Name
		}
	}
	return ""
}

var (
	numbered = regexp.MustCompile(`(?m)^## (\d+)\. `)
	cited    = regexp.MustCompile(`\bGuarantees? (\d+)`)
	keptIn   = regexp.MustCompile(`(?m)^Kept in .*$`)
)

// TestDocsGuarantees compares docs/guarantees.md with the code: each guarantee is cited where it is said to be kept, and
// what the code cites exists.
func TestDocsGuarantees(t *testing.T) {
	text := readFile("docs/guarantees.md")
	exists := map[string]bool{}
	parts := numbered.Split(text, -1)[1:]
	for i, m := range numbered.FindAllStringSubmatch(text, -1) {
		exists[m[1]] = true
		kept := link.FindAllStringSubmatch(keptIn.FindString(parts[i]), -1)
		if len(kept) == 0 {
			t.Errorf("guarantee %s: nothing says where it is kept", m[1])
		}
		for _, l := range kept {
			if file := strings.TrimPrefix(l[2], "../"); !regexp.MustCompile(`// Guarantee ` + m[1] + `\b`).MatchString(readFile(file)) {
				t.Errorf("guarantee %s: %s does not cite it", m[1], file)
			}
		}
	}
	if len(exists) == 0 {
		t.Error("docs/guarantees.md numbers none")
	}
	for _, name := range repositoryFiles(t) {
		if !strings.HasSuffix(name, ".go") || !strings.Contains(name, "/") {
			continue
		}
		for _, m := range cited.FindAllStringSubmatch(readFile(name), -1) {
			if !exists[m[1]] {
				t.Errorf("%s cites guarantee %s, which docs/guarantees.md does not have", name, m[1])
			}
		}
	}
}
