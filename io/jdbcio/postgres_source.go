package jdbcio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/millrace-io/millrace/flow"
)

// closeTimeout bounds the leave that a connection takes.
const closeTimeout = 5 * time.Second

// postgresSource reads one snapshot of a PostgreSQL database. The snapshot lives as long as the connection that made it.
type postgresSource struct {
	postgres
	schema *arrow.Schema

	mu    sync.Mutex
	held  *pgconn.PgConn // in the transaction that keeps the snapshot
	parts []flow.Partition
	ended map[string]bool // partitions that were read to their end
}

// blockRange is what a partition reads: the rows of a snapshot that meet a condition on their blocks; all if it is empty.
type blockRange struct {
	Identity string `json:"identity"`
	Snapshot string `json:"snapshot"`
	Where    string `json:"where,omitempty"`
}

// Source makes the source.
func (db *postgres) Source(schema *arrow.Schema) (flow.Source, error) {
	for _, f := range schema.Fields() {
		if !readable(f.Type) {
			return nil, fmt.Errorf("column %q: type %s cannot be read from PostgreSQL", f.Name, f.Type)
		}
	}
	return &postgresSource{postgres: *db, schema: schema, ended: map[string]bool{}}, nil
}

// Spec describes the source.
func (s *postgresSource) Spec() flow.SourceSpec {
	what := s.o.Table
	if what == "" {
		what = "query " + s.o.Query
	}
	return flow.SourceSpec{
		Connector: "jdbcio", Address: "postgresql:" + s.where() + " " + what, Schema: s.schema,
		EventTime: s.o.EventTime != "", Bounded: true,
		Guarantee: "each row of one snapshot exactly once; the snapshot ends with the process, and a dump it has interrupted is read anew after reset",
	}
}

// Describe prints a position.
func (s *postgresSource) Describe(pos []byte) string {
	var p position
	if len(pos) == 0 || json.Unmarshal(pos, &p) != nil {
		return "start"
	}
	return fmt.Sprintf("row %d of the range", p.Next)
}

// Partitions makes the snapshot and divides the table. It gives the same list as long as the snapshot lives.
func (s *postgresSource) Partitions(ctx context.Context) ([]flow.Partition, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		if s.tell(ctx, "SELECT 1") == nil {
			return s.parts, nil
		}
		_ = hangUp(s.held) // the server has ended it
		s.held = nil
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	parts, err := s.divide(ctx, conn)
	if err != nil {
		return nil, errors.Join(err, hangUp(conn))
	}
	s.held, s.parts = conn, parts
	clear(s.ended)
	return parts, nil
}

const begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// divide begins the transaction. The table is locked against changes of its form before the snapshot is made: they would
// move or drop rows that the snapshot sees.
func (s *postgresSource) divide(ctx context.Context, conn *pgconn.PgConn) ([]flow.Partition, error) {
	rel, err := s.relation(ctx, conn)
	if err != nil {
		return nil, err
	}
	sql := begin
	if rel.Kind == "r" || rel.Kind == "p" {
		name, err := s.from()
		if err != nil {
			return nil, err
		}
		sql += fmt.Sprintf("; SET LOCAL lock_timeout = %d; LOCK TABLE %s IN ACCESS SHARE MODE", s.o.Timeout.Milliseconds(), name)
	}
	if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
		return nil, s.explain("begin to read", err)
	}
	row, err := s.row(ctx, conn, "SELECT pg_export_snapshot()")
	if err != nil {
		return nil, err
	}
	if rel, err = s.relation(ctx, conn); err != nil {
		return nil, err
	}
	if _, err := s.unchanged(ctx, conn); err != nil {
		return nil, err
	}
	id, err := s.identity(ctx, conn, rel)
	if err != nil {
		return nil, err
	}
	var parts []flow.Partition
	for i, where := range s.ranges(rel) {
		data, err := json.Marshal(blockRange{Identity: id, Snapshot: row[0], Where: where})
		if err != nil {
			return nil, err
		}
		parts = append(parts, flow.Partition{ID: fmt.Sprintf("%s/%d", s.what(), i), Data: data})
	}
	return parts, nil
}

// ranges gives conditions that every row meets one of. The last has no end: the file may have grown.
func (s *postgresSource) ranges(rel relation) []string {
	n := min(int64(s.o.Partitions), rel.Blocks)
	if !rel.plain() || n <= 1 {
		return []string{""}
	}
	out := make([]string, n)
	for i := range n {
		out[i] = fmt.Sprintf("ctid >= '(%d,0)'", rel.Blocks*i/n)
		if i < n-1 {
			out[i] += fmt.Sprintf(" AND ctid < '(%d,0)'", rel.Blocks*(i+1)/n)
		}
	}
	return out
}

// identity tells the snapshot from every other: the names of snapshots come again when a server starts anew.
func (s *postgresSource) identity(ctx context.Context, conn *pgconn.PgConn, rel relation) (string, error) {
	row, err := s.row(ctx, conn, `SELECT oid::text, extract(epoch FROM pg_postmaster_start_time())::text, pg_current_snapshot()::text
		FROM pg_database WHERE datname = current_database()`)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("database %s, table %s, server start %s, snapshot %s", row[0], rel.OID, row[1], row[2]), nil
}

// unchanged compares the columns that the graph was built with to those of now, and gives their types.
func (s *postgresSource) unchanged(ctx context.Context, conn *pgconn.PgConn) ([]pgType, error) {
	have, types, err := s.columns(ctx, conn)
	if errors.Is(err, errNoColumn) || errors.Is(err, ErrNoTable) {
		return nil, fmt.Errorf("%w: %w", flow.ErrSchema, err)
	}
	if err != nil {
		return nil, err
	}
	if s.o.Schema != nil {
		if err := sameColumns(have, s.schema); err != nil {
			return nil, fmt.Errorf("%w: %w", flow.ErrSchema, err)
		}
		return types, nil
	}
	if !have.Equal(s.schema) {
		return nil, fmt.Errorf("%w: %s had %s, it has %s now; reset the job to read it anew", flow.ErrSchema, s.what(), s.schema, have)
	}
	return types, nil
}

// Open opens a connection of its own in the snapshot. A partition that was read to its end needs neither.
func (s *postgresSource) Open(ctx context.Context, a flow.Assignment) (flow.Reader, error) {
	r := &postgresReader{src: s, part: a.ID}
	if err := json.Unmarshal(a.Data, &r.blocks); err != nil {
		return nil, fmt.Errorf("partition %q is damaged: %w", a.ID, err)
	}
	r.pos = position{Identity: r.blocks.Identity}
	if len(a.Position) > 0 {
		if err := json.Unmarshal(a.Position, &r.pos); err != nil {
			return nil, fmt.Errorf("position of partition %q is damaged: %w", a.ID, err)
		}
	}
	if r.pos.Identity != r.blocks.Identity || r.pos.Next < 0 {
		return nil, s.gone(r.pos.Identity, "another snapshot was made since then")
	}
	if r.pos.Done {
		return r, nil
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (s *postgresSource) gone(id, why string) error {
	return fmt.Errorf("%w: %s in PostgreSQL %s was read from a snapshot (%s) that has ended with the process or connection that held it: %s; nothing is lost, reset the job to read it anew",
		flow.ErrIdentity, s.what(), s.where(), id, why)
}

// end notes that a partition was read. Behind the last one the server may drop the snapshot, after a time in which the last
// pages can be read again.
func (s *postgresSource) end(ctx context.Context, part string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil || s.ended[part] {
		return
	}
	if s.ended[part] = true; len(s.ended) == len(s.parts) {
		_ = s.tell(ctx, "SET idle_in_transaction_session_timeout = '10min'") // a connection that fails has dropped it
	}
}

// tell runs a statement where the snapshot is held. It does not end with ctx, since the connection would end with it.
func (s *postgresSource) tell(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Timeout)
	defer cancel()
	_, err := s.held.Exec(ctx, sql).ReadAll()
	return err
}
