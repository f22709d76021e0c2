package millrace_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// page is one document.
type page struct {
	path  string
	lines []string // without what stands in code blocks
	text  string
}

func parsePage(name, text string) page {
	p := page{path: name, text: text}
	code := false
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code, line = !code, ""
		}
		if code {
			line = ""
		}
		p.lines = append(p.lines, line)
	}
	return p
}

func pages(t *testing.T) []page {
	t.Helper()
	var out []page
	for _, name := range repositoryFiles(t) {
		if path.Ext(name) == ".md" {
			out = append(out, parsePage(name, readFile(name)))
		}
	}
	return out
}

// readFile gives the text of a file of the repository, "" if there is none.
func readFile(name string) string {
	data, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(data)
}

func TestDocsLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, f := range checkLinks(p, readFile) {
			t.Error(f)
		}
	}
}

// TestDocsHavePages asks for a page for each connector and transform, and for a link to it.
func TestDocsHavePages(t *testing.T) {
	index := readFile("docs/README.md")
	var seen []string
	for _, name := range repositoryFiles(t) {
		dir := path.Dir(name)
		if parent := path.Dir(dir); parent != "io" && parent != "transforms" || path.Ext(name) != ".go" || isTestPackage(dir) {
			continue
		}
		if noun := path.Base(dir); noun != "internal" && !slices.Contains(seen, noun) {
			seen = append(seen, noun)
			if !strings.Contains(index, "("+noun+".md)") {
				t.Errorf("docs/README.md has no link to %s.md, the page of %s", noun, dir)
			}
		}
	}
	if len(seen) == 0 {
		t.Error("found no connector and no transform")
	}
}

var (
	link    = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	isTest  = regexp.MustCompile("^`((?:Test|Fuzz|Example)[A-Za-z0-9_]*)`$")
)

// checkLinks finds the links of a page that lead nowhere: no such file, no such heading, or, where the link's text is the
// name of a test, no such test in the file.
func checkLinks(p page, read func(string) string) []fault {
	var out []fault
	for i, line := range p.lines {
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			if f := checkLink(p, m[1], m[2], read); f != "" {
				out = append(out, fault{p.path, i + 1, "link", m[2] + ": " + f})
			}
		}
	}
	return out
}

func checkLink(p page, text, target string, read func(string) string) string {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return ""
	}
	name, anchor, _ := strings.Cut(target, "#")
	content := p.text
	if name != "" {
		name = path.Join(path.Dir(p.path), name)
		if content = read(name); content == "" && !isFolder(name) {
			return "there is no file " + name
		}
	}
	if anchor != "" && !slices.Contains(anchors(parsePage(name, content)), anchor) {
		return "there is no heading #" + anchor
	}
	if m := isTest.FindStringSubmatch(text); m != nil && !strings.Contains(content, "func "+m[1]+"(") {
		return "there is no " + m[1]
	}
	return ""
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// anchors gives the anchors of a page's headings, as forges make them.
func anchors(p page) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(strings.Join(p.lines, "\n"), -1) {
		out = append(out, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return out
}

func TestLinkRulesCatch(t *testing.T) {
	files := map[string]string{
		"docs/b.md":      "# One Thing: two!\n```\n# no heading\n```\n",
		"flow/x_test.go": "func TestX(t *testing.T) {}\n",
	}
	read := func(name string) string { return files[name] }
	text := strings.Join([]string{
		"[b](b.md) [one](b.md#one-thing-two) [x](../flow/x_test.go) [web](https://example.org/none) [here](#top)",
		"[gone](gone.md) [gone](b.md#no-heading) [gone](#gone)",
		"```",
		"[in code](gone.md)",
		"```",
		"# Top",
		"[`TestX`](../flow/x_test.go)",
		"[`TestY`](../flow/x_test.go)",
	}, "\n")
	wantFaults(t, checkLinks(parsePage("docs/a.md", text), read), []string{"2 link", "2 link", "2 link", "8 link"})
}
