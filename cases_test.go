package millrace_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cases are those that docs/cases.md has to show.
var cases = strings.Fields("001 002 004 005 007 008 022 023 025 028 029 034 035 037 038 040 041 043 044 046 047 049 050 053 065 071 073 076 077 080 082 083 085 086")

var caseRow = regexp.MustCompile(`^\| BR-(\d{3}) \|.* \| ([^|]+) \|$`)

// TestDocsCases asks for a row with tests for each case. TestDocsLinks checks that the tests exist.
func TestDocsCases(t *testing.T) {
	if diff := cmp.Diff(cases, shownCases(readFile("docs/cases.md"))); diff != "" {
		t.Errorf("docs/cases.md (-want +got)\n%s", diff)
	}
}

// shownCases gives the cases of a page that name nothing but tests behind them.
func shownCases(text string) (ids []string) {
	for _, line := range strings.Split(text, "\n") {
		m := caseRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		links := link.FindAllStringSubmatch(m[2], -1)
		other := slices.ContainsFunc(links, func(l []string) bool { return !isTest.MatchString(l[1]) })
		if len(links) > 0 && !other {
			ids = append(ids, m[1])
		}
	}
	return ids
}

func TestCaseRulesCatch(t *testing.T) {
	text := strings.Join([]string{
		"| BR-001 | a | b | [`TestA`](../a_test.go), [`TestB`](../b_test.go) |",
		"| BR-002 | a | b | not yet |",
		"| BR-003 | a | b | [`TestA`](../a_test.go), [a page](a.md) |",
		"BR-004 [`TestA`](../a_test.go)",
	}, "\n")
	if diff := cmp.Diff([]string{"001"}, shownCases(text)); diff != "" {
		t.Error(diff)
	}
}
