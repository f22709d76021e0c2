package millrace_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// The budgets of the house style.
const (
	maxFileLines  = 400
	maxFuncLines  = 60
	maxParameters = 4
)

// fault is one breach of the house style.
type fault struct {
	path string
	line int
	rule string
	text string
}

func (f fault) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.path, f.line, f.rule, f.text) }

// source is a parsed Go file with the faults found in it.
type source struct {
	path   string
	fset   *token.FileSet
	file   *ast.File
	faults []fault
}

func (s *source) add(at token.Pos, rule, format string, args ...any) {
	s.faults = append(s.faults, fault{s.path, s.line(at), rule, fmt.Sprintf(format, args...)})
}

func (s *source) line(p token.Pos) int { return s.fset.Position(p).Line }

// isTest says whether the file only serves tests: a _test.go file, or a package of test support such as flow/flowtest.
func (s *source) isTest() bool {
	return strings.HasSuffix(s.path, "_test.go") || isTestPackage(path.Dir(s.path))
}

func isTestPackage(dir string) bool { return strings.HasSuffix(dir, "test") }

// checkSource applies every rule about one Go file.
func checkSource(name, text string) []fault {
	s := &source{path: name, fset: token.NewFileSet()}
	file, err := parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return []fault{{name, 0, "parse", err.Error()}}
	}
	s.file = file
	if n := strings.Count(text, "\n"); n > maxFileLines {
		s.add(file.End(), "file-lines", "%d lines, the budget is %d: split it by noun", n, maxFileLines)
	}
	s.checkShape()
	s.checkImports()
	s.checkExported()
	if s.isTest() {
		s.checkSleep()
	}
	return s.faults
}

// checkShape checks functions: their length, their parameters and their names. Beam calls ProcessElement and OnTimer by
// reflection and wants state, timers and each output as a parameter of its own, so the budget leaves these two out.
func (s *source) checkShape() {
	var beams *ast.FuncType
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			s.checkLength(n.Name.Name, n)
			if n.Recv != nil && (n.Name.Name == "ProcessElement" || n.Name.Name == "OnTimer") {
				beams = n.Type
			}
			if n.Recv == nil && n.Name.Name == "init" && s.path != "flow/register.go" {
				s.add(n.Pos(), "init", "only flow/register.go may have an init")
			}
		case *ast.FuncLit:
			s.checkLength("the function", n)
		case *ast.FuncType:
			if c := n.Params.NumFields(); c > maxParameters && n != beams {
				s.add(n.Pos(), "parameters", "%d parameters, the budget is %d: use a struct", c, maxParameters)
			}
		}
		return true
	})
}

func (s *source) checkLength(name string, n ast.Node) {
	if c := s.line(n.End()) - s.line(n.Pos()) + 1; c > maxFuncLines {
		s.add(n.Pos(), "func-lines", "%s has %d lines, the budget is %d", name, c, maxFuncLines)
	}
}

// checkSleep finds calls of time.Sleep, under whatever name the package is imported.
func (s *source) checkSleep() {
	clock := ""
	for _, i := range s.file.Imports {
		if i.Path.Value == `"time"` {
			if clock = "time"; i.Name != nil {
				clock = i.Name.Name
			}
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == clock {
				s.add(n.Pos(), "sleep", "a test waits for a signal or uses testing/synctest")
			}
		}
		return true
	})
}

var (
	machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9_.$}])/(work|root|farm|home/[a-z]+)/`)
	unfinished  = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b|(?i)\bfor ` + `now\b`)
)

// checkText applies the rules about words to any file that is text.
func checkText(name, text string) []fault {
	if strings.ContainsRune(text, 0) || name == "go.sum" || name == "LICENSE" {
		return nil
	}
	var out []fault
	for i, line := range strings.Split(text, "\n") {
		if m := machinePath.FindString(line); m != "" {
			out = append(out, fault{name, i + 1, "machine-path", fmt.Sprintf("%q is a path of one machine", strings.TrimSpace(m))})
		}
		if m := unfinished.FindString(line); m != "" && !strings.Contains(name, "testdata/") {
			out = append(out, fault{name, i + 1, "unfinished", fmt.Sprintf("%q: finish it, or write it in docs/roadmap.md", m)})
		}
	}
	return out
}
