package flow

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/millrace-io/millrace/batch"
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

// flood is a reader that rejects a record of 1 MiB a page.
type flood struct{ pages int }

// Close implements Reader.
func (*flood) Close() error { return nil }

// Read implements Reader.
func (f *flood) Read(context.Context) (Page, error) {
	f.pages++
	letter := Letter{Reason: "too much", Position: "0", EventTime: batch.NoTime, Format: FormatRaw, Payload: []byte(strings.Repeat("x", 1<<20))}
	return Page{Rejected: []Letter{letter}, Records: 1, Watermark: batch.NoTime, Lag: -1}, nil
}

// What a call reads is bounded in bytes, also if all of it is rejected.
func TestRejectedBytesEndACall(t *testing.T) {
	c := call{g: &Graph{control: &Control{}, job: Job{Now: time.Now}}, src: &source{n: &node{name: "in"}}}
	c.dead = func(beam.EventTime, *batch.Batch) {}
	c.g.control.start(c.g)
	var f flood
	if _, err := c.read(t.Context(), &f); err != nil || f.pages > callBytes>>20 {
		t.Errorf("%d pages of 1 MiB were read, want at most %d; %v", f.pages, callBytes>>20, err)
	}
}
