package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
)

var errCrash = errors.New("crash")

// run runs a job until it has read all partitions to their ends, through crashes before the given commits, and gives all it
// has published.
func (c *cluster) run(o Options, job runners.Options, crashes ...int64) (ids []int64, rejected int) {
	c.t.Helper()
	parts, err := mustSource(c.t, o).Partitions(ctx(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	type row struct{ ID *int64 }
	var rows *flow.Collection[row]
	var dead *flow.Collection[struct{ Reason string }]
	for done := false; !done; {
		job.OnCommit = func(n int64) error {
			if len(crashes) > 0 && n >= crashes[0] {
				return errCrash
			}
			return nil
		}
		until, stop := context.WithCancel(ctx(c.t))
		job.Every = 10 * time.Millisecond
		job.OnProgress = func(p runners.Progress) {
			if len(p.Partitions) == len(parts) && p.Lag == 0 && !slices.ContainsFunc(p.Partitions, func(s flow.PartStatus) bool { return !s.CaughtUp }) {
				stop()
			}
		}
		_, err := runners.Run(until, func(p *flow.Pipeline) {
			in := Read(p, "in", o)
			rows = flow.Collect[row]("rows", in.Rows)
			dead = flow.Collect[struct{ Reason string }]("dead", in.Rejected)
		}, job)
		stop()
		if done = !errors.Is(err, errCrash); done && err != nil {
			c.t.Fatal(err)
		}
		if !done {
			crashes = crashes[1:]
		}
	}
	all, err := rows.Rows(ctx(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range all {
		ids = append(ids, *r.ID)
	}
	letters, err := dead.Rows(ctx(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	slices.Sort(ids)
	return ids, len(letters)
}

// fill writes n records with ids from first on, every fifth of them broken, over the partitions of a topic.
func (c *cluster) fill(topic string, parts int32, first, n int64) (good []int64) {
	c.t.Helper()
	for id := first; id < first+n; id++ {
		r := rec(topic, fmt.Sprintf(`{"id":%d}`, id), id)
		if id%5 == 4 {
			r.Value = r.Value[1:]
		} else {
			good = append(good, id)
		}
		r.Partition = int32(id) % parts
		c.produce(r)
	}
	return good
}

func TestEachRecordOnceThroughCrashes(t *testing.T) {
	c := fake(t)
	for _, crashes := range [][]int64{nil, {1}, {2, 1, 2}, {4, 3, 5}, {7, 2}} {
		t.Run(fmt.Sprint(crashes), func(t *testing.T) {
			c := &cluster{t: t, brokers: c.brokers, cl: c.cl, adm: c.adm, fake: c.fake}
			topic := c.topic(3)
			o := c.options(topic)
			o.BatchRows = 7
			job := runners.Options{Pipeline: "test", Name: "test", Job: t.TempDir(), Workers: 2, Stores: &flow.Stores{}}
			want := c.fill(topic, 3, 0, 60)
			got, rejected := c.run(o, job, crashes...)
			if diff := cmp.Diff(want, got); diff != "" || rejected != 12 {
				t.Errorf("%d rejected\n%s", rejected, diff)
			}
			want = append(want, c.fill(topic, 3, 60, 30)...)
			got, rejected = c.run(o, job, crashes...)
			if diff := cmp.Diff(want, got); diff != "" || rejected != 18 {
				t.Errorf("second run: %d rejected\n%s", rejected, diff)
			}
		})
	}
}

// BR-044, as a job: what is written to a partition that appeared between two runs is read from its beginning.
func TestLatestIsTheEndAtTheFirstStart(t *testing.T) {
	c := fake(t)
	topic := c.topic(1)
	c.fill(topic, 1, 0, 3)
	o := c.options(topic)
	o.Start, o.Discover = Latest, 100*time.Millisecond
	job := runners.Options{Pipeline: "test", Name: "test", Job: t.TempDir(), Stores: &flow.Stores{}}
	if got, _ := c.run(o, job); got != nil {
		t.Errorf("records before the start: %v", got)
	}
	if _, err := c.adm.UpdatePartitions(ctx(t), 3, topic); err != nil {
		t.Fatal(err)
	}
	connect(t, c)
	want := c.fill(topic, 3, 100, 100)
	got, rejected := c.run(o, job)
	if diff := cmp.Diff(want, got); diff != "" || rejected != 20 {
		t.Errorf("%d rejected\n%s", rejected, diff)
	}
}
