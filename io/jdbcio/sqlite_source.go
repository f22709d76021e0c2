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
	sqliteFile
	schema *arrow.Schema
}

// rowRange is what a partition reads: the rows with ids in [From, To], or all rows in the order of the query.
type rowRange struct {
	Identity string `json:"identity"`
	RowID    string `json:"rowId,omitempty"` // the name of the row ids; empty: all rows
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
	for range 10 {
		before, err := s.settled(ctx)
		if err != nil {
			return nil, err
		}
		sn, err := s.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		// What sn sees lies between the two states, so that it is both of them if they are equal.
		before.change = sn.state.change
		if before != sn.state {
			if err := sn.Close(); err != nil {
				return nil, err
			}
			continue
		}
		parts, err := s.partitions(ctx, sn)
		return parts, errors.Join(err, sn.Close())
	}
	return nil, fmt.Errorf("%w: %s is written to all the time; begin when it is quiet, or read a copy", ErrBusy, s.path)
}

func (s *sqliteSource) partitions(ctx context.Context, sn *snapshot) ([]flow.Partition, error) {
	ranges, err := s.ranges(ctx, sn.conn)
	if err != nil {
		return nil, s.explain("cut "+s.what()+" into ranges in", err)
	}
	if err := s.unchangedColumns(ctx, sn.conn); err != nil {
		return nil, err
	}
	out := make([]flow.Partition, len(ranges))
	for i, r := range ranges {
		if r.Identity, err = s.identity(ctx, sn, r); err != nil {
			return nil, err
		}
		data, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		out[i] = flow.Partition{ID: fmt.Sprintf("%s/%d", s.what(), i), Data: data}
	}
	return out, nil
}

// identity is what the positions of a range are compared with: the state of the file, and for rows that come in the order
// of a plan the version of the planner.
func (s *sqliteSource) identity(ctx context.Context, sn *snapshot, r rowRange) (string, error) {
	if r.RowID != "" {
		return sn.state.String(), nil
	}
	var version string
	if err := sn.conn.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return "", s.explain("ask for the version of SQLite for", err)
	}
	return sn.state.String() + ", SQLite " + version, nil
}

func (s *sqliteSource) what() string {
	if s.o.Table != "" {
		return s.o.Table
	}
	return "query"
}

// unchangedColumns compares the columns that the graph was built with to those of now.
func (s *sqliteSource) unchangedColumns(ctx context.Context, conn *sql.Conn) error {
	have, err := s.columns(ctx, conn)
	if errors.Is(err, errNoColumn) || errors.Is(err, ErrNoTable) {
		return fmt.Errorf("%w: %w", flow.ErrSchema, err)
	}
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

func (s *sqliteSource) ranges(ctx context.Context, conn *sql.Conn) ([]rowRange, error) {
	if s.o.Query != "" {
		return []rowRange{{}}, nil
	}
	id, err := s.rowID(ctx, conn)
	if err != nil || id == "" {
		return []rowRange{{}}, err
	}
	var lo, hi sql.NullInt64
	// Two subqueries: each is one step down the tree, where min and max together would scan.
	q := fmt.Sprintf("SELECT (SELECT min(%s) FROM %s), (SELECT max(%[1]s) FROM %[2]s)", id, s.from()) //nolint:gosec // quoted
	if err := conn.QueryRowContext(ctx, q).Scan(&lo, &hi); err != nil {
		return nil, err
	}
	if !lo.Valid {
		return []rowRange{{RowID: id, From: 1, To: 0}}, nil
	}
	ranges := cut(lo.Int64, hi.Int64, s.o.Partitions)
	for i := range ranges {
		ranges[i].RowID = id
	}
	return ranges, nil
}

// cut divides [lo, hi] into at most n ranges of equal width. Widths are computed without sign: they may exceed 2^63.
func cut(lo, hi int64, n int) []rowRange {
	width := (uint64(hi) - uint64(lo)) / uint64(n)
	out := make([]rowRange, 0, n)
	for from := lo; ; {
		r := rowRange{From: from, To: hi}
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
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}
