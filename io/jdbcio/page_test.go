package jdbcio

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/jdbcio.md")

const pagePath = "../../docs/jdbcio.md"

// The page's two tables are printed from what Read does: the type of a declaration, and what becomes of a stored value in it.
func TestPage(t *testing.T) {
	page, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for name, table := range map[string]string{"declared": declaredTable(), "stored": storedTable(t)} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(want, begin)
		_, after, ended := strings.Cut(rest, end)
		if !ok || !ended {
			t.Fatalf("%s has no place for the table %q", pagePath, name)
		}
		want = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(pagePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("write it with go test ./io/jdbcio -update (-want +got)\n%s", diff)
	}
}

func declaredTable() string {
	var out strings.Builder
	out.WriteString("| declared | column |\n|---|---|\n")
	for _, decl := range []string{
		"INTEGER", "BIGINT", "BOOLEAN", "REAL", "DOUBLE PRECISION", "TEXT", "VARCHAR(20)", "BLOB", "DATE", "DATETIME", "TIMESTAMP",
		"DECIMAL(10,2)", "NUMERIC", "TIME", "",
	} {
		shown := "`" + decl + "`"
		if decl == "" {
			shown = "nothing, or an expression"
		}
		fmt.Fprintf(&out, "| %s | %s |\n", shown, declared(decl))
	}
	return out.String()
}

// storedTable reads each of some stored values as each type.
func storedTable(t *testing.T) string {
	t.Helper()
	stored := []string{"5", "9007199254740993", "1.5", "'5'", "'12.50'", "'2024-01-02 03:04:05'", "2460311.5", "x'00ff'", "CAST(x'ff' AS TEXT)"}
	types := []arrow.DataType{
		arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.FixedWidthTypes.Boolean,
		&arrow.Decimal128Type{Precision: 10, Scale: 2}, arrow.FixedWidthTypes.Timestamp_us, arrow.FixedWidthTypes.Date32,
	}
	head, values := "| stored |", strings.Join(stored, "), (")
	path := makeDB(t, "CREATE TABLE t(v)", "INSERT INTO t VALUES ("+values+")")
	cells := make([][]string, len(stored))
	for _, typ := range types {
		head += " " + typ.String() + " |"
		schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: typ, Nullable: true}}, nil)
		for i := range stored {
			got := dumpAll(t, Options{URL: "sqlite:" + path, Query: fmt.Sprintf("SELECT v FROM t WHERE rowid = %d", i+1), Schema: schema})
			cell := "rejected"
			if len(got.Rows) == 1 {
				cell = "`" + got.Rows[0] + "`"
			}
			cells[i] = append(cells[i], cell)
		}
	}
	head += "\n|" + strings.Repeat("---|", len(types)+1) + "\n"
	for i, row := range cells {
		head += "| `" + stored[i] + "` | " + strings.Join(row, " | ") + " |\n"
	}
	return head
}
