package batch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/batch"
)

func TestMappingFaults(t *testing.T) {
	type inner struct{ A int64 }
	type faulty struct {
		A int64
		B inner `millrace:"a"`
		C map[string]int
		D decimal128.Num
		E string         `millrace:",date"`
		F int64          `millrace:",unit=h"`
		G []faultyE      `millrace:"@time"`
		H decimal128.Num `millrace:"h,decimal(40,2)"`
		I chan int       `millrace:"-"`
		J decimal128.Num `millrace:"j,decimal(4,2),date"`
	}
	_, err := batch.NewMapping[faulty]()
	want := `batch: field faulty.C: type map[string]int has no column type
batch: field faulty.D: a decimal needs its precision and scale, such as ` + "`millrace:\",decimal(10,2)\"`" + `
batch: field faulty.E: option date does not suit type string
batch: field faulty.F: unknown option "unit=h": date, unit=s|ms|us|ns and decimal(p,s) exist
batch: field faulty.G[].Next: type batch_test.faultyE contains itself
batch: field faulty.H: decimal(40,2) is not decimal(precision,scale) with a precision up to 38
batch: field faulty.J: option date does not suit type decimal128.Num
batch: fields faulty.A and faulty.B both map to column "a"
batch: field faulty.G: column names that start with "@" are reserved`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(errorText(err), "\n")); diff != "" {
		t.Error(diff)
	}
	if _, err := batch.NewMapping[int](); err == nil {
		t.Error("int is no struct")
	}
}

type faultyE struct{ Next *faultyE }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestBindFaults(t *testing.T) {
	type row struct {
		ID   int32
		Name string
		Gone float64
		At   time.Time
		Fare decimal128.Num `millrace:",decimal(10,2)"`
		In   struct{ A, B int64 }
		Tags []string
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.Binary},
		{Name: "at", Type: arrow.BinaryTypes.String},
		{Name: "fare", Type: &arrow.Decimal128Type{Precision: 12, Scale: 2}},
		{Name: "in", Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Float64})},
		{Name: "tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64)},
	}, nil)
	_, err := mustMap[row](t).Bind(schema)
	want := `batch: field row.ID of type int32 cannot hold column "id" of type int64
batch: field row.Name of type string cannot hold column "name" of type binary
batch: field row.Gone wants one column "gone" of type float64, there are 0 among (id, name, at, fare, in, tags)
batch: field row.At of type time.Time cannot hold column "at" of type utf8
batch: field row.Fare of type decimal128.Num cannot hold column "fare" of type decimal(12, 2)
batch: field row.In.A of type int64 cannot hold column "a" of type float64
batch: field row.In.B wants a field "b" of type int64 in struct<a: float64>
batch: field row.Tags[] of type string cannot hold column "item" of type int64`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(errorText(err), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestMappingRefuses(t *testing.T) {
	type row struct {
		S string
		T time.Time      `millrace:",unit=ns"`
		D decimal128.Num `millrace:",decimal(4,2)"`
	}
	m := mustMap[row](t)
	b, err := batch.NewBuilder(m.Schema(), batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range []row{
		{"ok", time.Unix(1, 2), decimal128.FromI64(9999)},
		{"\xff", time.Unix(1, 2), decimal128.Num{}},
		{"", time.Time{}, decimal128.Num{}},
		{"", time.Unix(0, 0), decimal128.FromI64(-10000)},
	} {
		err := m.Append(b, &v)
		if err == nil {
			err = b.EndRow()
		}
		b.Rollback()
		got = append(got, errorText(err))
	}
	want := []string{
		"",
		`batch: field row.S: "\xff" is not valid UTF-8`,
		`batch: field row.T: the time 0001-01-01 00:00:00 +0000 UTC does not fit timestamp[ns, tz=UTC]`,
		`batch: column "d": -100.00 does not fit decimal(4, 2)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b.Rows() != 1 {
		t.Error(b.Rows())
	}
}
