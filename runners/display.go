package runners

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
)

// display shows a run to a person: one line that lives in a terminal, log lines elsewhere.
type display struct {
	log   *slog.Logger
	every time.Duration

	line  io.Writer // the terminal; nil for log lines
	shown bool
}

func newDisplay(s Streams, mode string) *display {
	d := &display{every: 10 * time.Second}
	switch {
	case mode == "json":
		d.log = slog.New(slog.NewJSONHandler(s.Err, nil))
	case mode == "auto" && isTerminal(s.Err):
		d.line, d.every = s.Err, 500*time.Millisecond
		d.log = slog.New(slog.NewTextHandler(lineBreaker{d}, nil))
	default:
		d.log = slog.New(slog.NewTextHandler(s.Err, nil))
	}
	return d
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

func (d *display) progress(p Progress) {
	if d.line != nil {
		fmt.Fprintf(d.line, "\r\x1b[K%s", p.Line())
		d.shown = true
		return
	}
	attrs := []any{"job", p.Job, "elapsed", p.Elapsed.Round(time.Second).String(), "rows", p.Records, "rate", int64(p.Rate)}
	if p.Lag >= 0 {
		attrs = append(attrs, "lag", p.Lag)
	}
	if p.ETA > 0 {
		attrs = append(attrs, "eta", p.ETA.Round(time.Second).String())
	}
	d.log.Info("progress", attrs...)
}

func (d *display) end() {
	if d.shown {
		fmt.Fprint(d.line, "\r\x1b[K")
	}
}

// lineBreaker writes log lines in the place of the live line.
type lineBreaker struct{ d *display }

// Write clears the live line first.
func (l lineBreaker) Write(p []byte) (int, error) {
	l.d.end()
	return l.d.line.Write(p)
}

// Text is the result for a person.
func (r Result) Text() string {
	var b strings.Builder
	if r.NothingNew {
		fmt.Fprintf(&b, "job %s has finished before: nothing new\n", r.Job)
		return b.String()
	}
	fmt.Fprintf(&b, "job %s %s after %.1f s\n", r.Job, r.State, r.Seconds)
	for _, s := range r.Sinks {
		fmt.Fprintf(&b, "  %-12s read %s = written %s + rejected %s + dropped %s + late %s + held %s",
			s.Step, group(s.Read), group(s.Written), group(s.Rejected), group(s.Dropped), group(s.Late), group(s.Held+s.Waiting))
		if s.Balanced != nil && !*s.Balanced {
			b.WriteString("  DOES NOT BALANCE")
		}
		fmt.Fprintf(&b, "\n  %-12s %s files, %s bytes in %s\n", "", group(s.Files), group(s.Bytes), s.URL)
	}
	return b.String()
}
