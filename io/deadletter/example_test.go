package deadletter_test

import (
	"fmt"
	"strings"

	"github.com/millrace-io/millrace/io/deadletter"
)

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
