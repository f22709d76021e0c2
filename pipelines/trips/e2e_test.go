package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// marchStream is March as it comes: with disorder, doubled, broken and late records.
func marchStream(t *testing.T) [][]byte {
	t.Helper()
	return march(t, tlc.StreamOptions{
		Seed: 1, Disorder: 5 * time.Minute, Doubled: 20, Broken: 10, Late: 10, LateBy: 20 * time.Hour, Vendors: true,
	})
}

func march(t *testing.T, o tlc.StreamOptions) [][]byte {
	t.Helper()
	recs, err := tlc.Stream("2019-03", o)
	if err != nil {
		t.Fatal(err)
	}
	return recs
}

// runThrough runs the pipeline while the records are produced over a while, so that the watermark moves between them, stops
// it, and runs it to its end.
func (s *site) runThrough(records [][]byte) {
	s.t.Helper()
	first := s.child(nil)
	const pieces = 100
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range pieces {
		<-tick.C
		s.produceFrom(records, i*len(records)/pieces, (i+1)*len(records)/pieces)
	}
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if code, err := first.wait(time.Minute); err != nil || code != runners.ExitOK {
		s.t.Fatalf("the first run: exit code %d, %v\n%s", code, err, first.out.String())
	}
	code, out, errs := s.run("--until-idle=1s")
	if code != runners.ExitOK {
		s.t.Fatalf("the second run: exit code %d\n%s%s", code, out, errs)
	}
	s.t.Logf("\n%s", out)
}

// History and stream together: whatever comes late, broken or doubled, trips and hours are the truth, and every record has
// its place.
func TestHistoryAndStream(t *testing.T) {
	s := newSite(t).withHistory("2019-01", "2019-02").withKafka()
	stream := marchStream(t)
	tr := newTruth(t, []string{"2019-01", "2019-02"}, stream)
	s.runThrough(stream)
	tr.checkTrips(s.lake)
	tr.checkHours(s.lake, tr.late(s.dead))
	s.checkAccount(tr, int64(20_000+len(stream)))
}

// A stream whose disorder is no more than allowed has no late row: the hours alone are the truth.
func TestStreamWithinItsDisorder(t *testing.T) {
	s := newSite(t).withKafka()
	stream := march(t, tlc.StreamOptions{Seed: 3, Disorder: 5 * time.Minute, Doubled: 20, Vendors: true})
	tr := newTruth(t, nil, stream)
	s.runThrough(stream)
	tr.checkTrips(s.lake)
	tr.checkHours(s.lake, "")
	s.checkAccount(tr, int64(len(stream)))
}

// checkAccount compares the summary with what was put in and with what lies in the lake and among the dead letters.
func (s *site) checkAccount(tr *truth, records int64) {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "summary.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var res runners.Result
	if err := json.Unmarshal(raw, &res); err != nil {
		s.t.Fatal(err)
	}
	letters := func(cause string) int64 {
		return tr.sum(fmt.Sprintf("SELECT weight FROM read_json('%s/**/*.jsonl', columns = {cause: 'VARCHAR', weight: 'BIGINT'}) WHERE cause = '%s'", s.dead, cause))
	}
	for _, a := range res.Sinks {
		if a.Read != records {
			s.t.Errorf("sink %s: %d records read, want %d", a.Step, a.Read, records)
		}
		if a.Step == "dead-letters" {
			continue
		}
		if a.Balanced == nil || !*a.Balanced || a.Held != 0 || a.Waiting != 0 {
			s.t.Errorf("the account does not balance: %+v", a)
		}
		if a.Step == "hours" && (a.Rejected != letters("rejected") || a.Late != letters("late")) {
			s.t.Errorf("%d rejected and %d late, but %d and %d dead letters", a.Rejected, a.Late, letters("rejected"), letters("late"))
		}
	}
}
