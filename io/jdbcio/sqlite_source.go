package jdbcio

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
)

// sqliteSource reads one snapshot of a SQLite file.
type sqliteSource struct {
	sqlite
	schema *arrow.Schema
}

// rowRange is what a partition reads: row ids in [From, To], or all rows in the order of the query.
type rowRange struct {
	Identity string `json:"identity"`
	ByID     bool   `json:"byId"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
}

// position says what was read: Next is the first row id or row number not read yet.
type position struct {
	Identity string `json:"identity"`
	Next     int64  `json:"next"`
	Done     bool   `json:"done,omitempty"`
}

// Spec describes the source.
func (s *sqliteSource) Spec() flow.SourceSpec {
	what := s.o.Table
	if what == "" {
		what = "query " + s.o.Query
	}
	return flow.SourceSpec{
		Connector: "jdbcio", Address: "sqlite:" + s.path + " " + what, Schema: s.schema,
		EventTime: s.o.EventTime != "", Bounded: true,
		Guarantee: "each row of one snapshot exactly once; a restart goes on only if the file is unchanged",
	}
}

// Describe prints a position.
func (s *sqliteSource) Describe(pos []byte) string {
	var p position
	if len(pos) == 0 || json.Unmarshal(pos, &p) != nil {
		return "start"
	}
	return fmt.Sprintf("row %d", p.Next)
}

// Partitions cuts the table into ranges of row ids.
func (s *sqliteSource) Partitions(ctx context.Context) ([]flow.Partition, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	db, err := s.connect()
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // opened for reading only
	if err := s.unchangedColumns(ctx, db); err != nil {
		return nil, err
	}
	id, err := s.identity()
	if err != nil {
		return nil, err
	}
	ranges, err := s.ranges(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("cut %s into ranges: %w", s.what(), err)
	}
	if again, err := s.identity(); err != nil || again != id {
		return nil, errors.Join(err, fmt.Errorf("%s changes while its ranges are cut; start again when it is quiet", s.path))
	}
	out := make([]flow.Partition, len(ranges))
	for i, r := range ranges {
		r.Identity = id
		data, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		out[i] = flow.Partition{ID: fmt.Sprintf("%s/%d", s.what(), i), Data: data}
	}
	return out, nil
}

func (s *sqliteSource) what() string {
	if s.o.Table != "" {
		return s.o.Table
	}
	return "query"
}

// unchangedColumns compares the columns that the graph was built with to those of now.
func (s *sqliteSource) unchangedColumns(ctx context.Context, db *sql.DB) error {
	now := sqlite{path: s.path, o: s.o, db: db}
	have, err := now.Columns(ctx)
	if err != nil {
		return err
	}
	if s.o.Schema != nil {
		if err := sameColumns(have, s.schema); err != nil {
			return fmt.Errorf("%w: %w", flow.ErrSchema, err)
		}
		return nil
	}
	if !have.Equal(s.schema) {
		return fmt.Errorf("%w: %s had %s, it has %s now; reset the job to read it anew", flow.ErrSchema, s.what(), s.schema, have)
	}
	return nil
}

func (s *sqliteSource) ranges(ctx context.Context, db *sql.DB) ([]rowRange, error) {
	if s.o.Query != "" || !s.hasRowID(ctx, db) {
		return []rowRange{{}}, nil
	}
	var lo, hi sql.NullInt64
	// Two subqueries: each is one step down the tree, where min and max together would scan.
	q := "SELECT (SELECT min(rowid) FROM " + quote(s.o.Table) + "), (SELECT max(rowid) FROM " + quote(s.o.Table) + ")"
	if err := db.QueryRowContext(ctx, q).Scan(&lo, &hi); err != nil {
		return nil, err
	}
	if !lo.Valid {
		return []rowRange{{ByID: true, From: 1, To: 0}}, nil
	}
	return cut(lo.Int64, hi.Int64, s.o.Partitions), nil
}

// cut divides [lo, hi] into at most n ranges of equal width. Widths are computed without sign: they may exceed 2^63.
func cut(lo, hi int64, n int) []rowRange {
	width := (uint64(hi) - uint64(lo)) / uint64(n)
	out := make([]rowRange, 0, n)
	for from := lo; ; {
		r := rowRange{ByID: true, From: from, To: hi}
		if uint64(hi)-uint64(from) > width && len(out) < n-1 {
			r.To = int64(uint64(from) + width)
		}
		out = append(out, r)
		if r.To == hi {
			return out
		}
		from = r.To + 1
	}
}

// hasRowID says whether the table can be read by row id: views cannot, nor can tables WITHOUT ROWID, nor those that have a
// column of that name.
func (s *sqliteSource) hasRowID(ctx context.Context, db *sql.DB) bool {
	var kind string
	var without bool
	q := "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?"
	if err := db.QueryRowContext(ctx, q, s.o.Table).Scan(&kind, &without); err != nil || kind != "table" || without {
		return false
	}
	var named int
	q = "SELECT count(*) FROM pragma_table_info(?) WHERE lower(name) = 'rowid' AND pk = 0"
	return db.QueryRowContext(ctx, q, s.o.Table).Scan(&named) == nil && named == 0
}

// Open opens a connection of its own and checks that the file is the one that was read before.
func (s *sqliteSource) Open(ctx context.Context, a flow.Assignment) (flow.Reader, error) {
	r := &sqliteReader{src: s, part: a.ID}
	if err := json.Unmarshal(a.Data, &r.bounds); err != nil {
		return nil, fmt.Errorf("partition %q is damaged: %w", a.ID, err)
	}
	r.pos = position{Identity: r.bounds.Identity, Next: r.bounds.From}
	if len(a.Position) > 0 {
		if err := json.Unmarshal(a.Position, &r.pos); err != nil {
			return nil, fmt.Errorf("position of partition %q is damaged: %w", a.ID, err)
		}
	}
	if err := s.readable(); err != nil {
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}
