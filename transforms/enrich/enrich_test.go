package enrich

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
	"pgregory.net/rapid"
)

var trips = arrow.NewSchema([]arrow.Field{
	{Name: "zone", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "vendor", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

type zone struct {
	LocationID int32
	Borough    string
	Zone       *string
}

func named(s string) *string { return &s }

var zones = Structs([]zone{{4, "Manhattan", named("Alphabet City")}, {1, "EWR", named("Newark Airport")}, {264, "Unknown", nil}})

// run enriches rows and prints what comes out.
func run(t grouptest.TB, in *batch.Batch, table Data, o Options) (rows, refused []string) {
	t.Helper()
	s, err := newStep(in.Schema(), table, o)
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	f, err := s.Open()
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	var out flow.StepOut
	if err := f(in, &out); err != nil {
		t.Fatalf("run: %v", err)
	}
	for _, b := range out.Rows() {
		if !b.Schema().Equal(s.Schema) {
			t.Fatalf("rows have the schema %s, announced is %s", b.Schema(), s.Schema)
		}
	}
	for _, r := range out.Refused() {
		refused = append(refused, fmt.Sprintf("%d %s: %s", r.Row, r.Rule, r.Reason))
	}
	return grouptest.Lines(out.Rows()...), refused
}

func TestTable(t *testing.T) {
	in := grouptest.Batch(t, trips, `[{"zone": 264, "vendor": "a"}, {"zone": 1}, {"zone": 7, "vendor": "b"}, {"zone": null}, {"zone": 4}]`, 1, 2, 3, 4, 5)
	keys := Options{On: "zone=location_id", Prefix: "pickup_"}
	refuse := keys
	refuse.Missing, refuse.Columns = Refuse, []string{"borough"}
	for _, c := range []struct {
		name          string
		o             Options
		rows, refused []string
	}{
		{"missing is null", keys, []string{
			"zone=264 vendor=a pickup_borough=Unknown pickup_zone=(null) @time=1",
			"zone=1 vendor=(null) pickup_borough=EWR pickup_zone=Newark Airport @time=2",
			"zone=7 vendor=b pickup_borough=(null) pickup_zone=(null) @time=3",
			"zone=(null) vendor=(null) pickup_borough=(null) pickup_zone=(null) @time=4",
			"zone=4 vendor=(null) pickup_borough=Manhattan pickup_zone=Alphabet City @time=5",
		}, nil},
		{"missing is refused", refuse, []string{
			"zone=264 vendor=a pickup_borough=Unknown @time=1",
			"zone=1 vendor=(null) pickup_borough=EWR @time=2",
			"zone=4 vendor=(null) pickup_borough=Manhattan @time=5",
		}, []string{"2 zone in the table: zone=7 is not in the table", "3 zone in the table: zone=(null) is not in the table"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, refused := run(t, in, zones, c.o)
			if diff := cmp.Diff(c.rows, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.refused, refused); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

var csvSchema = arrow.NewSchema([]arrow.Field{
	{Name: "zone", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "vendor", Type: arrow.BinaryTypes.String},
	{Name: "rank", Type: arrow.PrimitiveTypes.Int8, Nullable: true},
}, nil)

func TestCSVAndSeveralKeys(t *testing.T) {
	table := CSV([]byte("\ufeffrank,zone,more,vendor\r\n1,4,x,a\r\n,4,x,\n3,,x,\"a\"\n"), csvSchema)
	in := grouptest.Batch(t, trips, `[{"zone": 4, "vendor": "a"}, {"zone": 4, "vendor": ""}, {"zone": 4, "vendor": null}, {"zone": null, "vendor": "a"}, {"zone": 4, "vendor": "b"}]`)
	rows, _ := run(t, in, table, Options{On: "zone, vendor = vendor"})
	if diff := cmp.Diff([]string{
		"zone=4 vendor=a rank=1", "zone=4 vendor= rank=(null)", "zone=4 vendor=(null) rank=(null)",
		"zone=(null) vendor=a rank=(null)", "zone=4 vendor=b rank=(null)",
	}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	empty, _ := run(t, in.Slice(0, 1), CSV([]byte("rank,zone,vendor\n"), csvSchema), Options{On: "zone,vendor"})
	if diff := cmp.Diff([]string{"zone=4 vendor=a rank=(null)"}, empty); diff != "" {
		t.Errorf("rows with an empty table (-want +got):\n%s", diff)
	}
}

func TestMistakes(t *testing.T) {
	csv := func(s string) Data { return CSV([]byte(s), csvSchema) }
	for _, c := range []struct {
		name  string
		table Data
		o     Options
		want  string
	}{
		{"no table", Data{}, Options{On: "zone"}, "the table is empty; use CSV, Structs or Func to make one"},
		{"no keys", zones, Options{}, `On is empty; name the key columns, such as "pickup_location_id=location_id"`},
		{
			"all at once", zones,
			Options{On: "zon=location_id,vendor=location_id,zone=id", Columns: []string{"a"}},
			`there is no column "zon"; there are: zone, vendor` + "\n" +
				`column "vendor" is of type utf8, the table's "location_id" of type int32: give the table the type of the column, or cast the column before` + "\n" +
				`the table: there is no column "id"; there are: location_id, borough, zone` + "\n" +
				`Columns: the table: there is no column "a"; there are: location_id, borough, zone`,
		},
		{"names twice", zones, Options{On: "zone=location_id"}, `the result would have two columns "zone"; use Prefix or Columns`},
		{
			"keys twice", csv("zone,vendor,rank\n1,a,1\n2,b,2\n1,c,3\n2,d,4\n"),
			Options{On: "zone", Columns: []string{"rank"}},
			"the key zone=1 stands twice in the table, in rows 1 and 3\nthe key zone=2 stands twice in the table, in rows 2 and 4",
		},
		{"a value", csv("zone,vendor,rank\n1,a,1\n2,b,200\n"), Options{On: "zone"}, `load the table: CSV: record 2, column "rank": "200": out of range`},
		{"a column", csv("zone,vendor\n1,a\n"), Options{On: "zone"}, `load the table: CSV: there is no column "rank"; there are: ["zone" "vendor"]`},
		{"no header", csv(""), Options{On: "zone"}, "load the table: CSV: the header line is missing"},
		{"a line", csv("zone,vendor,rank\n1,a\n"), Options{On: "zone"}, "load the table: CSV: record on line 2: wrong number of fields"},
		{"a function", Func(func() (*batch.Batch, error) { return nil, errors.New("gone") }), Options{On: "zone"}, "load the table: gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newStep(trips, c.table, c.o)
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v\nwant  %s", err, c.want)
			}
		})
	}
}

// However rows are cut into batches, each gets what a map gives.
func TestAgainstLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.MapOf(rapid.Int64Range(-3, 20), rapid.SampledFrom([]string{"", "a", "b"})).Draw(t, "table")
		text := "zone,name\n,nobody\n"
		for k, v := range content {
			text += fmt.Sprintf("%d,%s\n", k, v)
		}
		table := CSV([]byte(text), arrow.NewSchema([]arrow.Field{
			{Name: "zone", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "name", Type: arrow.BinaryTypes.String},
		}, nil))
		missing := rapid.SampledFrom([]Missing{Null, Refuse}).Draw(t, "missing")
		var want, got []string
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			var json []string
			var wantRefused []string
			for i, k := range rapid.SliceOfN(rapid.Int64Range(-4, 21), 1, 30).Draw(t, "keys") {
				key := fmt.Sprint(k)
				if k == -4 {
					key = "null"
				}
				json = append(json, `{"zone": `+key+`}`)
				v, ok := content[k]
				if key = strings.ReplaceAll(key, "null", "(null)"); !ok {
					v = "(null)"
				}
				if ok || missing == Null {
					want = append(want, fmt.Sprintf("zone=%s vendor=(null) name=%s", key, v))
				} else {
					wantRefused = append(wantRefused, fmt.Sprintf("%d zone in the table: zone=%s is not in the table", i, key))
				}
			}
			rows, refused := run(t, grouptest.Batch(t, trips, "["+strings.Join(json, ",")+"]"), table, Options{On: "zone", Missing: missing})
			got = append(got, rows...)
			if diff := cmp.Diff(wantRefused, refused); diff != "" {
				t.Fatalf("refused (-want +got):\n%s", diff)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
	})
}
