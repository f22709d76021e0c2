package jdbcio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
)

const canary = "Geheim7"

func TestPostgresURLs(t *testing.T) {
	for url, want := range map[string]string{
		"jdbc:postgresql://h:5433/db?user=u&password=" + canary + "&sslmode=disable": "h:5433/db u " + canary,
		"postgresql://u:" + canary + "@h/db":                                         "h:5432/db u " + canary,
		"postgres://u:pa%25ss%231%40%3A%2F@h/db":                                     "h:5432/db u pa%ss#1@:/",
		"postgres://u:p@[::1]:6432/db":                                               "[::1]:6432/db u p",
		"postgres://u:p@/db?host=%2Frun%2Fp%3Ax":                                     "/run/p:x/.s.PGSQL.5432/db u p",
		"postgres://u:p@/db?host=/run/p%20x&port=6000":                               "/run/p x/.s.PGSQL.6000/db u p",
		"jdbc:postgresql://h/db?user=u&password=env:JDBCIO_TEST_PASSWORD":            "h:5432/db u ref",
	} {
		scheme, address, err := splitURL(url)
		if err != nil {
			t.Fatal(err)
		}
		db, err := dialects[scheme](address, Options{Table: "t"})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		pg := db.(*postgres)
		got := pg.where() + " " + pg.config.User + " " + pg.config.Password
		if pg.password != "" {
			got += "ref"
		}
		if got != want {
			t.Errorf("%s is %q, want %q", url, got, want)
		}
		src, err := db.Source(arrow.NewSchema(nil, nil))
		if err != nil || strings.Contains(src.Spec().Address, canary) {
			t.Errorf("%s has the address %q, %v", url, src.Spec().Address, err)
		}
	}
}

// No error shows a character of a password, also not the parser's.
func TestBadPostgresURLs(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://u:" + canary + "%zz@h/db":                          "write % as %25",
		"postgres://u:" + canary + "%ss#1@h:5432/db":                   "write # as %23",
		"postgres://u:" + canary + "@h:abc/db":                         "a port is a number",
		"postgres://u:" + canary + "@h:99999/db":                       "not between 1 and 65535",
		"postgres://u:a/" + canary + "@h/db":                           "is written as %40",
		"postgres://u:" + canary + "@h/db?sslmode=" + canary:           "check sslmode",
		"postgres://u:" + canary + "@h/db?password=" + canary + "&p=1": "a parameter is not known",
		"postgres://u:x@h/db?" + canary + "=1":                         "a parameter is not known",
		"jdbc:postgresql://h/db?port=" + canary:                        "not between 1 and 65535",
		"jdbc:postgresql://h/db?password=" + canary + ";x":             "name=value",
	} {
		_, err := openTable(Options{URL: url, Table: "t"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func TestMissingSocketIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p:x y")
	_, err := openTable(Options{URL: "postgres://u:" + canary + "@/db?host=" + strings.ReplaceAll(dir, " ", "%20"), Table: "t"})
	if err == nil || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), canary) {
		t.Errorf("error %v, want the path %s", err, dir)
	}
}

func TestPasswordReferences(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("of the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JDBCIO_TEST_PASSWORD", "of the environment")
	for ref, want := range map[string]string{"env:JDBCIO_TEST_PASSWORD": "of the environment", "file:" + file: "of the file"} {
		if got, err := secretOf(ref); got != want || err != nil {
			t.Errorf("%s is %q, %v, want %q", ref, got, err, want)
		}
	}
	for _, ref := range []string{"env:JDBCIO_TEST_NONE", "file:" + file + "2"} {
		if _, err := secretOf(ref); err == nil {
			t.Errorf("%s has no error", ref)
		}
	}
}

func TestTableNames(t *testing.T) {
	for name, want := range map[string]string{
		"t": `"t"`, "S.t": `"S"."t"`, `"a.b"."c""d"`: `"a.b"."c""d"`, `s."t t"`: `"s"."t t"`, "a b": `"a b"`,
		"": "", "a.": "", ".b": "", `"a`: "", `"a"b`: "", "a.b.c": "",
	} {
		if got, err := tableName(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %s, %v, want %s", name, got, err, want)
		}
	}
}

// be joins numbers in network order.
func be(parts ...any) []byte {
	var buf bytes.Buffer
	for _, p := range parts {
		if s, ok := p.(string); ok {
			buf.WriteString(s)
			continue
		}
		_ = binary.Write(&buf, binary.BigEndian, p)
	}
	return buf.Bytes()
}

func TestPostgresValues(t *testing.T) {
	i16 := func(n ...int16) []byte { return be(n) }
	for _, c := range []struct {
		oid  uint32
		in   []byte
		want any
	}{
		{pgBool, []byte{1}, true},
		{pgBool, []byte{1, 2}, "error"},
		{pgOID, be(uint32(math.MaxUint32)), int64(math.MaxUint32)},
		{pgMoney, be(int64(math.MinInt64)), "-92233720368547758.08"},
		{pgMoney, be(int64(-1)), "-0.01"},
		{pgDate, be(int32(-746118)), pgDays(-735161)},
		{pgDate, be(int32(math.MaxInt32)), "error"},
		{pgDate, be(int32(math.MinInt32)), "error"},
		{pgTimestamp, be(int64(0)), pgMicros(946684800000000)},
		{pgTimestamp, be(int64(math.MaxInt64)), "error"},
		{pgTimestamp, be(int64(math.MaxInt64 - 1)), "error"},
		{pgTime, be(int64(86400000000)), "error"},
		{pgJSONB, []byte("\x01{}"), "{}"},
		{pgJSONB, []byte("\x02{}"), "error"},
		{pgText, []byte{0xff}, "error"},
		{pgUUID, []byte("0123456789abcdef"), "30313233-3435-3637-3839-616263646566"},
		{pgNumeric, i16(1, 0, 0, 0, 1987), "1987"},
		{pgNumeric, i16(1, 1, 0, 0, 1), "10000"},
		{pgNumeric, i16(0, 0, 0, 3), "0.000"},
		{pgNumeric, i16(1, -2, 0x4000, 8, 5), "-0.00000005"},
		{pgNumeric, i16(2, 0, 0, 3, 3, 1250), "3.125"},
		{pgNumeric, i16(0, 0, -0x4000, 0), "NaN"},
		{pgNumeric, i16(0, 0, -0x1000, 0), "-Infinity"},
		{pgNumeric, i16(2, 0, 0, 0, 1), "error"},
	} {
		got, err := valueOf(pgType{c.oid, -1})(c.in)
		if err != nil {
			got = "error"
		}
		if diff := cmp.Diff(c.want, any(got)); diff != "" {
			t.Errorf("type %d, bytes %x (-want +got)\n%s", c.oid, c.in, diff)
		}
	}
}

func TestNumericModifiers(t *testing.T) {
	mod := func(p, s int32) int32 { return p<<16 | s&0x7ff + 4 }
	for m, want := range map[int32]string{-1: "utf8", mod(4, 0): "decimal(4, 0)", mod(38, 37): "decimal(38, 37)", mod(39, 2): "utf8", mod(3, -2): "utf8"} {
		if got := (pgType{pgNumeric, m}).arrow().String(); got != want {
			t.Errorf("modifier %d is %s, want %s", m, got, want)
		}
	}
}

// copied is a stream of three rows: (7, "ab"), (null, ""), none.
func copied() []byte {
	return be(copySignature, int32(0), int32(2), "xx", int16(2), int32(4), int32(7), int32(2), "ab",
		int16(2), int32(-1), int32(0), int16(0), int16(-1))
}

// cutUp reads a stream that comes in pieces.
func cutUp(in []byte, piece int) (rows [][]string, err error) {
	var s copyStream
	for {
		fields, err := s.next()
		if errors.Is(err, errShort) && len(in) > 0 {
			n := min(piece, len(in))
			s.buf, in = append(s.rest(), in[:n]...), in[n:]
			continue
		}
		if err != nil {
			return rows, err
		}
		row := make([]string, len(fields))
		for i, f := range fields {
			if row[i] = string(f); f == nil {
				row[i] = "null"
			}
		}
		rows = append(rows, row)
	}
}

func TestCopyStream(t *testing.T) {
	want := [][]string{{"\x00\x00\x00\x07", "ab"}, {"null", ""}, {}}
	for piece := 1; piece < 60; piece++ {
		got, err := cutUp(copied(), piece)
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, io.EOF) {
			t.Fatalf("in pieces of %d: %v (-want +got)\n%s", piece, err, diff)
		}
	}
	for name, in := range map[string][]byte{
		"no signature": bytes.Repeat([]byte("x"), 40), "flags": be(copySignature, int32(1<<16), int32(0), int16(-1)),
		"fields": be(copySignature, int64(0), int16(-2)), "size": be(copySignature, int64(0), int16(1), int32(-2)),
		"large": be(copySignature, int64(0), int16(1), int32(math.MaxInt32)),
	} {
		if _, err := cutUp(in, 100); err == nil || errors.Is(err, io.EOF) || errors.Is(err, errShort) {
			t.Errorf("%s: %v, want an error", name, err)
		}
	}
}

// Whatever comes, in whatever pieces, gives the same rows and no more bytes than came.
func FuzzCopyBinary(f *testing.F) {
	f.Add(copied(), 3, uint32(pgNumeric))
	f.Add(be(copySignature, int64(0), int16(1), int32(1<<30)), 50, uint32(pgJSONB))
	f.Add(be(copySignature, int64(0), int16(1), int32(8), int64(-1)), 50, uint32(pgTimestamp))
	f.Fuzz(func(t *testing.T, in []byte, piece int, oid uint32) {
		whole, err := cutUp(in, len(in)+1)
		parts, again := cutUp(in, max(piece, 1))
		if diff := cmp.Diff(whole, parts); diff != "" || (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Errorf("whole: %v, in pieces of %d: %v\n%s", err, piece, again, diff)
		}
		total := 0
		for _, row := range whole {
			for _, v := range row {
				if v != "null" {
					total += len(v)
				}
				_, _ = valueOf(pgType{oid, -1})([]byte(v))
			}
		}
		if total > len(in) {
			t.Errorf("%d bytes in fields of a stream of %d", total, len(in))
		}
	})
}
