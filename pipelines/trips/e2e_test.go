package main

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/pipelines/trips/tlc"
	"github.com/millrace-io/millrace/runners"
)

// The history alone: no row is late, so the lake's hours are the truth by themselves.
func TestHistoryAlone(t *testing.T) {
	s := newSite(t).withHistory("2019-01", "2019-02")
	tr := newTruth(t, []string{"2019-01", "2019-02"}, nil)
	code, out, errs := s.run()
	if code != runners.ExitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	tr.checkTrips(s.lake)
	tr.checkHours(s.lake, "")
	if strings.Contains(out, "DOES NOT BALANCE") {
		t.Errorf("the account does not balance:\n%s", out)
	}
	code, out, errs = s.run()
	if code != runners.ExitOK || !strings.Contains(out, "nothing new") {
		t.Errorf("the second run: exit code %d\n%s%s", code, out, errs)
	}
	tr.checkTrips(s.lake)
}

func marchStream(t *testing.T) [][]byte {
	t.Helper()
	recs, err := tlc.Stream("2019-03", tlc.StreamOptions{
		Seed: 1, Disorder: 5 * time.Minute, Doubled: 20, Broken: 10, Late: 10, LateBy: 20 * time.Hour, Vendors: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return recs
}

// History and stream together, with disorder, doubled, broken and late records.
func TestHistoryAndStream(t *testing.T) {
	s := newSite(t).withHistory("2019-01", "2019-02").withKafka()
	stream := marchStream(t)
	s.produce(stream)
	tr := newTruth(t, []string{"2019-01", "2019-02"}, stream)
	code, out, errs := s.run("--until-idle=500ms")
	if code != runners.ExitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	t.Logf("\n%s", out)
	tr.checkTrips(s.lake)
	tr.checkHours(s.lake, tr.late(s.dead))
	if strings.Contains(out, "DOES NOT BALANCE") {
		t.Errorf("the account does not balance:\n%s", out)
	}
}
