package jdbcio

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5/pgconn"
)

// The object ids of PostgreSQL's own types, which are the same in every database. Source: pg_type.dat.
const (
	pgBool        = 16
	pgBytea       = 17
	pgName        = 19
	pgInt8        = 20
	pgInt2        = 21
	pgInt4        = 23
	pgText        = 25
	pgOID         = 26
	pgJSON        = 114
	pgFloat4      = 700
	pgFloat8      = 701
	pgMoney       = 790
	pgBpchar      = 1042
	pgVarchar     = 1043
	pgDate        = 1082
	pgTime        = 1083
	pgTimestamp   = 1114
	pgTimestamptz = 1184
	pgNumeric     = 1700
	pgUUID        = 2950
	pgJSONB       = 3802
)

// pgType is a type as PostgreSQL describes the columns of a result. It is never a domain: those are described by what they
// are based on.
type pgType struct {
	oid uint32
	mod int32
}

// arrow gives the type of the column. Whatever has no type of its own is read as PostgreSQL's text of it.
func (t pgType) arrow() arrow.DataType {
	switch t.oid {
	case pgBool:
		return arrow.FixedWidthTypes.Boolean
	case pgInt2:
		return arrow.PrimitiveTypes.Int16
	case pgInt4:
		return arrow.PrimitiveTypes.Int32
	case pgInt8, pgOID:
		return arrow.PrimitiveTypes.Int64
	case pgFloat4:
		return arrow.PrimitiveTypes.Float32
	case pgFloat8:
		return arrow.PrimitiveTypes.Float64
	case pgBytea:
		return arrow.BinaryTypes.Binary
	case pgDate:
		return arrow.FixedWidthTypes.Date32
	case pgTime:
		return arrow.FixedWidthTypes.Time64us
	case pgTimestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case pgTimestamptz:
		return arrow.FixedWidthTypes.Timestamp_us
	case pgMoney:
		return &arrow.Decimal128Type{Precision: 19, Scale: 2}
	case pgNumeric:
		return t.decimal()
	}
	return arrow.BinaryTypes.String
}

// decimal reads the modifier of numeric(p, s). Without one, and beyond 38 digits, the digits are kept as text.
func (t pgType) decimal() arrow.DataType {
	if t.mod < 4 {
		return arrow.BinaryTypes.String
	}
	p, s := (t.mod-4)>>16, ((t.mod-4)&0x7ff^1024)-1024 // the scale has 11 bits and a sign
	if p > 38 || s < 0 || s > p {
		return arrow.BinaryTypes.String
	}
	return &arrow.Decimal128Type{Precision: p, Scale: s}
}

// relation is a table or view.
type relation struct {
	OID    string
	Kind   string // pg_class.relkind
	Heirs  bool   // it has tables that inherit from it
	Blocks int64
}

// plain says that the rows have places of their own, by which they can be divided.
func (r relation) plain() bool { return r.Kind == "r" && !r.Heirs }

// tableName splits s.t or "s"."t" and quotes the parts. A name is taken as it is, upper and lower case included.
func tableName(s string) (string, error) {
	var parts []string
	for rest := s; ; rest = rest[1:] {
		var part string
		if strings.HasPrefix(rest, `"`) {
			var ok bool
			if part, rest, ok = quoted(rest[1:]); !ok {
				return "", fmt.Errorf("Table: %s lacks a closing quotation mark", s)
			}
		} else if i := strings.IndexByte(rest, '.'); i >= 0 {
			part, rest = rest[:i], rest[i:]
		} else {
			part, rest = rest, ""
		}
		if parts = append(parts, quote(part)); part == "" || rest != "" && rest[0] != '.' || len(parts) > 2 {
			return "", fmt.Errorf(`Table: %s is neither table nor schema.table; names with dots stand in quotation marks, as in "s"."a.b"`, s)
		}
		if rest == "" {
			return strings.Join(parts, "."), nil
		}
	}
}

// quoted reads a name up to its closing quotation mark; two of them stand for one.
func quoted(s string) (name, rest string, ok bool) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, `"`)
		out.WriteString(before)
		if !found || !strings.HasPrefix(after, `"`) {
			return out.String(), after, found
		}
		out.WriteByte('"')
		s = after[1:]
	}
}

// from is the table, or the query as one. A line break ends a comment at its end.
func (db *postgres) from() (string, error) {
	if db.o.Query != "" {
		return "(" + strings.TrimRight(db.o.Query, "; \t\r\n") + "\n) AS q", nil
	}
	return tableName(db.o.Table)
}

// relation looks the table up.
func (db *postgres) relation(ctx context.Context, conn *pgconn.PgConn) (r relation, err error) {
	name, err := db.from()
	if err != nil || db.o.Query != "" {
		return r, err
	}
	row, err := db.row(ctx, conn, `SELECT oid::text, relkind::text, relhassubclass::text, CASE WHEN relkind = 'r'
		THEN pg_relation_size(oid) / current_setting('block_size')::bigint ELSE 0 END::text FROM pg_class WHERE oid = to_regclass($1)`, name)
	if err != nil {
		return r, err
	}
	if row == nil {
		return r, fmt.Errorf("%w: %s in PostgreSQL %s", ErrNoTable, name, db.where())
	}
	r = relation{OID: row[0], Kind: row[1], Heirs: row[2] == "true"}
	_, err = fmt.Sscan(row[3], &r.Blocks)
	return r, err
}

// row asks for one row of texts; nil if there is none.
func (db *postgres) row(ctx context.Context, conn *pgconn.PgConn, sql string, args ...string) ([]string, error) {
	rows, err := db.rows(ctx, conn, sql, args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

func (db *postgres) rows(ctx context.Context, conn *pgconn.PgConn, sql string, args ...string) ([][]string, error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = []byte(a)
	}
	res := conn.ExecParams(ctx, sql, params, nil, nil, nil).Read()
	if res.Err != nil {
		return nil, db.explain("ask", res.Err)
	}
	out := make([][]string, len(res.Rows))
	for i, r := range res.Rows {
		for _, v := range r {
			out[i] = append(out[i], string(v))
		}
	}
	return out, nil
}

// Columns gives the columns with their Arrow types.
func (db *postgres) Columns(ctx context.Context) (*arrow.Schema, error) {
	conn, err := db.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer hangUp(conn) //nolint:errcheck // all is read
	if _, err := db.relation(ctx, conn); err != nil {
		return nil, err
	}
	schema, _, err := db.columns(ctx, conn)
	return schema, err
}

// columns gives the columns as fields and as PostgreSQL has them.
func (db *postgres) columns(ctx context.Context, conn *pgconn.PgConn) (*arrow.Schema, []pgType, error) {
	from, err := db.from()
	if err != nil {
		return nil, nil, err
	}
	what := "*"
	if len(db.o.Columns) > 0 {
		list := make([]string, len(db.o.Columns))
		for i, c := range db.o.Columns {
			list[i] = quote(c)
		}
		what = strings.Join(list, ", ")
	}
	stmt, err := conn.Prepare(ctx, "", "SELECT "+what+" FROM "+from, nil)
	if err != nil {
		return nil, nil, db.explain("ask for the columns of "+db.what()+" in", err)
	}
	filled := map[string]bool{}
	if db.o.Table != "" {
		rows, err := db.rows(ctx, conn, "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND attnotnull", from)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range rows {
			filled[r[0]] = true
		}
	}
	fields, types, seen := []arrow.Field{}, []pgType{}, map[string]bool{}
	for _, f := range stmt.Fields {
		t := pgType{f.DataTypeOID, f.TypeModifier}
		if seen[f.Name] {
			return nil, nil, fmt.Errorf("two columns are called %q; name them apart with AS", f.Name)
		}
		seen[f.Name] = true
		types = append(types, t)
		fields = append(fields, arrow.Field{Name: f.Name, Type: t.arrow(), Nullable: !filled[f.Name]})
	}
	return arrow.NewSchema(fields, nil), types, nil
}

func (db *postgres) what() string {
	if db.o.Table != "" {
		return db.o.Table
	}
	return "query"
}
