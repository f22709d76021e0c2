package millrace_test

import (
	"go/ast"
	"go/token"
	"strings"
)

// checkExported checks that exported names have comments and exported functions take and give no any.
func (s *source) checkExported() {
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d.Recv) {
				s.checkAny(d.Name.Name, d.Type)
				s.wantComment(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				s.checkSpec(d, spec)
			}
		}
	}
}

func (s *source) checkSpec(d *ast.GenDecl, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			return
		}
		s.wantComment(spec.Name, d.Doc, spec.Doc, spec.Comment)
		switch t := spec.Type.(type) {
		case *ast.InterfaceType:
			for _, m := range t.Methods.List {
				if f, ok := m.Type.(*ast.FuncType); ok && !strings.Contains(s.path, "/internal/") {
					s.checkAny(m.Names[0].Name, f)
					s.wantComment(m.Names[0], m.Doc, m.Comment)
				}
			}
		case *ast.FuncType:
			s.checkAny(spec.Name.Name, t)
		case *ast.StructType:
			if strings.HasSuffix(spec.Name.Name, "Options") {
				s.checkFields(t)
			}
		}
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			s.wantComment(name, d.Doc, spec.Doc, spec.Comment)
		}
	}
}

// checkFields checks that every exported field of an options struct has a comment, or a help tag if it is a flag.
func (s *source) checkFields(t *ast.StructType) {
	for _, f := range t.Fields.List {
		if f.Tag != nil && strings.Contains(f.Tag.Value, "help:") {
			continue
		}
		for _, name := range f.Names {
			s.wantComment(name, f.Doc, f.Comment)
		}
	}
}

// wantComment asks for a comment on an exported name. Error, Unwrap and String mean what the standard library says.
func (s *source) wantComment(name *ast.Ident, docs ...*ast.CommentGroup) {
	known := name.Name == "Error" || name.Name == "Unwrap" || name.Name == "String"
	if !name.IsExported() || known || strings.HasSuffix(s.path, "_test.go") {
		return
	}
	for _, d := range docs {
		if d != nil {
			return
		}
	}
	s.add(name.Pos(), "comment", "%s has no comment", name.Name)
}

// checkAny finds any and interface{} in parameters and results, at any depth. The arguments of a printf-like function
// are allowed: vet checks them against the format. Type parameters are constraints and are not looked at.
func (s *source) checkAny(name string, t *ast.FuncType) {
	fields := t.Params.List
	if n := len(fields); n > 1 && isFormat(fields[n-2]) && isVariadic(fields[n-1]) {
		fields = fields[:n-1]
	}
	if t.Results != nil {
		fields = append(fields[:len(fields):len(fields)], t.Results.List...)
	}
	for _, f := range fields {
		ast.Inspect(f.Type, func(n ast.Node) bool {
			if isAny(n) {
				s.add(n.Pos(), "any", "%s is exported and has an any among its parameters or results", name)
			}
			return true
		})
	}
}

func isAny(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name == "any"
	case *ast.InterfaceType:
		return n.Methods.NumFields() == 0
	}
	return false
}

func isFormat(f *ast.Field) bool {
	return len(f.Names) > 0 && f.Names[len(f.Names)-1].Name == "format"
}

func isVariadic(f *ast.Field) bool {
	_, ok := f.Type.(*ast.Ellipsis)
	return ok
}

// exportedReceiver says whether a method's type is exported; functions have no receiver and count as exported.
func exportedReceiver(recv *ast.FieldList) bool {
	if recv.NumFields() == 0 {
		return true
	}
	t := recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return token.IsExported(x.Name)
		default:
			return true
		}
	}
}
