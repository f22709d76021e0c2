package jsonarrow_test

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/batch/jsonarrow"
)

func ExampleDecoder() {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "fare", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	}, nil)
	d, err := jsonarrow.NewDecoder(schema, jsonarrow.Options{Unknown: jsonarrow.Capture})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, record := range []string{
		`{"id":9007199254740993,"fare":2.5}`,
		`{"id":2,"tip":1.00}`,
		`{"id":0.5}`,
	} {
		if err := d.Append(b, []byte(record)); err != nil {
			fmt.Println("rejected:", err)
			continue
		}
		if err := b.EndRow(); err != nil {
			fmt.Println(err)
		}
	}
	rows, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range rows.Columns() {
		fmt.Println(rows.Schema().Field(i).Name, rows.Column(i))
	}
	// Output:
	// rejected: column "id": the number 0.5 is not a whole number for a column of type int64 (at byte 6)
	// id [9007199254740993 2]
	// fare [2.5 (null)]
	// _rest [(null) "{\"tip\":1.00}"]
}
