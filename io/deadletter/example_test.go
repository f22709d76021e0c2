package deadletter_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/deadletter"
	"github.com/millrace-io/millrace/io/jdbcio"
	"github.com/millrace-io/millrace/runners"
	_ "modernc.org/sqlite"
)

// What does not fit the schema is kept, with the reason.
func ExampleWrite() {
	dir, err := os.MkdirTemp("", "dead")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := makeFares(filepath.Join(dir, "fares.db")); err != nil {
		fmt.Println(err)
		return
	}
	build := func(p *flow.Pipeline) {
		fares := jdbcio.Read(p, "fares", jdbcio.Options{
			URL: "sqlite:" + filepath.Join(dir, "fares.db"), Table: "fares",
			Schema: arrow.NewSchema([]arrow.Field{{Name: "amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true}}, nil),
		})
		deadletter.Write("dead-letters", flow.Dead(fares.Rejected), deadletter.Options{URL: filepath.Join(dir, "dead")})
	}
	if _, err := runners.Run(context.Background(), build, runners.Options{InMemory: true}); err != nil {
		fmt.Println(err)
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "dead", "step=fares", "*.jsonl"))
	if err != nil || len(files) != 1 {
		fmt.Println(files, err)
		return
	}
	letters, err := deadletter.ReadFile(files[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range letters {
		fmt.Println(l.Step, l.Cause, string(l.Payload))
	}
	// Output: fares rejected {"amount":"n/a"}
}

func makeFares(name string) error {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	if _, err := db.Exec("create table fares(amount real); insert into fares values(6.5), ('n/a')"); err != nil {
		return err
	}
	return db.Close()
}

func ExampleDecode() {
	file := strings.NewReader(`{"step":"clean","cause":"rejected","rule":"fare_amount > 0","reason":"fare_amount is -4.5",` +
		`"partition":"trips/0","position":"1877","event_time":"2019-01-15T08:30:00.000000Z","weight":1,"format":"json",` +
		`"payload":"{\"vendor_id\":1,\"fare_amount\":-4.5}","payload_base64":null}` + "\n")
	for letter, err := range deadletter.Decode(file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(letter.Step, letter.Rule, string(letter.Payload))
	}
	// Output: clean fare_amount > 0 {"vendor_id":1,"fare_amount":-4.5}
}
