package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow/failpoint"
	"github.com/millrace-io/millrace/runners"
)

var (
	crashes   = flag.Int("crash.random", 5, "useful kills at random moments")
	crashSeed = flag.Uint64("crash.seed", 1, "seed of the random moments")
)

// TestCrash kills the pipeline with SIGKILL, once at every failpoint of the commit and publish paths, at some of them a random
// number of times later, and then at random moments, while the stream goes on. After every kill the lake is whole for a plain listing and has no row twice; in the end it
// is the truth.
//
// A random kill is useful if a commit was published since the kill before and rows were read that are not published;
// kills that are not are repeated, and counted apart.
func TestCrash(t *testing.T) {
	c := &crashTest{site: newSite(t).withHistory("2019-01", "2019-02").withKafka(), t: t, rand: rand.New(rand.NewPCG(*crashSeed, 2))}
	c.stream = marchStream(t)
	c.truth = newTruth(t, []string{"2019-01", "2019-02"}, c.stream)
	points := segmentsFirst(failpoint.Names())
	for _, name := range []string{"stage/after-sync", "publish/file-renamed", "publish/after-done"} {
		points = append(points, fmt.Sprintf("%s:%d", name, 2+c.rand.IntN(20)))
	}
	for range 12 { // between any two commits of the store
		points = append(points, fmt.Sprintf("store/after-batch:%d", 2+c.rand.IntN(14)))
	}
	c.perKill = max(1, len(c.stream)/(2*(len(points)+*crashes)))
	for _, name := range points {
		c.atFailpoint(name)
	}
	for tries := 0; c.useful < *crashes && tries < 3**crashes; tries++ {
		c.atRandom()
	}
	c.produceNext(len(c.stream))
	last := c.site.child(nil, "--until-idle=1s")
	if code, err := last.wait(2 * time.Minute); err != nil || code != runners.ExitOK {
		t.Fatalf("the last run: exit code %d, %v\n%s", code, err, last.out.String())
	}
	c.truth.checkHours(c.site.lake, c.truth.late(c.site.dead))
	lost, doubled := c.truth.diffTrips(c.site.lake)
	if lost != 0 || doubled != 0 || c.useful < *crashes {
		t.Fail()
	}
	fmt.Printf("kills %d, useful %d, rows %d, lost %d, doubled %d\n", c.kills, c.useful, c.truth.count("SELECT * FROM want_trips"), lost, doubled)
}

// segmentsFirst puts the failpoints of large values in front: only the history has any.
func segmentsFirst(points []string) []string {
	first := []string{"store/before-segment-sync", "store/after-segment-sync"}
	for _, p := range points {
		if p != first[0] && p != first[1] {
			first = append(first, p)
		}
	}
	return first
}

type crashTest struct {
	site    *site
	t       *testing.T
	truth   *truth
	rand    *rand.Rand
	stream  [][]byte
	next    int
	perKill int

	kills, useful int
}

// produceNext writes the next n records.
func (c *crashTest) produceNext(n int) {
	end := min(c.next+n, len(c.stream))
	c.site.produceFrom(c.stream, c.next, end)
	c.next = end
}

// feed produces until stop is closed, a little at a time.
func (c *crashTest) feed(stop <-chan struct{}) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			if i < 20 {
				c.produceNext(max(1, c.perKill/40))
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return done
}

// atFailpoint runs until the process kills itself at the failpoint.
func (c *crashTest) atFailpoint(name string) {
	c.t.Helper()
	c.produceNext(c.perKill / 2) // so that the first commits of the process are of rows that were just read
	stop := make(chan struct{})
	fed := c.feed(stop)
	p := c.site.child([]string{failpoint.Env + "=" + name})
	code, err := p.wait(60 * time.Second)
	close(stop)
	<-fed
	if err != nil || code != -1 {
		c.t.Fatalf("failpoint %s was not reached: exit code %d, %v\n%s", name, code, err, p.out.String())
	}
	c.kills++
	c.check("failpoint " + name)
}

// atRandom kills at a random moment behind the next commit.
func (c *crashTest) atRandom() {
	c.t.Helper()
	before := c.through()
	stop := make(chan struct{})
	fed := c.feed(stop)
	p := c.site.child(nil)
	limit := time.After(60 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.through() == before || c.pieces() == 0 {
		select {
		case <-limit:
			c.t.Fatalf("no commit within 60 s\n%s", p.out.String())
		case <-p.done:
			c.t.Fatalf("the pipeline ended by itself: %v\n%s", p.err, p.out.String())
		case <-tick.C:
		}
	}
	<-time.After(time.Duration(c.rand.Int64N(int64(300 * time.Millisecond))))
	p.kill()
	close(stop)
	<-fed
	c.kills++
	if c.through() != before && c.pieces() > 0 {
		c.useful++
	}
	c.check("random kill")
}

// through gives the ledger's last object that says how far commits are done.
func (c *crashTest) through() string {
	entries, err := os.ReadDir(filepath.Join(c.site.lake, ".millrace", "trips-test", "ledger", "trips", "through"))
	if err != nil || len(entries) == 0 {
		return ""
	}
	return entries[len(entries)-1].Name()
}

// pieces counts the staged objects, whose rows are read and not published.
func (c *crashTest) pieces() int {
	entries, err := os.ReadDir(filepath.Join(c.site.lake, ".millrace", "trips-test", "pieces", "trips"))
	if err != nil {
		return 0
	}
	return len(entries)
}

// check reads the whole lake as a plain reader does.
func (c *crashTest) check(when string) {
	c.t.Helper()
	files, err := filepath.Glob(c.site.lake + "/trips/*/*/*.parquet")
	if err != nil || len(files) == 0 {
		return
	}
	_, doubled := c.truth.diffTrips(c.site.lake)
	if doubled != 0 {
		c.t.Fatalf("after %s: %d rows too many in the lake", when, doubled)
	}
}
