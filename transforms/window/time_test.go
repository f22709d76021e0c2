package window

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustWindows(t *testing.T, size, offset, lateness time.Duration) windows {
	t.Helper()
	w, err := newWindows(size, Options{Offset: offset, Lateness: lateness})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// BR-065, BR-071
func TestStartOfWindow(t *testing.T) {
	day := 24 * time.Hour
	at := func(s string) int64 {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x.UnixMicro()
	}
	for _, c := range []struct {
		name         string
		size, offset time.Duration
		at, want     int64
	}{
		{"before 1970", 10 * time.Second, 0, -1_000, -10_000_000},
		{"on a negative start", 10 * time.Second, 0, -10_000_000, -10_000_000},
		{"below a negative start", 10 * time.Second, 0, -10_001_000, -20_000_000},
		{"zero", 10 * time.Second, 0, 0, 0},
		{"offset", 10 * time.Second, 3 * time.Second, 2_999_000, -7_000_000},
		{"negative offset", 10 * time.Second, -3 * time.Second, -3_001_000, -13_000_000},
		{"offset beyond the size", 10 * time.Second, 23 * time.Second, 2_999_000, -7_000_000},
		{"the year 1", day, 0, at("0001-01-01T00:00:00Z"), at("0001-01-01T00:00:00Z")},
		{"before int64 nanoseconds", day, 0, at("1600-01-01T12:00:00Z"), at("1600-01-01T00:00:00Z")},
		{"behind int64 nanoseconds", day, 0, at("2300-06-01T23:59:59Z"), at("2300-06-01T00:00:00Z")},
		{"the year 9999", day, 0, at("9999-12-31T23:59:59Z"), at("9999-12-31T00:00:00Z")},
		{"week from Monday", 7 * day, 4 * day, at("2024-02-29T10:00:00Z"), at("2024-02-26T00:00:00Z")},
		{"the first of all times", day, 0, -1 << 63, -1 << 63},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := mustWindows(t, c.size, c.offset, 0)
			if got := w.start(c.at); got != c.want {
				t.Errorf("start(%d) = %d, want %d", c.at, got, c.want)
			}
		})
	}
}

func TestClosingTimes(t *testing.T) {
	w := mustWindows(t, time.Second, 0, 500*time.Millisecond)
	got := [][2]int64{}
	for _, start := range []int64{0, -1_000_000, -1 << 63, 1<<63 - 1} {
		got = append(got, [2]int64{w.closes(start), w.hold(start)})
	}
	want := [][2]int64{{1500, 999}, {500, -1}, {-9223372036853276, -9223372036853776}, {9223372036854775 + 500, 9223372036854775}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("closing time and hold (-want +got):\n%s", diff)
	}
}

// A window contains the times it is made of, and windows do not overlap.
func TestWindowsPartitionTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 1e9).Draw(t, "size")
		w, err := newWindows(time.Duration(size)*time.Millisecond, Options{
			Offset: time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "offset")) * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.Int64Range(-1<<61, 1<<61).Draw(t, "at")
		start := w.start(at)
		if at < start || at >= w.end(start) {
			t.Fatalf("%d is not in [%d, %d)", at, start, w.end(start))
		}
		if w.start(start) != start || w.start(w.end(start)-1) != start || w.start(w.end(start)) != w.end(start) {
			t.Fatalf("the window of %d is not the window of its own bounds", at)
		}
		if got := w.starts([]int64{at, start, w.end(start), at}); int64(got[0]) != start || int64(got[2]) != w.end(start) || got[3] != got[0] {
			t.Fatalf("starts gives %d for a window from %d", got, start)
		}
	})
}
