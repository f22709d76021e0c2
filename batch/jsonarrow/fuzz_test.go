package jsonarrow

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/millrace-io/millrace/batch"
	"pgregory.net/rapid"
)

// one decodes one record; exactly takes the slow way at once.
func one(t testing.TB, record []byte, o Options, exactly bool) (*batch.Batch, error) {
	t.Helper()
	d, err := NewDecoder(refSchema, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.NewBuilder(d.Schema(), batch.BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if exactly {
		d.bind(b)
		d.exact = true
		if err := d.record(record); err != nil {
			return nil, err
		}
	} else if err := d.Append(b, record); err != nil {
		if b.Rows() != 0 || b.Col(0).Len() != 0 {
			t.Fatal("the row was not taken back")
		}
		return nil, err
	}
	if err := b.EndRow(); err != nil {
		t.Fatalf("%s: EndRow: %v", record, err)
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out, nil
}

func rowOf(b *batch.Batch) map[string]any {
	out := map[string]any{}
	for i := range b.Columns() {
		out[b.Record().ColumnName(i)] = fromArrow(b.Column(i), 0)
	}
	return out
}

var (
	surrogate = regexp.MustCompile(`(?i)\\ud[89a-f]`)
	timeLike  = regexp.MustCompile(`"t"\s*:\s*"|\\u`)
)

// compare holds Append against the reference.
func compare(t testing.TB, record []byte) {
	got, err := one(t, record, Options{}, false)
	slow, err2 := one(t, record, Options{}, true)
	if (err == nil) != (err2 == nil) || err == nil && cmp.Diff(rowOf(got), rowOf(slow), cmpopts.EquateNaNs()) != "" || err != nil && err.Error() != err2.Error() {
		t.Fatalf("%q: one way gives %v, the other %v", record, err, err2)
	}
	want, ok := reference(record)
	switch {
	case !utf8.Valid(record):
		if err == nil {
			t.Fatalf("%q is not UTF-8 and was taken", record)
		}
	case err == nil && !ok:
		t.Fatalf("%q was taken: %v", record, rowOf(got))
	case err != nil && ok:
		var row *RowError
		if !errors.As(err, &row) {
			t.Fatalf("%q: %v is no RowError", record, err)
		}
		reason := row.Reason
		if strings.Contains(reason, "surrogate") && surrogate.Match(record) ||
			strings.Contains(reason, "too deeply") && bytes.Count(record, []byte("["))+bytes.Count(record, []byte("{")) > 128 ||
			strings.Contains(reason, "is no timestamp") && timeLike.Match(record) { // time.Parse takes more forms
			return
		}
		t.Fatalf("%q was rejected: %v", record, err)
	case ok:
		if diff := cmp.Diff(want, any(rowOf(got))); diff != "" {
			t.Fatalf("%q\n%s", record, diff)
		}
	}
}

func FuzzAppend(f *testing.F) {
	for _, s := range []string{
		`{"i":712345678901234567,"u":255,"f":1.5e3,"g":0.1,"d":-12.30,"s":"a\u00e9\ud83d\ude00","b":true,"n":"AP8=","t":"2019-01-01T00:46:40.5+02:00","l":[1,null,3],"o":{"x":false,"l":[{"s":"y"},null,{}]}}`,
		`{"i":1e3,"i":2.0,"t":1546303600000.25,"d":"1.1","z":{"deep":[{"er":[1.5e-7,null,true,"x"]}]}}`,
		"\xEF\xBB\xBF {\"s\":\"\xEF\xBB\xBF\",\"o\":{\"l\":[],\"x\":null}} \n", `{"i":99999999999999999999,"f":1e400}`, `{"s":"\ud800"}`, "{\"s\":\"\xff\"}",
		`{"l":[9007199254740993,-0,1.0]}`, `{"t":"2024-02-29 23:59:59.999999999"}`, `{"o":{"l":[{"s":1,"s":true}]},"o":{}}`, `{}`, `null`, ``, `{"i":NaN}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, record []byte) { compare(t, record) })
}

// FuzzCapture checks that what Capture gathers is JSON, and that with Reject a row is the same or refused.
func FuzzCapture(f *testing.F) {
	f.Add([]byte(`{"a":1,"i":2,"o":{"y":[1,{"x":"é"}],"l":[{"s":"","~/":null}]}}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		plain, err := one(t, record, Options{}, false)
		capture, err2 := one(t, record, Options{Unknown: Capture}, false)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q: ignore %v, capture %v", record, err, err2)
		}
		strict, err3 := one(t, record, Options{Unknown: Reject}, false)
		if err != nil {
			return
		}
		row := rowOf(capture)
		rest := row["_rest"]
		delete(row, "_rest")
		if diff := cmp.Diff(rowOf(plain), row); diff != "" {
			t.Fatalf("%q\n%s", record, diff)
		}
		if (rest == nil) != (err3 == nil) || err3 == nil && cmp.Diff(row, rowOf(strict)) != "" {
			t.Fatalf("%q: rest %v, and reject says %v", record, rest, err3)
		}
		if rest != nil {
			if d := (scanner{data: []byte(rest.(string))}); d.peek() != '{' || d.skip(200) != nil || d.pos != len(d.data) {
				t.Fatalf("%q: rest is %s", record, rest)
			}
		}
	})
}

// genValue draws JSON text: mostly what the columns take, and all kinds of other things.
func genValue(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		switch k := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case k == 0:
			return rapid.SampledFrom([]string{"null", "true", "false", `"true"`, `""`, `"AP8="`, `"2019-01-01 00:46:40"`}).Draw(t, "word")
		case k <= 3:
			return rapid.StringMatching(`-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number")
		case k <= 5:
			return fmt.Sprintf(`"%s"`, rapid.StringMatching(`([a-zé😀 ]|\\["\\/bfnrt]|\\u00[0-9a-f]{2}|\\ud83d\\ude0[0-9]){0,12}`).Draw(t, "text"))
		case depth <= 0:
			return "0"
		case k <= 7:
			return "[" + strings.Join(rapid.SliceOfN(genValue(depth-1), 0, 3).Draw(t, "elems"), " ,") + "]"
		}
		return genObject(depth-1).Draw(t, "object")
	})
}

func genObject(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var sb strings.Builder
		sb.WriteByte('{')
		n := rapid.IntRange(0, 6).Draw(t, "fields")
		for i := range n {
			key := rapid.SampledFrom([]string{"i", "u", "f", "g", "d", "s", "b", "n", "t", "l", "o", "x", "z", `\u0069`, "I"}).Draw(t, "key")
			fmt.Fprintf(&sb, `%s"%s":%s`, strings.Repeat(",", min(i, 1)), key, genValue(depth).Draw(t, "value"))
		}
		sb.WriteByte('}')
		return sb.String()
	})
}

func TestAgainstReference(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { compare(t, []byte(genObject(3).Draw(r, "record"))) })
}

// Every cut of a good record is an error, or the record was complete.
func TestCutRecords(t *testing.T) {
	record := []byte(`{"i":1,"s":"a\u00e9\ud83d\ude00","l":[1,null],"o":{"x":false,"l":[{"s":"y"}]},"z":{"a":[true,1.5e3]}} `)
	for n := range record {
		compare(t, record[:n])
		if _, err := one(t, record[:n], Options{}, false); (err == nil) != (n == len(record)-1) {
			t.Errorf("%s: %v", record[:n], err)
		}
	}
}
