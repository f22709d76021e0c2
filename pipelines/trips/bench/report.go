package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// line is one figure as it is kept.
type line struct {
	Job     string  `json:"job"`
	Case    string  `json:"case"`
	System  string  `json:"system"`
	Rows    int64   `json:"rows"`
	CPU     float64 `json:"cpu_s_per_mrow"` // the median of the runs
	Least   float64 `json:"cpu_min"`
	Most    float64 `json:"cpu_max"`
	Broker  float64 `json:"broker_cpu_s_per_mrow"`
	Wall    float64 `json:"wall_s"`
	First   float64 `json:"first_row_s"` // from the start of the process
	RSS     float64 `json:"rss_mb"`
	Checked bool    `json:"checked"`
	Runs    int     `json:"runs"`
	// IdlePercent is the CPU that a job takes that has nothing to do, in percent of one core.
	IdlePercent float64           `json:"idle_cpu_percent,omitempty"`
	Settings    string            `json:"settings"`
	Machine     string            `json:"machine"`
	Commit      string            `json:"commit"`
	Versions    map[string]string `json:"versions"`
	Time        time.Time         `json:"time"`
}

func (b *bench) newLine(role string) line {
	kind, name, _ := strings.Cut(role, "/")
	return line{
		Job: "J5", Case: kind, System: name, Rows: b.rows, Runs: b.runs,
		Settings: fmt.Sprintf("%d partitions, records of %d bytes, not packed; snappy; unpinned", partitions, b.filled.Bytes/b.rows),
		Machine:  fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Commit:   commit(), Versions: versions(), Time: time.Now().UTC().Truncate(time.Second),
	}
}

func (b *bench) line(s *system) line {
	l := b.newLine(s.role)
	of := func(get func(sample) float64) (mid, least, most float64) {
		var v []float64
		for _, r := range s.runs {
			v = append(v, get(r))
		}
		return median(v)
	}
	million := float64(b.rows) / 1e6
	l.CPU, l.Least, l.Most = of(func(s sample) float64 { return s.cpu / million })
	l.Broker, _, _ = of(func(s sample) float64 { return s.broker / million })
	l.Wall, _, _ = of(func(s sample) float64 { return s.wall })
	l.First, _, _ = of(func(s sample) float64 { return s.first })
	_, _, l.RSS = of(func(s sample) float64 { return float64(s.rss >> 20) })
	l.Checked = s.role != "sink/"+floorName && s.role != "window/"+floorName
	return l
}

// commit is the commit of the working tree, with a + behind it if the tree has changes.
func commit() string {
	id, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	if changes, err := exec.Command("git", "status", "--porcelain").Output(); err != nil || len(changes) > 0 {
		return strings.TrimSpace(string(id)) + "+"
	}
	return strings.TrimSpace(string(id))
}

func versions() map[string]string {
	out := map[string]string{"go": runtime.Version()}
	info, _ := debug.ReadBuildInfo()
	for _, d := range info.Deps {
		switch d.Path {
		case "github.com/twmb/franz-go", "github.com/twmb/franz-go/pkg/kfake", "github.com/apache/arrow-go/v18",
			"github.com/cockroachdb/pebble/v2", "github.com/apache/beam/sdks/v2":
			out[d.Path[strings.Index(d.Path, "/")+1:]] = d.Version
		}
	}
	return out
}

func appendLines(path string, lines []line) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // figures are for others to read
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	for _, l := range lines {
		err = errors.Join(err, enc.Encode(l))
	}
	return errors.Join(err, f.Close())
}

// floors gives the floor of each case.
func floors(lines []line) map[string]float64 {
	out := map[string]float64{}
	for _, l := range lines {
		if l.System == floorName {
			out[l.Case] = l.CPU
		}
	}
	return out
}

// cells are a figure's row of the table.
func (l line) cells(floor float64) []string {
	if l.Case == idleRole {
		return []string{l.Case, l.System, fmt.Sprintf("%.2f %% of a core", l.IdlePercent), "", "", "", "", fmt.Sprintf("%.0f MB", l.RSS)}
	}
	ratio := ""
	if floor > 0 {
		ratio = fmt.Sprintf("%.1f x", l.CPU/floor)
	}
	return []string{
		l.Case, l.System, fmt.Sprintf("%.2f (%.2f-%.2f)", l.CPU, l.Least, l.Most), ratio, fmt.Sprintf("%.2f", l.Broker),
		fmt.Sprintf("%.1f s", l.Wall), fmt.Sprintf("%.2f s", l.First), fmt.Sprintf("%.0f MB", l.RSS),
	}
}

var heads = []string{"case", "system", "CPU-s/Mrow", "of the floor", "broker", "wall", "first row", "peak RSS"}

func writeTable(out io.Writer, lines []line) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heads, "\t"))
	floor := floors(lines)
	for _, l := range lines {
		fmt.Fprintln(w, strings.Join(l.cells(floor[l.Case]), "\t"))
	}
	return w.Flush()
}

// printReport prints the last figure of every case and system as Markdown.
func printReport(path string, out io.Writer) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var order []string
	last := map[string]line{}
	for raw := range bytes.Lines(data) {
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			return err
		}
		key := l.Case + "/" + l.System
		if _, ok := last[key]; !ok {
			order = append(order, key)
		}
		last[key] = l
	}
	lines := make([]line, len(order))
	for i, key := range order {
		lines[i] = last[key]
	}
	if len(lines) == 0 {
		return fmt.Errorf("%s has no figures", path)
	}
	fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
	floor := floors(lines)
	for _, l := range lines {
		fmt.Fprintf(out, "| %s |\n", strings.Join(l.cells(floor[l.Case]), " | "))
	}
	l := lines[0]
	_, err = fmt.Fprintf(out, "\n%d records, %d runs each; %s; %s; commit %s; %s\n", l.Rows, l.Runs, l.Settings, l.Machine, l.Commit, versionText(l.Versions))
	return err
}

func versionText(v map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, name+" "+v[name])
	}
	return strings.Join(parts, ", ")
}
