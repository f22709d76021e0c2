package fileio

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/io/iotest"
)

var trips = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us},
	{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

func TestConformance(t *testing.T) {
	for _, name := range []string{"%d.csv", "%d.csv.gz", "%d.csv.zst", "%d.jsonl", "%d.json.gz"} {
		t.Run(name, func(t *testing.T) {
			iotest.Source(t, iotest.File(), func(t *testing.T) iotest.SourceFixture {
				dir := t.TempDir()
				o := Options{URL: filepath.Join(dir, "*"), Schema: trips, EventTime: "at", BatchRows: 7, Header: true}
				for i := range 3 {
					writeFile(t, filepath.Join(dir, fmt.Sprintf(name, i)), tripsAs(strings.Contains(name, "csv"), 20*i))
				}
				return iotest.SourceFixture{
					New: func() (flow.Source, error) { return newSource(o) }, Rows: 48, Rejected: 12,
					Recreate: func() error { return later(dir) },
				}
			})
		})
	}
}

// tripsAs makes 20 records from an id on, every fifth of them broken.
func tripsAs(csv bool, first int) []byte {
	var out strings.Builder
	if csv {
		out.WriteString("at,id,note,other\r\n")
	}
	for id := first; id < first+20; id++ {
		form := `{"id":%s,"at":"2024-01-02T03:04:%02dZ","note":"a\nb"}` + "\n"
		if csv {
			form = "2024-01-02 03:04:%02[2]d,%[1]s,\"a\nb\",x\n"
		}
		n := fmt.Sprint(id)
		if id%5 == 4 {
			n = `"x"`
		}
		fmt.Fprintf(&out, form, n, id)
	}
	return []byte(out.String())
}

// later puts each file of a folder aside for a copy of another time.
func later(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := os.WriteFile(name+".new", data, 0o644); err != nil {
			return err
		}
		if err := os.Rename(name+".new", name); err != nil {
			return err
		}
		if err := os.Chtimes(name, time.Time{}, info.ModTime().Add(time.Second)); err != nil {
			return err
		}
	}
	return err
}
