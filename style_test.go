// Package millrace_test holds what the whole repository must keep: the house style and the links in its documents.
package millrace_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// exception allows one rule to be broken by one file below runners/, with the reason.
type exception struct{ path, rule, reason string }

const beamsInterface = "Beam's exec.StateReader and exec.SideCache fix these parameters"

var exceptions = []exception{
	{"runners/direct/internal/fnio/state.go", "parameters", beamsInterface},
	{"runners/direct/internal/fnio/unsupported.go", "parameters", beamsInterface},
}

func TestStyle(t *testing.T) {
	var found []fault
	files := map[string][]string{} // folder -> file names
	for _, name := range repositoryFiles(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(name)
		files[dir] = append(files[dir], path.Base(name))
		found = append(found, checkText(name, string(text))...)
		if path.Ext(name) == ".go" {
			found = append(found, checkSource(name, string(text))...)
		}
	}
	for dir, names := range files {
		found = append(found, checkFolder(dir, names)...)
	}
	for _, f := range except(found, exceptions) {
		t.Error(f)
	}
}

// TestRepositoryIsWalked fails where the walk sees nothing, which would make TestStyle pass.
func TestRepositoryIsWalked(t *testing.T) {
	names := repositoryFiles(t)
	for _, want := range []string{"style_test.go", "go.mod", "batch/batch.go", "flow/register.go", ".ci/run"} {
		if !slices.Contains(names, want) {
			t.Errorf("the walk does not reach %s", want)
		}
	}
}

// repositoryFiles lists what the repository holds; build output and git's own files are left out.
func repositoryFiles(t *testing.T) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed by another process since its folder was read
			return nil
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "build"):
			return fs.SkipDir
		case d.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// except takes the allowed faults out, and adds one for each exception that is not allowed or that nothing needs.
func except(found []fault, allowed []exception) []fault {
	var out []fault
	used := make([]bool, len(allowed))
	for _, f := range found {
		i := slices.IndexFunc(allowed, func(e exception) bool { return e.path == f.path && e.rule == f.rule })
		if i < 0 {
			out = append(out, f)
			continue
		}
		used[i] = true
	}
	for i, e := range allowed {
		switch {
		case !strings.HasPrefix(e.path, "runners/") || e.reason == "":
			out = append(out, fault{e.path, 0, "exceptions", "only files below runners/ may have one, with its reason"})
		case !used[i]:
			out = append(out, fault{e.path, 0, "exceptions", fmt.Sprintf("nothing breaks %s any more: delete the exception", e.rule)})
		}
	}
	return out
}
