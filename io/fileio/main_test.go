package fileio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/millrace-io/millrace/flow"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fataler interface {
	Helper()
	Fatal(args ...any)
}

// writeFile writes data, compressed as the name says, gzip in two members.
func writeFile(t fataler, name string, data []byte) {
	t.Helper()
	var buf bytes.Buffer
	compress := func(part []byte) {
		var w io.WriteCloser
		switch compressionOf(name) {
		case ".gz":
			w = gzip.NewWriter(&buf)
		case ".zst":
			z, err := zstd.NewWriter(&buf)
			if err != nil {
				t.Fatal(err)
			}
			w = z
		default:
			buf.Write(part)
			return
		}
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	compress(data[:len(data)/2])
	compress(data[len(data)/2:])
	if err := os.WriteFile(name, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// got is what was read: rows as JSON objects, and dead letters.
type got struct{ Rows, Rejected []string }

// readAll reads all files, opening each again behind every page that again picks.
func readAll(t testing.TB, o Options, again func() bool) (got, error) {
	var out got
	src, err := newSource(o)
	if err != nil {
		return out, err
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		return out, err
	}
	for _, p := range parts {
		var pos []byte
		for done := false; !done; {
			r, err := src.Open(t.Context(), flow.Assignment{Partition: p, Position: pos, Epoch: 1})
			if err != nil {
				return out, err
			}
			for stop := false; !stop && !done; {
				page, err := r.Read(t.Context())
				if err != nil {
					return out, errors.Join(err, r.Close())
				}
				out.add(page)
				pos, done, stop = page.Next, page.State == flow.End, again()
			}
			if err := r.Close(); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

func (g *got) add(page flow.Page) {
	if page.Rows != nil {
		rec := page.Rows.Visible()
		for i := range int(rec.NumRows()) {
			var row []string
			for c := range int(rec.NumCols()) {
				v := rec.Column(c).ValueStr(i)
				if rec.Column(c).DataType().ID() == arrow.STRING && rec.Column(c).IsValid(i) {
					v = shown(v)
				}
				row = append(row, v)
			}
			g.Rows = append(g.Rows, strings.Join(row, " "))
		}
	}
	for _, l := range page.Rejected {
		g.Rejected = append(g.Rejected, fmt.Sprintf("%s: %s: %q", l.Position, l.Reason, l.Payload))
	}
}

func never() bool { return false }

// readText reads one file of the given content.
func readText(t *testing.T, name, content string, o Options) got {
	t.Helper()
	o.URL = filepath.Join(t.TempDir(), name)
	writeFile(t, o.URL, []byte(content))
	out, err := readAll(t, o, never)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func shown(s string) string { return fmt.Sprintf("%q", s) }
