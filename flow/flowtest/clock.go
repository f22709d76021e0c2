package flowtest

import (
	"slices"
	"sync"
	"time"
)

// Clock is a processing time that a script moves. Between two moves it follows the real one.
type Clock struct {
	mu      sync.Mutex
	base    time.Time
	began   time.Time
	pending []*alarm
}

type alarm struct {
	at    time.Time
	f     func()
	timer *time.Timer
	done  bool
}

// NewClock gives a clock that stands at t.
func NewClock(t time.Time) *Clock { return &Clock{base: t, began: time.Now()} }

// Now gives the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time { return c.base.Add(time.Since(c.began)) }

// AfterFunc calls f in a goroutine of its own when d has passed. The returned function keeps it from being called and says
// whether it did.
func (c *Clock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &alarm{at: c.now().Add(d), f: f}
	a.timer = time.AfterFunc(d, func() { c.ring(a) })
	c.pending = append(c.pending, a)
	return func() bool { return c.take(a) }
}

// take removes an alarm; false if it has rung.
func (c *Clock) take(a *alarm) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.done {
		return false
	}
	a.done = true
	a.timer.Stop()
	c.pending = slices.DeleteFunc(c.pending, func(b *alarm) bool { return a == b })
	return true
}

func (c *Clock) ring(a *alarm) {
	if c.take(a) {
		a.f()
	}
}

// Advance moves the time on by d; what is due then rings.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	c.base = c.base.Add(d)
	var due []*alarm
	for _, a := range c.pending {
		if !a.at.After(c.now()) {
			due = append(due, a)
		}
	}
	c.mu.Unlock()
	for _, a := range due {
		go c.ring(a)
	}
}
