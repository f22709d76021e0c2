package runners

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct"
)

// Progress is how a run stands.
type Progress struct {
	// Job is the job's name.
	Job string
	// Elapsed is the time since the run began.
	Elapsed time.Duration
	// Records read in this run, and per second since the last report.
	Records int64
	Rate    float64
	// Lag is the number of records known to be left; -1 if a source cannot tell.
	Lag int64
	// ETA is the time to read what is left at the present rate; 0 if unknown or endless.
	ETA time.Duration
	// Partitions are the source partitions.
	Partitions []flow.PartStatus
	// Steps are the engine's steps with their queues and watermarks.
	Steps []direct.Step
}

func (r *running) progress() Progress {
	p := Progress{Job: r.name, Elapsed: time.Since(r.began), Partitions: r.control.Partitions(), Steps: r.engine.Progress()}
	bounded := len(p.Partitions) > 0
	for _, s := range p.Partitions {
		p.Records += s.Records
		bounded = bounded && s.Bounded
		if s.Lag < 0 || p.Lag < 0 {
			p.Lag = -1
		} else {
			p.Lag += s.Lag
		}
	}
	now := time.Now()
	if r.last.at.IsZero() {
		r.last.at = r.began
	}
	if span := now.Sub(r.last.at).Seconds(); span > 0 {
		p.Rate = float64(p.Records-r.last.records) / span
	}
	r.last.at, r.last.records = now, p.Records
	if bounded && p.Lag > 0 && p.Rate > 0 {
		p.ETA = time.Duration(float64(p.Lag) / p.Rate * float64(time.Second))
	}
	return p
}

// Line is the progress in one line.
func (p Progress) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s rows  %s rows/s", p.Job, p.Elapsed.Round(time.Second), group(p.Records), group(int64(p.Rate)))
	if p.Lag >= 0 {
		fmt.Fprintf(&b, "  lag %s", group(p.Lag))
	}
	if p.ETA > 0 {
		fmt.Fprintf(&b, "  %s left", p.ETA.Round(time.Second))
	}
	return b.String()
}

// group writes a number with commas.
func group(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
