package grouptest

import (
	"math/rand/v2"
	"time"

	"pgregory.net/rapid"
)

// Tick is a row of a drawn feed.
type Tick struct {
	At  time.Time
	Key int64
	ID  int64
}

// Epoch is where the times of drawn feeds lie.
var Epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// DrawTicks draws partitions whose front of event time creeps on and sometimes leaps. Most rows lie close to the front,
// some far before it and some far behind; watermarks follow the front, so that rows before it are late. IDs are unique.
func DrawTicks(t *rapid.T, from int64) *Feed[Tick] {
	f := &Feed[Tick]{At: func(r Tick) time.Time { return r.At }, Idle: rapid.Bool().Draw(t, "idle at its end")}
	parts := rapid.IntRange(1, 3).Draw(t, "partitions")
	keys := rapid.SampledFrom([]int64{1, 1, 3, 40}).Draw(t, "keys")
	far := time.Duration(rapid.SampledFrom([]int{1, 60, 600}).Draw(t, "minutes far")) * time.Minute
	rows := rapid.SampledFrom([]int{12, 80, 1500}).Draw(t, "rows of a page")
	for range parts {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		upTo := func(d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }
		var pages []Page[Tick]
		front := Epoch
		for range rapid.IntRange(0, 12).Draw(t, "pages") {
			front = front.Add(upTo(time.Minute))
			if rng.IntN(6) == 0 {
				front = front.Add(upTo(far))
			}
			var page Page[Tick]
			for range rng.IntN(rows) {
				at := front.Add(upTo(2*time.Minute) - 10*time.Second)
				switch rng.IntN(8) {
				case 0:
					at = front.Add(-upTo(far))
				case 1:
					at = front.Add(upTo(far))
				}
				page.Rows = append(page.Rows, Tick{at.Truncate(time.Microsecond), rng.Int64N(keys), from})
				from++
			}
			if rng.IntN(2) == 0 {
				page.Watermark = front
			}
			pages = append(pages, page)
		}
		f.Parts = append(f.Parts, pages)
	}
	return f
}

// Rows gives all rows of all partitions.
func (f *Feed[T]) Rows() []T {
	var out []T
	for _, pages := range f.Parts {
		for _, p := range pages {
			out = append(out, p.Rows...)
		}
	}
	return out
}
