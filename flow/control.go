package flow

import (
	"sync"
	"sync/atomic"
	"time"
)

// Control is how a run is asked to end. Its methods may be called from any goroutine.
type Control struct {
	// UntilIdle, if not zero, ends the job when every source has been read to its end for that long, by proof:
	// windows close and sinks complete.
	UntilIdle time.Duration
	// UntilNow stops the run at the ends that the sources named when it started; windows stay open.
	UntilNow bool
	// OnStop is called once when the run should stop reading, by the runner that waits for it.
	OnStop func()

	mu       sync.Mutex
	now      func() time.Time
	parts    map[partKey]*PartStatus
	ends     map[partKey][]byte
	sources  map[string]SourceSpec
	listed   map[string]bool // in this run
	closing  atomic.Bool
	stopping atomic.Bool
}

type partKey struct{ step, part string }

// PartStatus is how a partition stands, for people.
type PartStatus struct {
	Step, Partition string
	// Records is the number of source records read in this run, those of repeated bundles included.
	Records int64
	// Lag is the number of records known to be left; -1 if unknown.
	Lag int64
	// CaughtUp says that the end was proved to be reached; Since says when.
	CaughtUp bool
	Since    time.Time
	// Ended says that the partition is read for ever.
	Ended bool
	// Bounded says that the source ends by itself.
	Bounded bool

	reached bool
	proved  time.Time // of the last page
}

func (c *Control) start(g *Graph) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = g.now
	c.parts, c.ends = map[partKey]*PartStatus{}, map[partKey][]byte{}
	c.sources, c.listed = map[string]SourceSpec{}, map[string]bool{}
	for _, n := range g.order {
		if s, ok := n.impl.(*source); ok {
			c.sources[n.name] = s.spec
		}
	}
}

// Stop asks the run to stop reading, publish what was read, and leave windows open for the next run.
func (c *Control) Stop() {
	if c.stopping.Swap(true) {
		return
	}
	if c.OnStop != nil {
		c.OnStop()
	}
}

// CloseAll asks the run to end as if its sources had ended: windows close and sinks complete.
func (c *Control) CloseAll() { c.closing.Store(true) }

// Closing says whether sources should end now.
func (c *Control) Closing() bool { return c.closing.Load() }

// Stopping says whether the run should stop reading.
func (c *Control) Stopping() bool { return c.stopping.Load() }

// Partitions gives the state of all partitions that the run has met.
func (c *Control) Partitions() []PartStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]PartStatus, 0, len(c.parts))
	for _, p := range c.parts {
		out = append(out, *p)
	}
	return out
}

// register makes partitions known before they are read, so that no run ends before it has met them.
func (c *Control) register(step string, spec SourceSpec, ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		k := partKey{step, id}
		if c.parts[k] == nil {
			c.parts[k] = &PartStatus{Step: step, Partition: id, Lag: -1, Bounded: spec.Bounded}
		}
	}
}

// list notes that a source's partitions were listed in this run.
func (c *Control) list(step string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed[step] = true
}

func (c *Control) wasListed(step string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listed[step]
}

func (c *Control) part(step, part string) *PartStatus {
	k := partKey{step, part}
	if c.parts[k] == nil {
		c.parts[k] = &PartStatus{Step: step, Partition: part, Lag: -1}
	}
	return c.parts[k]
}

// page notes how a partition stands.
func (c *Control) page(step, part string, pg Page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.part(step, part)
	p.Lag = pg.Lag
	p.Records += pg.Records
	now := c.now()
	if up := pg.State == CaughtUp && pg.Records == 0; up != p.CaughtUp {
		p.CaughtUp, p.Since = up, now
	}
	p.proved = now
}

func (c *Control) ended(step, part string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.part(step, part)
	p.Ended, p.Lag = true, 0
}

func (c *Control) untilNow() bool { return c.UntilNow }

func (c *Control) endOf(step, part string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end, ok := c.ends[partKey{step, part}]
	return end, ok
}

func (c *Control) setEnd(step, part string, end []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends[partKey{step, part}] = end
}

func (c *Control) reached(step, part string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.part(step, part).reached = true
}

// Unmet says what a runner has of a source that this run has not met yet: whether it has a listing to do, which counts until
// this run has listed once, and the number of partitions of an earlier run that it has not read from.
type Unmet func(step string) (listing bool, parts int64)

// metAll says whether this run has met all partitions.
func (c *Control) metAll(unmet Unmet) bool {
	for step := range c.sources {
		if listing, parts := unmet(step); parts > 0 || listing && !c.listed[step] {
			return false
		}
	}
	return len(c.sources) > 0
}

// AllReached says, for a run until now, whether every source has been read to the end that it had when the run began.
func (c *Control) AllReached(unmet Unmet) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.parts {
		if !p.Ended && !p.reached {
			return false
		}
	}
	return c.UntilNow && c.metAll(unmet)
}

// AllIdle says, for a run until idle, whether all partitions have been at their ends for that long, all in the same span
// of time.
func (c *Control) AllIdle(unmet Unmet) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var since, proved time.Time
	for _, p := range c.parts {
		switch {
		case p.Ended:
		case p.Bounded || !p.CaughtUp:
			return false
		default:
			if p.Since.After(since) {
				since = p.Since
			}
			if proved.IsZero() || p.proved.Before(proved) {
				proved = p.proved
			}
		}
	}
	return c.UntilIdle > 0 && (proved.IsZero() || proved.Sub(since) >= c.UntilIdle) && c.metAll(unmet)
}

// SourceStages gives the names that a source's listing and its reading have in the runner.
func SourceStages(step string) (list, read string) {
	return step + "/list/flow.listFn", step + "/read/flow.readFn"
}
