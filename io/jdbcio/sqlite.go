package jdbcio

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// sqliteFile is a SQLite file and what is read of it.
type sqliteFile struct {
	path string
	o    Options
}

func openSQLite(address string, o Options) (database, error) {
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
	return &sqliteFile{path: abs, o: o}, nil
}

func (s *sqliteFile) readable() error {
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

// snapshot is a connection inside a read transaction: whatever is asked over it sees one state of the file.
type snapshot struct {
	db    *sql.DB
	conn  *sql.Conn
	state state
}

// snapshot begins to read. The connection outlives ctx.
func (s *sqliteFile) snapshot(ctx context.Context) (_ *snapshot, err error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	var sn snapshot
	defer func() {
		if err != nil {
			err = errors.Join(err, sn.Close())
		}
	}()
	u := url.URL{Scheme: "file", Path: s.path, RawQuery: fmt.Sprintf("mode=ro&_pragma=busy_timeout(%d)&_pragma=query_only(1)", s.o.Timeout.Milliseconds())}
	if sn.db, err = sql.Open("sqlite", u.String()); err != nil {
		return nil, s.explain("open", err)
	}
	if sn.conn, err = sn.db.Conn(context.WithoutCancel(ctx)); err != nil {
		return nil, s.explain("open", err)
	}
	if _, err = sn.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, s.explain("begin to read", err)
	}
	if sn.state, err = s.stateOf(ctx, sn.conn); err != nil {
		return nil, err
	}
	return &sn, nil
}

// Close ends the transaction.
func (sn *snapshot) Close() error {
	var errs []error
	if sn.conn != nil {
		errs = append(errs, sn.conn.Close())
	}
	if sn.db != nil {
		errs = append(errs, sn.db.Close())
	}
	return errors.Join(errs...)
}

// quote writes a name as a SQL identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// from is the table, or the query as one. A line break ends a comment at its end.
func (s *sqliteFile) from() string {
	if s.o.Query != "" {
		return "(" + strings.TrimRight(s.o.Query, "; \t\r\n") + "\n)"
	}
	return quote(s.o.Table)
}

// selects gives the SQL that reads the wanted columns, without a WHERE. The unary plus takes the declared type away: the
// driver then hands out what is stored, not what it takes a date to be.
func (s *sqliteFile) selects(columns []string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "+" + quote(c)
	}
	return strings.Join(list, ", ") + " FROM " + s.from()
}

// Columns gives the columns with the Arrow types of their declared types.
func (s *sqliteFile) Columns(ctx context.Context) (*arrow.Schema, error) {
	sn, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	schema, err := s.columns(ctx, sn.conn)
	return schema, errors.Join(err, sn.Close())
}

func (s *sqliteFile) columns(ctx context.Context, conn *sql.Conn) (*arrow.Schema, error) {
	if s.o.Table != "" {
		var n int
		err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = ? AND type IN ('table', 'view')", s.o.Table).Scan(&n)
		if err != nil {
			return nil, s.explain("read the schema of", err)
		}
		if n == 0 {
			return nil, fmt.Errorf("%w: %q in %s", ErrNoTable, s.o.Table, s.path)
		}
	}
	rows, err := conn.QueryContext(ctx, "SELECT * FROM "+s.from()+" LIMIT 0") //nolint:gosec // the name is quoted, the query is the user's own
	if err != nil {
		return nil, s.explain("ask for the columns of", err)
	}
	defer rows.Close() //nolint:errcheck // no row is read
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, s.explain("ask for the columns of", err)
	}
	fields, err := s.fields(types)
	if err != nil {
		return nil, err
	}
	return arrow.NewSchema(fields, nil), rows.Err()
}

// fields chooses the columns. SQLite makes their names unique: the second a of a query is a:1.
func (s *sqliteFile) fields(types []*sql.ColumnType) ([]arrow.Field, error) {
	all := map[string]arrow.Field{}
	var fields []arrow.Field
	for _, t := range types {
		f := arrow.Field{Name: t.Name(), Type: declared(t.DatabaseTypeName()), Nullable: true}
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
			return nil, fmt.Errorf("Columns: %w %q in %q", errNoColumn, c, s.o.Table)
		}
		chosen = append(chosen, f)
	}
	return chosen, nil
}

// rowID gives the name under which the table's row ids can be asked for. It is empty if there is none: views and tables
// WITHOUT ROWID have none, and columns may hide it.
func (s *sqliteFile) rowID(ctx context.Context, conn *sql.Conn) (string, error) {
	var kind string
	var without bool
	q := "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?"
	err := conn.QueryRowContext(ctx, q, s.o.Table).Scan(&kind, &without)
	if err != nil || kind != "table" || without {
		return "", err
	}
	rows, err := conn.QueryContext(ctx, "SELECT lower(name) FROM pragma_table_xinfo(?)", s.o.Table)
	if err != nil {
		return "", err
	}
	defer rows.Close() //nolint:errcheck // read to the end
	free := []string{"rowid", "_rowid_", "oid"}
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			return "", err
		}
		free = slices.DeleteFunc(free, func(name string) bool { return name == column })
	}
	if len(free) == 0 {
		return "", rows.Err()
	}
	return free[0], rows.Err()
}

// Source makes the source.
func (s *sqliteFile) Source(schema *arrow.Schema) (flow.Source, error) {
	if err := checkTypes(schema); err != nil {
		return nil, err
	}
	return &sqliteSource{sqliteFile: *s, schema: schema}, nil
}
