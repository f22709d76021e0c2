package jdbcio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgres is a PostgreSQL database and what is read of it.
type postgres struct {
	config   *pgconn.Config
	password string // a reference: env:NAME or file:PATH; empty: the configuration holds it
	o        Options
}

// postgresParams are the parameters of URLs, by the names that JDBC and libpq give them.
var postgresParams = map[string]string{
	"user": "user", "password": "password", "host": "host", "port": "port", "dbname": "dbname", "sslmode": "sslmode",
	"sslcert": "sslcert", "sslkey": "sslkey", "sslrootcert": "sslrootcert", "connect_timeout": "connect_timeout",
	"connectTimeout": "connect_timeout", "application_name": "application_name", "ApplicationName": "application_name",
	"search_path": "search_path", "currentSchema": "search_path",
}

// goodEscapes is a text in which every % begins an escape.
var goodEscapes = regexp.MustCompile(`^([^%]|%[0-9A-Fa-f]{2})*$`)

// openPostgres reads a URL behind its scheme. No error shows any of it but the names of its parameters: a parser's own
// error would show the password.
func openPostgres(address string, o Options) (database, error) {
	switch {
	case strings.Contains(address, "#"):
		return nil, errors.New("URL: it has a #; write # as %23")
	case !goodEscapes.MatchString(address):
		return nil, errors.New("URL: a % is not followed by two hexadecimal digits; write % as %25")
	case !strings.HasPrefix(address, "//"):
		address = "///" + strings.TrimPrefix(address, "/") // jdbc:postgresql:db
	}
	u, err := url.Parse("postgresql:" + address)
	if err != nil {
		return nil, errors.New("URL: the host or its port cannot be read: a port is a number, an IPv6 address stands in brackets, and in a password @ is written as %40, : as %3A, / as %2F and ? as %3F")
	}
	if p := u.Port(); p != "" && !isPort(p) {
		return nil, errors.New("URL: the port is not between 1 and 65535")
	}
	db := &postgres{o: o}
	if err := db.params(u); err != nil {
		return nil, err
	}
	if db.config, err = pgconn.ParseConfig(u.String()); err != nil {
		return nil, errors.New("URL: its parameters cannot be used: check sslmode, the files of sslcert, sslkey and sslrootcert, and connect_timeout")
	}
	return db, nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// params gives the URL's parameters the names that pgconn knows, and takes out a reference to a password.
func (db *postgres) params(u *url.URL) error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("URL: its parameters cannot be read; they are name=value, with & between two")
	}
	out := url.Values{}
	for name, values := range q {
		known, ok := postgresParams[name]
		if !ok || len(values) != 1 {
			return errors.New("URL: a parameter is not known or stands there twice; known: user, password, host, port, dbname, sslmode, sslcert, sslkey, sslrootcert, connectTimeout, ApplicationName, currentSchema")
		}
		out.Set(known, values[0])
	}
	if p := out.Get("port"); p != "" && !isPort(p) {
		return errors.New("URL: the port is not between 1 and 65535")
	}
	if p := out.Get("password"); strings.HasPrefix(p, "env:") || strings.HasPrefix(p, "file:") {
		db.password = p
		out.Del("password")
	}
	u.RawQuery = strings.ReplaceAll(out.Encode(), "+", "%20") // pgconn takes a + for one
	return nil
}

// where names the database without secrets.
func (db *postgres) where() string {
	host := net.JoinHostPort(strings.Trim(db.config.Host, "[]"), strconv.Itoa(int(db.config.Port)))
	if strings.HasPrefix(db.config.Host, "/") {
		host = fmt.Sprintf("%s/.s.PGSQL.%d", db.config.Host, db.config.Port)
	}
	return host + "/" + db.config.Database
}

// session makes the texts that values are cast to the same everywhere, and the order of a scan stable.
const session = `SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';
SET bytea_output = 'hex'; SET extra_float_digits = 1; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0`

// connect opens a connection. It outlives ctx.
func (db *postgres) connect(ctx context.Context) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, db.o.Timeout)
	defer cancel()
	config := db.config.Copy()
	if db.password != "" {
		secret, err := secretOf(db.password)
		if err != nil {
			return nil, fmt.Errorf("connect to PostgreSQL %s: %w", db.where(), err)
		}
		config.Password = secret
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL %s: %w", db.where(), err)
	}
	if _, err := conn.Exec(ctx, session).ReadAll(); err != nil {
		return nil, errors.Join(db.explain("prepare a session in", err), hangUp(conn))
	}
	return conn, nil
}

// secretOf looks up a reference. Its errors name the reference, which is no secret.
func secretOf(ref string) (string, error) {
	kind, name, _ := strings.Cut(ref, ":")
	if kind == "env" {
		v, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("the password is in the environment variable %s, which is not set", name)
		}
		return v, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// hangUp closes a connection and waits until nothing of it is left.
func hangUp(conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := conn.Close(ctx)
	<-conn.CleanupDone()
	return err
}

// explain says what failed. PostgreSQL's own messages hold no secrets of the URL.
func (db *postgres) explain(what string, err error) error {
	err = fmt.Errorf("%s PostgreSQL %s: %w", what, db.where(), err)
	e := new(pgconn.PgError)
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case "42703": // undefined_column
		return fmt.Errorf("%w: %w", errNoColumn, err)
	case "42P01", "3F000": // undefined_table, invalid_schema_name
		return fmt.Errorf("%w: %w", ErrNoTable, err)
	case "42501": // insufficient_privilege
		return fmt.Errorf("%w; grant SELECT on what is read", err)
	}
	return err
}
