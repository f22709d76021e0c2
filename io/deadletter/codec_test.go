package deadletter_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/deadletter"
	"pgregory.net/rapid"
)

func mustSink(t testing.TB) flow.Sink {
	t.Helper()
	s, err := deadletter.NewSink(deadletter.Options{URL: "dead"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatal(...any)
}

func encode(t fataler, s flow.Sink, letters ...flow.Letter) []byte {
	t.Helper()
	in, err := flow.DeadRows(letters)
	if err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	err = s.Encode(&w, flow.DeadSchema, func(yield func(*batch.Batch, error) bool) {
		if in != nil {
			yield(in, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func TestEncode(t *testing.T) {
	got := string(encode(t, mustSink(t),
		flow.Letter{
			Step: "clean", Cause: "rejected", Rule: "fare_amount > 0", Reason: "fare_amount is -4.5", Partition: "trips/0", Position: "1877",
			EventTime: 1_547_541_000_000_000, Weight: 1, Format: "json", Payload: []byte(`{"vendor_id":1,"fare_amount":-4.5,"flag":"<ü>"}`),
		},
		flow.Letter{Step: "trips", Cause: "rejected", Reason: "line\nbreak", EventTime: batch.NoTime, Weight: 3, Format: "raw", Payload: []byte{0xff, 0}},
		flow.Letter{Step: "trips", Cause: "rejected", EventTime: -1, Weight: 1, Format: "raw"},
		flow.Letter{Step: "trips", Cause: "late", EventTime: math.MaxInt64, Weight: 1, Format: "raw", Payload: []byte("a\x00\u2028")},
	))
	want := `{"step":"clean","cause":"rejected","rule":"fare_amount > 0","reason":"fare_amount is -4.5","partition":"trips/0","position":"1877","event_time":"2019-01-15T08:30:00.000000Z","weight":1,"format":"json","payload":"{\"vendor_id\":1,\"fare_amount\":-4.5,\"flag\":\"<ü>\"}","payload_base64":null}
{"step":"trips","cause":"rejected","rule":null,"reason":"line\nbreak","partition":null,"position":null,"event_time":null,"weight":3,"format":"raw","payload":null,"payload_base64":"/wA="}
{"step":"trips","cause":"rejected","rule":null,"reason":"","partition":null,"position":null,"event_time":"1969-12-31T23:59:59.999999Z","weight":1,"format":"raw","payload":"","payload_base64":null}
{"step":"trips","cause":"late","rule":null,"reason":"","partition":null,"position":null,"event_time":"9223372036854775807us","weight":1,"format":"raw","payload":"a\u0000\u2028","payload_base64":null}
`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

func genLetter(t *rapid.T) flow.Letter {
	return flow.Letter{
		Step: rapid.String().Draw(t, "step"), Cause: rapid.SampledFrom([]string{"rejected", "late"}).Draw(t, "cause"), Rule: rapid.String().Draw(t, "rule"),
		Reason: rapid.String().Draw(t, "reason"), Partition: rapid.String().Draw(t, "partition"), Position: rapid.String().Draw(t, "position"),
		EventTime: rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1e17, 1e17), rapid.Just(int64(batch.NoTime))).Draw(t, "time"),
		Weight:    rapid.Int64Range(1, math.MaxInt64).Draw(t, "weight"), Format: rapid.SampledFrom([]string{"raw", "json"}).Draw(t, "format"),
		Payload: rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })).Draw(t, "payload"),
	}
}

func TestDecodeGivesWhatWasEncoded(t *testing.T) {
	s := mustSink(t)
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Custom(genLetter)).Draw(t, "letters")
		data := encode(t, s, want...)
		if n := bytes.Count(data, []byte("\n")); n != len(want) {
			t.Fatalf("%d lines for %d letters", n, len(want))
		}
		got := []flow.Letter{}
		for l, err := range deadletter.Decode(bytes.NewReader(data)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if cut := rapid.IntRange(0, len(data)).Draw(t, "cut"); cut > 0 && data[cut-1] != '\n' {
			var last error
			for _, err := range deadletter.Decode(bytes.NewReader(data[:cut])) {
				last = err
			}
			if !errors.Is(last, deadletter.ErrDamaged) {
				t.Fatalf("cut off at %d: %v", cut, last)
			}
		}
	})
}

func TestDecodeDamaged(t *testing.T) {
	for text, want := range map[string]string{
		"{\"step\":\"x\"}":      "damaged dead letters: line 1 is cut off",
		"{\"step\":\"x\"}\n{\n": "damaged dead letters: line 2: unexpected EOF",
		"{} {}\n":               "damaged dead letters: line 1: more than one object",
		"{\"other\":1}\n":       `damaged dead letters: line 1: json: unknown field "other"`,
		"{\"step\":\"\xff\"}\n": "damaged dead letters: line 1: not valid UTF-8",
		"{\"payload\":\"\",\"payload_base64\":\"\"}\n": "damaged dead letters: line 1: payload and payload_base64 are both there",
		"{\"event_time\":\"yesterday\"}\n":             `damaged dead letters: line 1: parsing time "yesterday" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "yesterday" as "2006"`,
	} {
		var got error
		for _, err := range deadletter.Decode(strings.NewReader(text)) {
			got = err
		}
		if got == nil || got.Error() != want || !errors.Is(got, deadletter.ErrDamaged) {
			t.Errorf("%q: %v, want %s", text, got, want)
		}
	}
}

func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.jsonl")
	want := []flow.Letter{{Step: "a", Cause: "late", EventTime: 7, Weight: 1, Format: "raw", Payload: []byte("x")}}
	data := encode(t, mustSink(t), want...)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := deadletter.ReadFile(name)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if err := os.WriteFile(name, data[:9], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := deadletter.ReadFile(name); !errors.Is(err, deadletter.ErrDamaged) || !strings.Contains(err.Error(), name) {
		t.Error(err)
	}
	if _, err := deadletter.ReadFile(name + "?"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("{\"step\":\"x\",\"event_time\":\"9223372036854775807us\",\"payload_base64\":\"/wA=\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var letters []flow.Letter
		for l, err := range deadletter.Decode(bytes.NewReader(data)) {
			if err != nil {
				return
			}
			l.Weight = max(l.Weight, 1) // as flow.DeadRows has it
			if l.Payload == nil {
				l.Payload = []byte{}
			}
			letters = append(letters, l)
		}
		var again []flow.Letter
		for l, err := range deadletter.Decode(bytes.NewReader(encode(t, mustSink(t), letters...))) {
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, l)
		}
		if diff := cmp.Diff(letters, again); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEncodeFails(t *testing.T) {
	in, err := flow.DeadRows([]flow.Letter{{}})
	if err != nil {
		t.Fatal(err)
	}
	bad := errors.New("disk full")
	err = mustSink(t).Encode(failing{bad}, flow.DeadSchema, func(yield func(*batch.Batch, error) bool) { yield(in, nil) })
	if !errors.Is(err, bad) {
		t.Errorf("writer: %v", err)
	}
	err = mustSink(t).Encode(new(bytes.Buffer), flow.DeadSchema, func(yield func(*batch.Batch, error) bool) { yield(nil, bad) })
	if !errors.Is(err, bad) {
		t.Errorf("reader: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestRoute(t *testing.T) {
	long := strings.Repeat("x", 300)
	in, err := flow.DeadRows([]flow.Letter{{Step: "b"}, {Step: "a"}, {Step: "b"}, {Step: "../c"}, {Step: ""}, {Step: long}, {Step: ".."}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := mustSink(t).Route(in)
	want := flow.Routing{
		Dests: []string{"step=b", "step=a", "step=..%2Fc", "step=__HIVE_DEFAULT_PARTITION__", "step=" + long[:80], "step=.."},
		Of:    []int32{0, 1, 0, 2, 3, 4, 5},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestCheck(t *testing.T) {
	s := mustSink(t)
	if err := s.Check(flow.DeadSchema); err != nil {
		t.Error(err)
	}
	const want = "deadletter: the rows are no dead letters: give it what flow.Dead returns"
	for _, schema := range []*arrow.Schema{
		arrow.NewSchema(flow.DeadSchema.Fields()[1:], nil),
		arrow.NewSchema(append(flow.DeadSchema.Fields()[:9:9], arrow.Field{Name: "data", Type: arrow.BinaryTypes.Binary}), nil),
		arrow.NewSchema(append(flow.DeadSchema.Fields()[:9:9], arrow.Field{Name: "payload", Type: arrow.BinaryTypes.String}), nil),
	} {
		if err := s.Check(schema); err == nil || err.Error() != want {
			t.Errorf("%v: %v", schema, err)
		}
	}
}

func TestValidate(t *testing.T) {
	err := deadletter.Options{FileBytes: -1, Roll: flow.Roll{Rows: -1, Bytes: -1, Age: -1}}.Validate()
	want := "URL is missing: name the folder that the files lie in\nFileBytes is negative: leave it out for the default\n" +
		"Roll.Rows is negative: leave it out for the default\nRoll.Bytes is negative: leave it out for the default\nRoll.Age is negative: leave it out for the default"
	if err == nil || err.Error() != want {
		t.Error(err)
	}
}
