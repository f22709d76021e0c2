// Package jdbcio reads database tables and queries over "JDBC" URLs, without a JVM.
//
// Delivery: every row of one snapshot exactly once. All partitions of a dump read the same snapshot, and a dump that was
// interrupted goes on only from that snapshot: SQLite's is the file that proves to be unchanged, PostgreSQL's ends with the
// process that made it.
//
// Order: by row id (SQLite) or place (PostgreSQL) within a partition; none between partitions.
//
// Positions: the snapshot's identity, and the row id (of a SQLite table) or the row number behind the last row that was
// committed.
//
// SQLite and PostgreSQL are supported. Another database plugs in as a dialect: see dialects.
package jdbcio

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
)

// dialect takes an address of one kind of database. It connects to nothing yet.
type dialect func(address string, o Options) (database, error)

// database is one kind of database behind an address.
type database interface {
	// Columns asks the database for the schema of what is read.
	Columns(ctx context.Context) (*arrow.Schema, error)
	// Source makes the source for that schema, or a part or cast of it.
	Source(schema *arrow.Schema) (flow.Source, error)
}

// dialects maps the scheme of a URL, with and without "jdbc:", to a dialect.
var dialects = map[string]dialect{"postgres": openPostgres, "postgresql": openPostgres, "sqlite": openSQLite}

func schemes() string {
	names := make([]string, 0, len(dialects))
	for s := range dialects {
		names = append(names, s)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// splitURL takes the scheme off a URL as users paste it: jdbc:sqlite:x, sqlite://x, sqlite:x. The address is never part of an
// error: it may hold a password.
func splitURL(u string) (scheme, address string, err error) {
	rest, _ := strings.CutPrefix(u, "jdbc:")
	scheme, address, ok := strings.Cut(rest, ":")
	if !ok || scheme == "" {
		return "", "", errors.New("URL: want jdbc:<database>:... or <database>://...")
	}
	if _, ok := dialects[scheme]; !ok {
		return "", "", fmt.Errorf("URL: database %q is not supported; supported: %s", scheme, schemes())
	}
	return scheme, address, nil
}
