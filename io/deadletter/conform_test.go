package deadletter_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/deadletter"
	"github.com/millrace-io/millrace/io/iotest"
)

func TestConform(t *testing.T) {
	iotest.Sink(t, iotest.DeadLetter(), func(t *testing.T) iotest.SinkFixture {
		return iotest.SinkFixture{
			New: func(url string) (flow.Sink, error) {
				return deadletter.NewSink(deadletter.Options{URL: url, Roll: flow.Roll{Rows: 20}})
			},
			Rows: []*batch.Batch{conformLetters(t, 0, 50), conformLetters(t, 50, 57), conformLetters(t, 57, 100)},
			Decode: func(file []byte) ([]arrow.RecordBatch, error) {
				var letters []flow.Letter
				for l, err := range deadletter.Decode(bytes.NewReader(file)) {
					if err != nil {
						return nil, err
					}
					letters = append(letters, l)
				}
				b, err := flow.DeadRows(letters)
				if b == nil || err != nil {
					return nil, err
				}
				return []arrow.RecordBatch{b.Visible()}, nil
			},
			Bad: []*arrow.Schema{arrow.NewSchema(flow.DeadSchema.Fields()[1:], nil)},
		}
	})
}

func conformLetters(t *testing.T, from, to int) *batch.Batch {
	t.Helper()
	var letters []flow.Letter
	for i := from; i < to; i++ {
		l := flow.Letter{
			Step: []string{"clean", "hourly", "trips"}[i%3], Cause: "rejected", Reason: "reason", Position: fmt.Sprint(i),
			EventTime: int64(i), Weight: int64(1 + i%2), Format: "raw", Payload: []byte{byte(i * 2), 'x'},
		}
		if i%4 == 0 {
			l.EventTime, l.Rule = batch.NoTime, "id > 0"
		}
		letters = append(letters, l)
	}
	b, err := flow.DeadRows(letters)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
