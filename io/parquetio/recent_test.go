package parquetio

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

func numberBatch(t *testing.T, values ...int64) *batch.Batch {
	t.Helper()
	b, err := batch.NewBuilder(arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil), batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		b.Col(0).Int64(v)
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMaxPartitions(t *testing.T) {
	now := time.Unix(0, 0)
	s, err := newSink(Options{URL: "lake", PartitionBy: []string{"n"}, MaxPartitions: 2, Roll: flow.Roll{Age: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	s.recent.now = func() time.Time { return now }
	refused := func(values ...int64) []flow.Refusal {
		t.Helper()
		r, err := s.Route(numberBatch(t, values...))
		if err != nil {
			t.Fatal(err)
		}
		return r.Refused
	}
	over := func(row int32, n int) flow.Refusal {
		return flow.Refusal{Row: row, Rule: RuleMaxPartitions, Reason: fmt.Sprintf(
			`folder "n=%d": rows went to 2 folders within 1m0s already: partition by a column with fewer values, or raise MaxPartitions`, n)}
	}
	for _, c := range []struct {
		name  string
		after time.Duration
		in    []int64
		want  []flow.Refusal
	}{
		{"the first two enter", 0, []int64{1, 2, 1, 3, 3}, []flow.Refusal{over(3, 3), over(4, 3)}},
		{"those stay open, others are refused", 59 * time.Second, []int64{4, 2}, []flow.Refusal{over(0, 4)}},
		{"the next minute counts anew", time.Second, []int64{3, 4}, nil},
		{"a clock that goes back does not block", -time.Hour, []int64{5, 6}, nil},
	} {
		now = now.Add(c.after)
		if diff := cmp.Diff(c.want, refused(c.in...)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestShowDay(t *testing.T) {
	for day := int64(-800_000); day < 3_000_000; day += 13 {
		if want := time.Unix(day*86_400, 0).UTC(); want.Year() >= 0 && showDay(day) != want.Format("2006-01-02") {
			t.Fatalf("day %d is %s, want %s", day, showDay(day), want.Format("2006-01-02"))
		}
	}
	if got := showDay(-735_160); got != "-0043-03-15" { // 44 BC
		t.Error(got)
	}
	for v, want := range map[int64]string{
		math.MinInt64: "-290308-12-21 19:59:05.224192", math.MaxInt64: "294247-01-10 04:00:54.775807",
		-1: "1969-12-31 23:59:59.999999", 0: "1970-01-01 00:00:00", 1_500_000: "1970-01-01 00:00:01.5",
	} {
		if got := showTime(v, 1e6); got != want {
			t.Errorf("showTime(%d) = %s, want %s", v, got, want)
		}
	}
}
