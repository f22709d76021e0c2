package clean

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/column"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

var trips = arrow.NewSchema([]arrow.Field{
	{Name: "fare", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "riders", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	{Name: "vendor", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "pickup", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "dropoff", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "tip", Type: &arrow.Decimal128Type{Precision: 9, Scale: 2}, Nullable: true},
	{Name: "stops", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
}, nil)

// run applies rules to rows and prints what comes out: the rows, and the refusals as "row rule: reason".
func run(t *testing.T, in *batch.Batch, rules ...Rule) (rows, refused []string) {
	t.Helper()
	s, err := newStep(in.Schema(), rules)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	var out flow.StepOut
	if err := f(in, &out); err != nil {
		t.Fatal(err)
	}
	for _, b := range out.Rows() {
		if !b.Schema().Equal(s.Schema) {
			t.Errorf("rows have the schema %s, announced is %s", b.Schema(), s.Schema)
		}
	}
	for _, r := range out.Refused() {
		refused = append(refused, string('0'+r.Row)+" "+r.Rule+": "+r.Reason)
	}
	return grouptest.Lines(out.Rows()...), refused
}

func TestTheFirstBrokenRuleCounts(t *testing.T) {
	in := grouptest.Batch(t, trips, `[
		{"fare": 5, "riders": 1, "pickup": "2024-01-01T10:00:00Z", "dropoff": "2024-01-01T10:05:00Z"},
		{"fare": -2.5, "riders": null, "pickup": "2024-01-01T10:00:00Z", "dropoff": "2024-01-01T09:00:00Z"},
		{"fare": null, "riders": 0, "pickup": "2024-01-01T10:00:00Z", "dropoff": "2024-01-01T09:00:00Z"},
		{"fare": 7, "riders": null, "pickup": "2024-01-01T10:00:00Z", "dropoff": null},
		{"fare": 8, "riders": 2, "pickup": "2024-01-01T10:00:00Z", "dropoff": "2024-01-01T10:00:00Z"},
		{"fare": 9, "riders": 2, "pickup": "2024-01-01T10:00:00.000001Z", "dropoff": "2024-01-01T10:00:00Z"}]`, 1, 2, 3, 4, 5, 6)
	in, err := in.With(arrow.NewSchema([]arrow.Field{trips.Field(0), trips.Field(1), trips.Field(3), trips.Field(4)}, nil),
		[]arrow.Array{in.Column(0), in.Column(1), in.Column(3), in.Column(4)})
	if err != nil {
		t.Fatal(err)
	}
	rows, refused := run(t, in, Positive("fare", "riders"), Required("fare", "riders"), NotBefore("dropoff", "pickup"))
	if diff := cmp.Diff([]string{
		"fare=5 riders=1 pickup=2024-01-01T10:00:00Z dropoff=2024-01-01T10:05:00Z @time=1",
		"fare=8 riders=2 pickup=2024-01-01T10:00:00Z dropoff=2024-01-01T10:00:00Z @time=5",
	}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"1 fare > 0: fare is -2.5",
		"2 riders > 0: riders is 0",
		"3 riders required: riders is null",
		"5 dropoff >= pickup: dropoff is 2024-01-01T10:00:00Z, pickup is 2024-01-01T10:00:00.000001Z",
	}, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestNothingLeft(t *testing.T) {
	rows, refused := run(t, grouptest.Batch(t, trips, `[{"fare": 0}]`), Positive("fare"))
	if len(rows) != 0 || len(refused) != 1 {
		t.Errorf("got rows %q and refusals %q", rows, refused)
	}
}

func TestBounds(t *testing.T) {
	in := grouptest.Batch(t, trips, `[
		{"fare": 1.5, "riders": 1, "tip": "1.50", "stops": 1, "pickup": "2024-01-01T00:00:00Z", "day": "2024-01-01"},
		{"fare": 2, "riders": 2, "tip": "1.51", "stops": 18446744073709551615, "pickup": "2024-01-01T00:00:00.000001Z", "day": "2024-01-02"},
		{"fare": -1, "riders": -1, "tip": "-1.50", "stops": 0, "pickup": "1969-12-31T23:59:59.999999Z", "day": "1969-12-31"},
		{}]`)
	midnight := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		rule Rule
		name string
		bad  string // rows that break it
	}{
		{Min("fare", 1.5), "fare >= 1.5", "2"},
		{Max("fare", 1.5), "fare <= 1.5", "1"},
		{Min("riders", 1.5), "riders >= 1.5", "02"},
		{Max("riders", 1.5), "riders <= 1.5", "1"},
		{Max("riders", -1.5), "riders <= -1.5", "012"},
		{Max("riders", 1<<40), "riders <= 1099511627776", ""},
		{Min("riders", -1), "riders >= -1", ""},
		{Positive("riders"), "riders > 0", "2"},
		{Positive("tip"), "tip > 0", "2"},
		{Positive("stops"), "stops > 0", "2"},
		{Min("tip", 1.505), "tip >= 1.505", "02"},
		{Max("tip", 1.505), "tip <= 1.505", "1"},
		{Max("stops", 2), "stops <= 2", "1"},
		{Between("riders", 1, 2), "1 <= riders <= 2", "2"},
		{Min("pickup", midnight), "pickup >= 2024-01-01T00:00:00Z", "2"},
		{Max("pickup", midnight), "pickup <= 2024-01-01T00:00:00Z", "1"},
		{Max("pickup", midnight.Add(500)), "pickup <= 2024-01-01T00:00:00.0000005Z", "1"},
		{Min("day", midnight.Add(time.Hour)), "day >= 2024-01-01T01:00:00Z", "02"},
		{Max("day", midnight.Add(time.Hour)), "day <= 2024-01-01T01:00:00Z", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.rule.String(); c.name[len(c.name)-4:] != " > 0" && got != c.name {
				t.Errorf("the rule is called %q", got)
			}
			_, refused := run(t, in, c.rule)
			bad := ""
			for _, r := range refused {
				if !strings.HasPrefix(r[1:], " "+c.name+": ") {
					t.Errorf("refusal %q", r)
				}
				bad += r[:1]
			}
			if bad != c.bad {
				t.Errorf("rows %q break the rule, want %q", bad, c.bad)
			}
		})
	}
}

func TestNaNBreaksAllBounds(t *testing.T) {
	s := arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.PrimitiveTypes.Float64}, {Name: "y", Type: arrow.PrimitiveTypes.Float64}}, nil)
	x := column.Make(s.Field(0).Type, []uint64{math.Float64bits(math.NaN()), math.Float64bits(math.Inf(1))}, nil)
	y := column.Make(s.Field(0).Type, []uint64{0, math.Float64bits(1)}, nil)
	in, err := grouptest.Batch(t, s, `[{"x": 0, "y": 0}, {"x": 0, "y": 0}]`).With(s, []arrow.Array{x, y})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Rule{Positive("x"), Min("x", -1), Max("x", math.MaxFloat64), Between("x", -1, 1), NotBefore("x", "y"), NotBefore("y", "x")} {
		_, refused := run(t, in, r)
		if len(refused) == 0 || !strings.HasPrefix(refused[0], "0 ") || !strings.Contains(refused[0], "x is NaN") {
			t.Errorf("rule %q lets NaN pass: %q", r, refused)
		}
	}
}

func TestRenameAndTrim(t *testing.T) {
	s := arrow.NewSchema([]arrow.Field{trips.Field(2), trips.Field(1)}, nil)
	in := grouptest.Batch(t, s, `[{"vendor": " a\t", "riders": 1}, {"vendor": "  ", "riders": 2}, {"vendor": null}, {"vendor": "\u00a0é ü", "riders": 3}]`)
	rows, _ := run(t, in.Slice(1, 4), Trim("vendor"), Rename("vendor", "company"), Rename("riders", "vendor"), Max("vendor", 3))
	if diff := cmp.Diff([]string{"company= vendor=2", "company=(null) vendor=(null)", "company=é ü vendor=3"}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestMistakesAreFoundAtOnce(t *testing.T) {
	_, err := newStep(trips, []Rule{
		Required("fare", "nothing"), Positive("vendor"), Min("pickup", 1), Between("riders", 2, 1), Max("fare", math.NaN()),
		NotBefore("pickup", "day"), Rename("fare", "tip"), Rename("fare", "@fare"), Trim("riders"), Trim(),
		{},
		Min("fare", int64(1<<53+1)), Cast("pickup", arrow.PrimitiveTypes.Int64), Positive("cost"), Rename("fare", "cost"),
	})
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if diff := cmp.Diff([]string{
		`rule "required fare, nothing": there is no column "nothing"; there are: fare, riders, vendor, pickup, dropoff, tip, stops, day`,
		`rule "positive vendor": vendor is of type utf8, which has no bounds: cast it to a number, a date or a timestamp before`,
		`rule "pickup >= 1": pickup is of type timestamp[us, tz=UTC], its bound is 1`,
		`rule "2 <= riders <= 1": 2 is larger than 1`,
		`rule "fare <= NaN": NaN is no bound`,
		`rule "pickup >= day": pickup is of type timestamp[us, tz=UTC] and day of type date32: cast one of them before`,
		`rule "rename fare to tip": the result would have two columns "tip"`,
		`rule "rename fare to @fare": the column name "@fare" begins with "@", which is kept for hidden columns`,
		`rule "trim riders": riders is of type int32: only text can be trimmed`,
		`rule "trim ": name at least one column`,
		`a rule is empty; use the functions of package clean to make one`,
		`rule "fare >= 9007199254740993": fare: the bound 9007199254740993 cannot be compared with floats, which do not have this value`,
		`rule "pickup is int64": pickup: there is no exact cast from timestamp[us, tz=UTC] to int64`,
		`rule "positive cost": there is no column "cost"; there are: fare, riders, vendor, pickup, dropoff, tip, stops, day`,
	}, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}
