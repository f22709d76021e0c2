package iotest

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/support.md")

const supportPage = "../../docs/support.md"

func TestSupportPage(t *testing.T) {
	want := Support(Connectors())
	if *update {
		if err := os.WriteFile(supportPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(supportPage)
	if diff := cmp.Diff(string(want), string(got)); err != nil || diff != "" {
		t.Errorf("%v: write it with go test ./io/iotest -update\n%s", err, diff)
	}
}

// Every connector is in the table.
func TestConnectorsAreAll(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasSuffix(e.Name(), "test") {
			want = append(want, e.Name())
		}
	}
	for _, f := range Connectors() {
		have = append(have, f.Connector)
	}
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}
