package flow

import (
	"testing"
	"time"
)

// The watermark of an idle partition follows the clock in steps, and never goes back.
func TestIdleWatermark(t *testing.T) {
	var now time.Time
	c := call{g: &Graph{job: Job{Now: func() time.Time { return now }}}, src: &source{spec: SourceSpec{IdleAfter: 32 * time.Second}}}
	for _, x := range []struct{ now, want int64 }{{100_000, 68_000}, {100_999, 68_000}, {101_000, 69_000}, {50_000, 69_000}} {
		now = time.UnixMilli(x.now)
		if c.idle(); c.wm != x.want {
			t.Errorf("at %d ms the watermark is %d, want %d", x.now, c.wm, x.want)
		}
	}
	c.src.spec.IdleAfter = -1
	now = time.UnixMilli(1_000_000)
	if c.idle(); c.wm != 69_000 {
		t.Errorf("with IdleAfter off it follows the clock to %d", c.wm)
	}
}
