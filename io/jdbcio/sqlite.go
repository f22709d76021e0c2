package jdbcio

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// sqlite is a SQLite file.
type sqlite struct {
	path string
	o    Options
	db   *sql.DB
}

func openSQLite(_ context.Context, address string, o Options) (database, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(address, "//"), "?")
	if path == "" {
		return nil, errors.New("URL: the path of the SQLite file is missing")
	}
	if query != "" {
		return nil, errors.New("URL: SQLite files take no parameters here; they are opened for reading only")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &sqlite{path: abs, o: o}
	if err := s.readable(); err != nil {
		return nil, err
	}
	s.db, err = s.connect()
	return s, err
}

func (s *sqlite) readable() error {
	st, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s does not exist", ErrNoFile, s.path)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNoFile, err)
	case st.IsDir():
		return fmt.Errorf("%w: %s is a directory", ErrNoFile, s.path)
	}
	return nil
}

func (s *sqlite) connect() (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: s.path, RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(10000)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open SQLite file %s: %w", s.path, err)
	}
	return db, nil
}

// Close closes the connections.
func (s *sqlite) Close() error { return s.db.Close() }

// quote writes a name as a SQL identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// selects gives the SQL that reads the wanted columns, without a WHERE. The unary plus takes the declared type away: the
// driver then hands out what is stored, not what it takes a date to be.
func (s *sqlite) selects(columns []string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "+" + quote(c)
	}
	if s.o.Query != "" {
		return "SELECT " + strings.Join(list, ", ") + " FROM (" + s.o.Query + ")"
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + quote(s.o.Table)
}

// Columns gives the columns with the Arrow types of their declared types.
func (s *sqlite) Columns(ctx context.Context) (*arrow.Schema, error) {
	if s.o.Table != "" {
		var kind string
		err := s.db.QueryRowContext(ctx, "SELECT type FROM sqlite_schema WHERE name = ? AND type IN ('table', 'view')", s.o.Table).Scan(&kind)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("%w: %q in %s", ErrNoTable, s.o.Table, s.path)
		}
		if err != nil {
			return nil, fmt.Errorf("read the schema of SQLite file %s: %w", s.path, err)
		}
	}
	from := "SELECT * FROM " + quote(s.o.Table)
	if s.o.Query != "" {
		from = "SELECT * FROM (" + s.o.Query + ")"
	}
	rows, err := s.db.QueryContext(ctx, from+" LIMIT 0")
	if err != nil {
		return nil, fmt.Errorf("ask SQLite file %s for its columns: %w", s.path, err)
	}
	defer rows.Close() //nolint:errcheck // no row is read
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	fields, err := s.fields(types)
	if err != nil {
		return nil, err
	}
	return arrow.NewSchema(fields, nil), rows.Err()
}

func (s *sqlite) fields(types []*sql.ColumnType) ([]arrow.Field, error) {
	all := map[string]arrow.Field{}
	var fields []arrow.Field
	for _, t := range types {
		f := arrow.Field{Name: t.Name(), Type: declared(t.DatabaseTypeName()), Nullable: true}
		if _, twice := all[f.Name]; twice {
			return nil, fmt.Errorf("column %q appears twice; name the columns apart", f.Name)
		}
		all[f.Name] = f
		fields = append(fields, f)
	}
	if len(s.o.Columns) == 0 {
		return fields, nil
	}
	chosen := make([]arrow.Field, 0, len(s.o.Columns))
	for _, c := range s.o.Columns {
		f, ok := all[c]
		if !ok {
			return nil, fmt.Errorf("Columns: there is no column %q in %q", c, s.o.Table)
		}
		chosen = append(chosen, f)
	}
	return chosen, nil
}

// identity names the state of the file: whatever changes a row changes it. It is the file's size and change counter, and
// the same of its write-ahead log, whose salts change at every checkpoint.
// Source: SQLite file format, sections 1.3.6 and 4.1.
func (s *sqlite) identity() (string, error) {
	head, size, err := head(s.path, 100)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoFile, err)
	}
	if len(head) < 100 {
		return fmt.Sprintf("%s empty", s.path), nil
	}
	id := fmt.Sprintf("%s size %d change %d", s.path, size, binary.BigEndian.Uint32(head[24:]))
	wal, wsize, err := headOrNone(s.path + "-wal")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoFile, err)
	}
	if len(wal) == 32 && wsize > 32 {
		id += fmt.Sprintf(" log %d salt %x", wsize, wal[16:24])
	}
	return id, nil
}

func headOrNone(path string) ([]byte, int64, error) {
	b, n, err := head(path, 32)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	return b, n, err
}

func head(path string, n int) ([]byte, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() //nolint:errcheck // read only
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	b := make([]byte, n)
	k, err := io.ReadFull(f, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return b[:k], st.Size(), err
}

// Source makes the source.
func (s *sqlite) Source(schema *arrow.Schema) flow.Source {
	return &sqliteSource{sqlite: sqlite{path: s.path, o: s.o}, schema: schema}
}
