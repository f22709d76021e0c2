package window

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// windows says which window a time belongs to. Times are microseconds, so that every date of a timestamp column has its
// window; what would lie outside of 64 bits is cut off there.
type windows struct {
	size, offset int64 // microseconds; 0 <= offset < size
	lateness     int64 // milliseconds
}

func newWindows(size time.Duration, o Options) (windows, error) {
	var errs []error
	whole := func(name string, d time.Duration) {
		if d%time.Millisecond != 0 {
			errs = append(errs, fmt.Errorf("%s %v is no whole number of milliseconds", name, d))
		}
	}
	whole("the size", size)
	whole("Offset", o.Offset)
	whole("Lateness", o.Lateness)
	if size <= 0 {
		return windows{}, errors.Join(append(errs, fmt.Errorf("the size %v is not positive", size))...)
	}
	if o.Lateness < 0 {
		errs = append(errs, fmt.Errorf("Lateness %v is negative", o.Lateness))
	}
	w := windows{size: size.Microseconds(), lateness: o.Lateness.Milliseconds()}
	w.offset = floorMod(o.Offset.Microseconds(), w.size)
	return w, errors.Join(errs...)
}

// start gives the start of the window of t: start <= t < start + size, for negative times and offsets too.
func (w windows) start(t int64) int64 {
	into := floorMod(t, w.size) - w.offset
	if into < 0 {
		into += w.size
	}
	return sub(t, into)
}

// end gives the end of the window that begins at start, in microseconds.
func (w windows) end(start int64) int64 { return add(start, w.size) }

// closes gives the time that the watermark must pass so that the window is closed, in milliseconds.
func (w windows) closes(start int64) int64 { return add(floorDiv(w.end(start), 1000), w.lateness) }

// hold gives the time at which an open window holds the watermark behind the step, in milliseconds: that of its result.
func (w windows) hold(start int64) int64 { return floorDiv(w.end(start)-1, 1000) }

// starts gives the start of the window of every time.
func (w windows) starts(times []int64) []uint64 {
	out := make([]uint64, len(times))
	from, to := int64(0), int64(0) // the last window, since neighbours mostly share one
	for i, t := range times {
		if t < from || t >= to {
			from = w.start(t)
			to = w.end(from)
		}
		out[i] = uint64(from)
	}
	return out
}

// Go's % and / round towards zero; these round towards minus infinity.
func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

func floorDiv(a, b int64) int64 {
	d := a / b
	if a%b < 0 {
		d--
	}
	return d
}

// add and sub stop at the ends of int64; b is not negative.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func sub(a, b int64) int64 {
	if a < math.MinInt64+b {
		return math.MinInt64
	}
	return a - b
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
