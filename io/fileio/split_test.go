package fileio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// FuzzCSV holds records against encoding/csv, and their bytes against the file.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\nc,d", "\"a\r\n\"\"b\",c\r\n", "a\"b,\"c\nd\"\ne", "\"a\"\r", "\"a\"\rb\n", "\n\r\n,\n", "\"", "\"a\"b\nc", "\r", "a\r\r\n", "\"a\"\r,b\n", "\"a\"\r\"b\n"} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, data []byte, chunk int) {
		want := csv.NewReader(bytes.NewReader(data))
		want.FieldsPerRecord = -1
		s := splitter{in: bufio.NewReaderSize(&chunks{data, max(1, chunk%64)}, 16), csv: true, comma: ',', max: len(data) + 1, line: 1}
		for n := 0; ; n++ {
			rec, err := s.next(t.Context())
			fields, wantErr := want.Read()
			if errors.Is(err, io.EOF) != errors.Is(wantErr, io.EOF) {
				t.Fatalf("record %d: %v, encoding/csv: %v", n, err, wantErr)
			}
			if err != nil {
				return
			}
			if !bytes.HasPrefix(data[rec.offset:], rec.raw) || rec.line != int64(bytes.Count(data[:rec.offset], []byte{'\n'}))+1 {
				t.Fatalf("record %d: %q is not what stands at line %d, byte %d", n, rec.raw, rec.line, rec.offset)
			}
			if (rec.fault != "") != (wantErr != nil) {
				t.Fatalf("record %d, %q: fault %q, encoding/csv: %v", n, rec.raw, rec.fault, wantErr)
			}
			if wantErr != nil {
				continue
			}
			var have []string
			for _, c := range cells(rec.raw, ',', nil) {
				have = append(have, strings.ReplaceAll(string(c.text), "\r\n", "\n"))
			}
			if diff := cmp.Diff(fields, have); diff != "" {
				t.Fatalf("record %d, %q\n%s", n, rec.raw, diff)
			}
		}
	})
}

// chunks gives few bytes at a time.
type chunks struct {
	data []byte
	n    int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(c.n, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

// Rows are the same however they are written, compressed, cut into batches and read on.
func TestRowsSurvive(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.StringMatching(`[a", \n\r;é]{0,6}`), 2, 2), 0, 30).Draw(rt, "rows")
		end, all := rapid.SampledFrom([]string{"\n", "\r\n"}), rapid.Bool().Draw(rt, "quote all")
		var text strings.Builder
		var want []string
		for _, row := range rows {
			var line []string
			for i, cell := range row {
				if i > 0 {
					text.WriteByte(',')
				}
				if all || cell == "" || strings.ContainsAny(cell, "\",\r\n") || rapid.Bool().Draw(rt, "quote") {
					text.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
				} else {
					text.WriteString(cell)
				}
				line = append(line, shown(cell))
			}
			text.WriteString(end.Draw(rt, "end"))
			want = append(want, strings.Join(line, " "))
		}
		name := filepath.Join(dir, "x.csv"+rapid.SampledFrom([]string{"", ".gz", ".zst"}).Draw(rt, "compression"))
		writeFile(rt, name, []byte(text.String()))
		defer os.Remove(name)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "restarts"), 1))
		o := Options{URL: name, Schema: columns(column1("a", arrow.BinaryTypes.String), column1("b", arrow.BinaryTypes.String)), BatchRows: rapid.IntRange(1, 8).Draw(rt, "batch")}
		out, err := readAll(t, o, func() bool { return random.IntN(2) == 0 })
		if diff := cmp.Diff(got{Rows: want}, out); err != nil || diff != "" {
			rt.Fatalf("%v (-want +got)\n%s\n%q", err, diff, text.String())
		}
	})
}

// cancelling ends a context whenever it is read.
type cancelling struct {
	io.Reader
	cancel context.CancelFunc
}

func (c *cancelling) Read(p []byte) (int, error) {
	c.cancel()
	return c.Reader.Read(p)
}

// What was read of a record before its context ended is not lost.
func TestPauseWithinARecord(t *testing.T) {
	in := &cancelling{Reader: &chunks{[]byte("1,\"a\nb\"\r\n2,c"), 3}}
	s := splitter{in: bufio.NewReaderSize(in, 16), csv: true, comma: ',', max: 100, line: 1}
	var have []string
	pauses := 0
	for {
		ctx, cancel := context.WithCancel(t.Context())
		in.cancel = cancel
		rec, err := s.next(ctx)
		cancel()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, errPaused) {
			pauses++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, string(rec.raw))
	}
	if diff := cmp.Diff([]string{"1,\"a\nb\"", "2,c"}, have); pauses < 2 || diff != "" {
		t.Errorf("%d pauses\n%s", pauses, diff)
	}
}

// A record of any size takes no more memory than MaxRecordBytes.
func TestLargeRecordIsNotKept(t *testing.T) {
	s := splitter{in: bufio.NewReader(io.LimitReader(zeros{}, 64<<20)), csv: true, comma: ',', max: 100, line: 1}
	rec, err := s.next(t.Context())
	if err != nil || rec.fault == "" || len(rec.raw) != 100 || cap(s.rec.raw) > 1000 || s.offset != 64<<20 {
		t.Errorf("%v: %q, %d bytes in %d, read to %d", err, rec.fault, len(rec.raw), cap(s.rec.raw), s.offset)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
