package millrace_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/millrace-io/millrace"

// layers says which top folders each top folder may import. Imports point one way:
//
//	pipelines, cmd -> transforms, io, runners -> flow -> batch
var layers = map[string][]string{
	"batch":      {"batch"},
	"flow":       {"flow", "batch"},
	"transforms": {"transforms", "flow", "batch"},
	"io":         {"io", "flow", "batch"},
	"runners":    {"runners", "flow", "batch"},
	"pipelines":  {"pipelines", "transforms", "io", "runners", "flow", "batch"},
	"cmd":        {"cmd", "transforms", "io", "runners", "flow", "batch"},
}

var (
	topFolders       = []string{".", ".ci", ".github", "batch", "cmd", "docs", "flow", "io", "pipelines", "runners", "transforms"}
	forbiddenFolders = []string{"util", "utils", "common", "helper", "helpers", "core", "manager", "pkg"}
)

// checkImports checks the direction of imports. What only serves tests may also run a pipeline, so it may import
// runners; nothing else may import test support.
func (s *source) checkImports() {
	top, _, _ := strings.Cut(s.path, "/")
	for _, i := range s.file.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		rel, ours := strings.CutPrefix(name, module+"/")
		if err != nil || !ours {
			continue
		}
		to, _, _ := strings.Cut(rel, "/")
		if !slices.Contains(layers[top], to) && !(s.isTest() && to == "runners") {
			s.add(i.Pos(), "imports", "%s must not import %s", top, rel)
		}
		if isTestPackage(rel) && !s.isTest() {
			s.add(i.Pos(), "imports", "%s is for tests only", rel)
		}
	}
	if path.Dir(path.Dir(s.path)) == "io" && !s.isTest() {
		s.checkConnector()
	}
}

// checkConnector checks that the parts of a connector lie in the files of their names.
func (s *source) checkConnector() {
	hub, file := path.Base(path.Dir(s.path))+".go", path.Base(s.path)
	if doc := s.file.Doc; doc != nil && file != hub {
		s.add(s.file.Pos(), "connector", "the package comment belongs in %s", hub)
	} else if file == hub {
		for _, word := range []string{"Delivery:", "Order:", "Positions:"} {
			if !strings.Contains(doc.Text(), word) {
				s.add(s.file.Pos(), "connector", "the package comment says nothing about %q", word)
			}
		}
	}
	homes := map[string]string{"Read": "read.go", "ReadAll": "read.go", "Write": "write.go"}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if home, ok := homes[d.Name.Name]; ok && d.Recv == nil && file != home {
				s.add(d.Pos(), "connector", "%s belongs in %s", d.Name.Name, home)
			}
		case *ast.GenDecl:
			if name := sentinel(d); name != "" && file != "errors.go" {
				s.add(d.Pos(), "connector", "%s belongs in errors.go", name)
			}
		}
	}
}

// sentinel gives the name of an exported error variable that d declares.
func sentinel(d *ast.GenDecl) string {
	if d.Tok != token.VAR {
		return ""
	}
	for _, spec := range d.Specs {
		for _, n := range spec.(*ast.ValueSpec).Names {
			if strings.HasPrefix(n.Name, "Err") {
				return n.Name
			}
		}
	}
	return ""
}

// checkFolder checks the name of a folder and, for a connector, the files that it has.
func checkFolder(dir string, names []string) []fault {
	var out []fault
	add := func(format string, args ...any) {
		out = append(out, fault{dir, 0, "folder", fmt.Sprintf(format, args...)})
	}
	parts := strings.Split(dir, "/")
	if !slices.Contains(topFolders, parts[0]) {
		add("%q is no folder of this project: %s", parts[0], strings.Join(topFolders[1:], ", "))
	}
	for _, p := range parts {
		if slices.Contains(forbiddenFolders, p) {
			add("%q says nothing about what is in it", p)
		}
	}
	if path.Dir(dir) != "io" || isTestPackage(dir) {
		return out
	}
	for _, want := range []string{parts[1] + ".go", "errors.go", "example_test.go", "conform_test.go"} {
		if !slices.Contains(names, want) {
			add("a connector has a file %s", want)
		}
	}
	if !slices.Contains(names, "read.go") && !slices.Contains(names, "write.go") {
		add("a connector has a file read.go or write.go")
	}
	return out
}
