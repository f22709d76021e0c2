package wm

import "fmt"

// Times counts timestamps and knows the least. Add and Remove take O(log n) for n different timestamps.
type Times struct {
	stage  *Stage
	counts map[int64]int // has a key for everything in order, with count 0 for what has been removed since
	order  []int64       // a binary heap, the least first
	live   int           // keys of counts with a count above 0
	total  int
}

func newTimes(s *Stage) Times { return Times{stage: s, counts: map[int64]int{}} }

// Add counts ts once more.
func (t *Times) Add(ts int64) {
	n, known := t.counts[ts]
	if !known {
		t.order = append(t.order, ts)
		t.up(len(t.order) - 1)
	}
	if n == 0 {
		t.live++
	}
	t.counts[ts] = n + 1
	t.total++
	t.stage.dirty = true
}

// Remove counts ts once less. Removing more than was added is an error and changes nothing.
func (t *Times) Remove(ts int64) error {
	n := t.counts[ts]
	if n == 0 {
		return fmt.Errorf("watermarks: stage %q: time %d is removed more often than it was added", t.stage.id, ts)
	}
	t.counts[ts] = n - 1
	t.total--
	t.stage.dirty = true
	if n == 1 {
		t.live--
		t.clean()
	}
	return nil
}

// Len returns how many timestamps are counted.
func (t *Times) Len() int { return t.total }

// Min returns the least timestamp, Max if there is none.
func (t *Times) Min() int64 {
	for len(t.order) > 0 && t.counts[t.order[0]] == 0 {
		delete(t.counts, t.order[0])
		last := len(t.order) - 1
		t.order[0] = t.order[last]
		t.order = t.order[:last]
		t.down(0)
	}
	if len(t.order) == 0 {
		return Max
	}
	return t.order[0]
}

// clean drops removed timestamps that an old least one keeps in the heap, once they are the greater part of it.
func (t *Times) clean() {
	if len(t.order) < 2*t.live+64 {
		return
	}
	kept := t.order[:0]
	for _, ts := range t.order {
		if t.counts[ts] > 0 {
			kept = append(kept, ts)
		} else {
			delete(t.counts, ts)
		}
	}
	t.order = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		t.down(i)
	}
}

func (t *Times) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if t.order[parent] <= t.order[i] {
			return
		}
		t.order[parent], t.order[i] = t.order[i], t.order[parent]
		i = parent
	}
}

func (t *Times) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(t.order); c++ {
			if t.order[c] < t.order[least] {
				least = c
			}
		}
		if least == i {
			return
		}
		t.order[least], t.order[i] = t.order[i], t.order[least]
		i = least
	}
}
