//go:build cgo

package readback

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/deadletter"
)

// Dead letters can be queried: types, payloads as JSON, the step from the folder as well as from the line.
func TestDeadLetters(t *testing.T) {
	db, root := duck(t), t.TempDir()
	in, err := flow.DeadRows([]flow.Letter{
		{
			Step: "clean", Cause: "rejected", Rule: "fare_amount > 0", Reason: "it is\n-4.5", EventTime: 1_547_541_000_000_000, Weight: 2,
			Format: "json", Payload: []byte(`{"id":9223372036854775807,"fare_amount":-4.5}`),
		},
		{Step: "clean", Cause: "rejected", Partition: "trips/0", Position: "7", EventTime: batch.NoTime, Weight: 1, Format: "raw", Payload: []byte("a\x00b")},
		{Step: "clean", Cause: "rejected", EventTime: batch.NoTime, Weight: 1, Format: "raw", Payload: []byte{0xff}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := deadletter.NewSink(deadletter.Options{URL: root})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Route(in)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, r.Dests[0])
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "0.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Encode(f, in.Schema(), func(yield func(*batch.Batch, error) bool) { yield(in, nil) }); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	file := "read_json('" + root + "/**/*.jsonl')"
	expect(t, query(t, db, "select step, cause, rule, reason, partition, position, event_time::timestamptz, weight, payload, from_base64(payload_base64) from "+file), [][]string{
		{"clean", "rejected", "fare_amount > 0", "it is\n-4.5", "NULL", "NULL", "2019-01-15 08:30:00+00", "2", `{"id":9223372036854775807,"fare_amount":-4.5}`, "NULL"},
		{"clean", "rejected", "NULL", "", "trips/0", "7", "NULL", "1", "a\x00b", "NULL"},
		{"clean", "rejected", "NULL", "", "NULL", "NULL", "NULL", "1", "NULL", `\xFF`},
	})
	expect(t, query(t, db, "select (payload::json->>'fare_amount')::double from "+file+" where format = 'json'"), [][]string{{"-4.5"}})
}
