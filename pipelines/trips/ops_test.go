package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace-io/millrace/runners"
)

// await waits until a condition holds.
func (s *site) await(what string, holds func() bool) {
	s.t.Helper()
	s.poll(what, 20*time.Millisecond, holds)
}

// poll is await for conditions that cost something.
func (s *site) poll(what string, every time.Duration, holds func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s: not within 60 s", what)
		case <-tick.C:
		}
	}
}

// through names the last object that says how far the commits of the sink trips are done.
func (s *site) through() string {
	entries, err := os.ReadDir(filepath.Join(s.lake, ".millrace", "trips-test", "ledger", "trips", "through"))
	if err != nil || len(entries) == 0 {
		return ""
	}
	return entries[len(entries)-1].Name()
}

// awaitCommit waits until more is published than before.
func (s *site) awaitCommit(before string) {
	s.t.Helper()
	s.await("a commit behind "+before, func() bool { return s.through() > before })
}

// must runs the command in this process and checks its exit code and words of what it says.
func (s *site) must(want int, words string, more ...string) string {
	s.t.Helper()
	code, out, errs := s.run(more...)
	if code != want || !strings.Contains(out+errs, words) {
		s.t.Fatalf("%v: exit code %d, want %d with %q\n%s%s", more, code, want, words, out, errs)
	}
	return out + errs
}

// ends waits for the end of a child and checks its exit code and words of what it says.
func (s *site) ends(c *child, want int, words string) {
	s.t.Helper()
	code, err := c.wait(60 * time.Second)
	if err != nil || code != want || !strings.Contains(c.out.String(), words) {
		s.t.Fatalf("exit code %d, %v, want %d with %q\n%s", code, err, want, words, c.out.String())
	}
}

// signal sends a signal to a child.
func (s *site) signal(c *child, sig syscall.Signal) {
	s.t.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// equal checks the lake against the truth, and that nothing is left behind in its places.
func (s *site) equal(tr *truth) {
	s.t.Helper()
	tr.checkTrips(s.lake)
	for _, root := range []string{s.lake, filepath.Dir(s.dead)} {
		err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
			if strings.HasPrefix(e.Name(), ".tmp-") || strings.Contains(path, "/pieces/trips/") {
				s.t.Errorf("left behind: %s", path)
			}
			return err
		})
		if err != nil {
			s.t.Error(err)
		}
	}
}

// One process holds a job. A second one names it and ends, takes it over when told to, and after a crash needs no clean-up,
// even if another process has the dead one's number by then.
func TestOneHolder(t *testing.T) {
	s := newSite(t).withHistory("2019-01").withKafka()
	stream := marchStream(t)
	tr := newTruth(t, []string{"2019-01"}, stream)
	first := s.child(nil)
	s.awaitCommit("")
	held := fmt.Sprintf("held by process %d (", first.cmd.Process.Pid)
	s.must(runners.ExitHeld, held)
	s.must(runners.ExitHeld, held, "reset", "--keep")
	s.must(runners.ExitHeld, held, "resolve", "trips", "2", "--void")
	s.must(runners.ExitOK, fmt.Sprintf("running in process %d (", first.cmd.Process.Pid), "status")
	s.produce(stream[:len(stream)/2])

	second := s.child(nil, "--takeover")
	s.ends(first, -1, "")
	s.poll("the takeover", 200*time.Millisecond, func() bool {
		_, out, _ := s.run("status")
		return strings.Contains(out, fmt.Sprintf("process %d (", second.cmd.Process.Pid))
	})
	s.awaitCommit(s.through())
	second.kill()
	s.must(runners.ExitOK, "its process died; the next run goes on", "status")

	foreign := exec.Command("sleep", "60")
	if err := foreign.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = foreign.Process.Kill(); _ = foreign.Wait() }()
	s.signAs(foreign.Process.Pid)
	s.produceFrom(stream, len(stream)/2, len(stream))
	s.must(runners.ExitOK, "finished", "--takeover", "--until-idle=500ms")
	if err := foreign.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a process that has the number of a dead one was killed: %v", err)
	}
	s.equal(tr)
	s.must(runners.ExitOK, "nothing new")
	s.must(runners.ExitOK, "complete", "status")
}

// signAs gives the lock the process number that a dead holder would have.
func (s *site) signAs(pid int) {
	s.t.Helper()
	path := filepath.Join(s.dir, "job", "lock")
	data, err := os.ReadFile(path)
	var holder map[string]any
	if err == nil {
		err = json.Unmarshal(data, &holder)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	holder["pid"] = pid
	if data, err = json.Marshal(holder); err == nil {
		err = os.WriteFile(path, append(data, '\n'), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// A process that was stopped, and whose job a copy of its directory went on with, publishes nothing when it goes on, and says
// why. The copy has deleted nothing that the loser could still have published.
func TestZombie(t *testing.T) {
	s := newSite(t).withHistory("2019-01").withKafka()
	stream := marchStream(t)
	tr := newTruth(t, []string{"2019-01"}, stream)
	third := len(stream) / 3
	zombie := s.child(nil)
	s.awaitCommit("")
	s.produce(stream[:third])
	s.awaitCommit(s.through())
	s.signal(zombie, syscall.SIGSTOP)
	s.await("the stop", func() bool { return stopped(zombie.cmd.Process.Pid) })
	job2 := filepath.Join(s.dir, "job2")
	if out, err := exec.Command("cp", "-a", filepath.Join(s.dir, "job"), job2).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	other := s.child(nil, "--job="+job2)
	s.produceFrom(stream, third, 2*third)
	for _, sink := range []string{"trips", "hours", "dead-letters"} { // the first history with a commit of its own wins
		s.await("a commit of the copy in "+sink, func() bool { return s.published(sink, 2) })
	}
	s.signal(zombie, syscall.SIGCONT)
	s.produceFrom(stream, 2*third, len(stream))
	s.ends(zombie, runners.ExitFenced, "a later start of the job has published (FENCED); end this process, the other one goes on")
	s.awaitTrips(tr)
	s.must(runners.ExitOK, "finished", "drain", "--close", "--job="+job2)
	s.ends(other, runners.ExitOK, "finished")
	code, out, errs := s.run() // by the commit it meets first: one of its first start, or a new one
	if code != runners.ExitFenced && code != runners.ExitRefused {
		t.Errorf("the loser started again: exit code %d\n%s%s", code, out, errs)
	}
	s.must(runners.ExitOK, "nothing new", "--job="+job2)
	s.equal(tr)
}

// awaitTrips waits until all trips are in the lake.
func (s *site) awaitTrips(tr *truth) {
	s.t.Helper()
	s.poll("all trips in the lake", time.Second, func() bool {
		lost, _ := tr.diffTrips(s.lake)
		return lost == 0
	})
}

// published says whether a commit that a start of the job has cut is done.
func (s *site) published(sink string, start int) bool {
	s.t.Helper()
	root := s.lake
	if sink == "dead-letters" {
		root = filepath.Dir(s.dead)
	}
	done, err := filepath.Glob(filepath.Join(root, ".millrace", "trips-test", "ledger", sink, "*.done"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range done {
		var claim struct{ Epoch int }
		data, err := os.ReadFile(strings.TrimSuffix(d, "done") + "claim")
		if err == nil {
			err = json.Unmarshal(data, &claim)
		}
		if err == nil && claim.Epoch == start {
			return true
		}
	}
	return false
}

func stopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T"))
}

// What does not belong together is refused until an operator says what to do, and does exactly that.
func TestResetAndLosses(t *testing.T) {
	s := newSite(t).withHistory("2019-01")
	tr := newTruth(t, []string{"2019-01"}, nil)
	remove := func(paths ...string) {
		t.Helper()
		for _, p := range paths {
			if err := os.RemoveAll(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	whole := func() {
		t.Helper()
		s.must(runners.ExitOK, "finished")
		s.equal(tr)
	}
	whole()

	remove(s.lake) // with its ledger
	s.must(runners.ExitRefused, "its ledger in")
	s.must(runners.ExitUsage, "reset needs one of --keep", "reset")
	s.must(runners.ExitOK, "begins anew", "reset", "--keep")
	remove(s.dead)
	s.must(runners.ExitRefused, "was deleted or moved")
	s.must(runners.ExitOK, "begins anew", "reset", "--replace")
	whole()

	remove(filepath.Join(s.dir, "job"))
	s.must(runners.ExitRefused, "the job's directory was lost or is another one")
	s.must(runners.ExitOK, "begins anew", "reset", "--replace")
	whole()

	remove(filepath.Join(s.lake, "trips"))
	s.must(runners.ExitRefused, "was deleted or moved")
	s.must(runners.ExitOK, "begins anew", "reset", "--replace")
	whole()

	remove(filepath.Join(s.lake, ".millrace"))
	s.must(runners.ExitRefused, "its ledger in")
	s.must(runners.ExitOK, "begins anew", "reset", "--replace")
	whole()

	s.must(runners.ExitOK, "begins anew", "reset", "--keep")
	s.must(runners.ExitOK, "finished")
	if lost, doubled := tr.diffTrips(s.lake); lost != 0 || doubled != tr.count("SELECT * FROM want_trips") {
		t.Errorf("after reset --keep: %d lost, %d twice", lost, doubled)
	}
	remove(filepath.Join(s.dir, "job"))
	s.must(runners.ExitRefused, "was lost", "--name=trips-test")
	s.must(runners.ExitRefused, "what sink \"trips\" of job \"trips-test\" publishes", "--name=another", "--job="+filepath.Join(s.dir, "job3"))
}

// A claim that a crash has left open can be ended by hand; the job goes on behind it.
func TestResolve(t *testing.T) {
	s := newSite(t).withHistory("2019-01")
	tr := newTruth(t, []string{"2019-01"}, nil)
	s.ends(s.child([]string{"MILLRACE_FAILPOINT=publish/after-claim:4"}), -1, "") // each of the three sinks begins with a claim
	status := s.must(runners.ExitOK, "commit 2 is claimed and not done", "status")
	before, _, _ := strings.Cut(status, "           commit 2")
	_, sink, _ := strings.Cut(before[strings.LastIndex(before, "sink"):], "sink       ")
	sink, _, _ = strings.Cut(sink, ":")
	s.must(runners.ExitUsage, "resolve needs one of --publish", "resolve", sink, "2")
	s.must(runners.ExitUsage, `"two" is no number`, "resolve", sink, "two", "--void")
	s.must(runners.ExitFailed, "the sinks are trips, hours, dead-letters", "resolve", "lake", "2", "--void")
	s.must(runners.ExitFailed, "it is done; there is nothing to resolve", "resolve", sink, "1", "--void")
	s.must(runners.ExitOK, "commit 2 of sink "+sink+" is resolved", "resolve", sink, "2", "--publish")
	if out := s.must(runners.ExitOK, "through 2", "status"); strings.Contains(out, "not done") {
		t.Errorf("still open:\n%s", out)
	}
	s.must(runners.ExitOK, "finished")
	s.equal(tr)
}

// However a run is asked to stop, what was read is published, and the next run goes on; closed, the job is finished.
func TestStops(t *testing.T) {
	s := newSite(t).withHistory("2019-01").withKafka()
	stream := marchStream(t)
	tr := newTruth(t, []string{"2019-01"}, stream)
	sent := 0
	send := func() {
		next := min(sent+len(stream)/5+1, len(stream))
		s.produceFrom(stream, sent, next)
		sent = next
	}
	s.must(runners.ExitOK, "is not running (never started)", "cancel")
	run := func(stop func(*child)) {
		t.Helper()
		before := s.through()
		p := s.child(nil)
		send()
		s.awaitCommit(before)
		stop(p)
		s.ends(p, runners.ExitOK, "stopped after")
		s.allPublished()
	}
	run(func(*child) { s.must(runners.ExitOK, ": stopped", "cancel") })
	run(func(*child) { s.must(runners.ExitOK, ": stopped", "drain") })
	run(func(p *child) { s.signal(p, syscall.SIGTERM) })
	send()
	s.must(runners.ExitOK, "stopped after", "--until=now")
	s.allPublished()
	last := s.child(nil)
	send()
	s.awaitTrips(tr)
	s.must(runners.ExitOK, ": finished", "drain", "--close")
	s.ends(last, runners.ExitOK, "finished after")
	s.must(runners.ExitOK, "nothing new")
	tr.checkTrips(s.lake)
	tr.checkHours(s.lake, tr.late(s.dead))
}

// A second signal ends the process at once, as a crash does.
func TestTwoSignals(t *testing.T) {
	s := newSite(t).withHistory("2019-01").withKafka()
	tr := newTruth(t, []string{"2019-01"}, nil)
	p := s.child(nil)
	s.awaitCommit("0000000001")  // the beginning
	s.signal(p, syscall.SIGSTOP) // so that both are there before the first one has had its effect
	s.await("the stop", func() bool { return stopped(p.cmd.Process.Pid) })
	s.signal(p, syscall.SIGTERM)
	s.signal(p, syscall.SIGINT)
	s.signal(p, syscall.SIGCONT)
	s.ends(p, runners.ExitSigTwice, "")
	s.must(runners.ExitOK, "its process died", "status")
	s.must(runners.ExitOK, "finished", "--until-idle=500ms")
	s.equal(tr)
}

// allPublished checks that the last run left nothing staged.
func (s *site) allPublished() {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, "summary.json"))
	var res runners.Result
	if err == nil {
		err = json.Unmarshal(data, &res)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for _, a := range res.Sinks {
		if a.Waiting != 0 {
			s.t.Errorf("sink %s: %d rows were read and are not published", a.Step, a.Waiting)
		}
	}
}
