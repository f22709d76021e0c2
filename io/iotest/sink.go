package iotest

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// SinkFixture is something to write that a connector's test has made.
type SinkFixture struct {
	// New makes the sink for a folder. Required.
	New func(url string) (flow.Sink, error)
	// Rows are batches of one schema that the sink takes. With Features.Routes they have several destinations, with
	// Features.Refuses at least one row that is refused. Required.
	Rows []*batch.Batch
	// Decode reads one file with a reader that is not the sink's own code. Required.
	Decode func(file []byte) ([]arrow.RecordBatch, error)
	// Bad are schemas that Check has to refuse.
	Bad []*arrow.Schema
}

// Sink runs the conformance suite of sinks.
func Sink(t *testing.T, f Features, fixture func(t *testing.T) SinkFixture) {
	t.Helper()
	runAll(t, f, sinkChecks, fixture)
}

var sinkChecks = []check[SinkFixture]{
	{name: "spec and schemas", run: checkSinkSpec},
	{name: "routes", run: checkRoutes},
	{name: "a row's destination depends on itself", run: checkRouteAlone},
	{name: "what is encoded is decoded", run: checkRoundTrip},
	{name: "fails with its writer and its reader", run: checkEncodeFails},
	{name: "side by side", run: checkSinkSideBySide},
	{name: "once through crashes", wants: func(f Features, _ SinkFixture) bool { return f.ExactlyOnce }, run: checkSinkCrashes},
}

func checkSinkSpec(_ testing.TB, f Features, fx SinkFixture) error {
	s, err := fx.New("place")
	if err != nil {
		return err
	}
	spec := s.Spec()
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(spec.Connector == f.Connector, "Connector is %q, want %q", spec.Connector, f.Connector)
	want(spec.URL == "place", "URL is %q, want what the user gave", spec.URL)
	want(strings.HasPrefix(spec.Extension, ".") && len(spec.Extension) > 1, "Extension is %q", spec.Extension)
	want(spec.Guarantee != "", "it has no Guarantee")
	want(spec == s.Spec(), "its spec changes")
	want(s.Check(fx.Rows[0].Schema()) == nil, "Check: %v", s.Check(fx.Rows[0].Schema()))
	for i, bad := range fx.Bad {
		want(s.Check(bad) != nil, "Check takes the bad schema %d: %v", i, bad)
	}
	return errors.Join(errs...)
}

func checkRoutes(_ testing.TB, f Features, fx SinkFixture) error {
	s, err := fx.New("place")
	if err != nil {
		return err
	}
	dests, refused := map[string]bool{}, 0
	for _, b := range fx.Rows {
		r, err := s.Route(b)
		if err != nil {
			return err
		}
		again, err := s.Route(b)
		if diff := gocmp.Diff(r, again); err != nil || diff != "" {
			return errors.Join(err, fmt.Errorf("asked again it routes otherwise: %s", diff))
		}
		if err := sound(r, b.Rows()); err != nil {
			return err
		}
		for _, d := range r.Dests {
			dests[d] = true
		}
		refused += len(r.Refused)
	}
	if f.Routes != (len(dests) > 1) || f.Refuses != (refused > 0) {
		return fmt.Errorf("%d destinations and %d refused rows, which is not what the features claim", len(dests), refused)
	}
	return nil
}

// sound looks at a routing alone.
func sound(r flow.Routing, rows int) error {
	if r.Of == nil && len(r.Dests) == 1 && len(r.Refused) == 0 {
		return safe(r.Dests[0])
	}
	if len(r.Of) != rows {
		return fmt.Errorf("%d of %d rows are routed", len(r.Of), rows)
	}
	var refused []int32
	for row, d := range r.Of {
		if int(d) >= len(r.Dests) || d < -1 {
			return fmt.Errorf("row %d goes to destination %d of %d", row, d, len(r.Dests))
		}
		if d < 0 {
			refused = append(refused, int32(row))
		}
	}
	for i, x := range r.Refused {
		if i >= len(refused) || x.Row != refused[i] || x.Reason == "" {
			return fmt.Errorf("Refused is %+v, want a reason for the rows %v, in that order", r.Refused, refused)
		}
	}
	if len(r.Refused) != len(refused) {
		return fmt.Errorf("%d reasons for %d refused rows", len(r.Refused), len(refused))
	}
	seen := map[string]bool{}
	for _, d := range r.Dests {
		if seen[d] {
			return fmt.Errorf("the destination %q is there twice", d)
		}
		seen[d] = true
		if err := safe(d); err != nil && slices.Contains(r.Of, int32(slices.Index(r.Dests, d))) {
			return err
		}
	}
	return nil
}

// safe says whether a destination stays below the root, one folder per part.
func safe(dest string) error {
	if dest == "" {
		return nil
	}
	if dest != path.Clean(dest) || path.IsAbs(dest) || strings.ContainsFunc(dest, func(r rune) bool { return r < ' ' || r == '\\' }) {
		return fmt.Errorf("the destination %q is no plain path", dest)
	}
	for part := range strings.SplitSeq(dest, "/") {
		if part == ".." || len(part) > 255 {
			return fmt.Errorf("the destination %q has the part %q", dest, part)
		}
	}
	return nil
}

// placed is a row and where it goes, or the reason why it goes nowhere.
func placed(s flow.Sink, b *batch.Batch) ([]string, error) {
	r, err := s.Route(b)
	if err != nil {
		return nil, err
	}
	out := make([]string, b.Rows())
	for row := range out {
		d := int32(0)
		if r.Of != nil {
			d = r.Of[row]
		}
		if d >= 0 {
			out[row] = "to " + r.Dests[d]
		}
	}
	for _, x := range r.Refused {
		out[x.Row] = fmt.Sprintf("refused %s: %s", x.Rule, x.Reason)
	}
	return out, nil
}

// checkRouteAlone routes each row alone: how rows are cut into batches must not matter.
func checkRouteAlone(_ testing.TB, _ Features, fx SinkFixture) error {
	s, err := fx.New("place")
	if err != nil {
		return err
	}
	for _, b := range fx.Rows {
		want, err := placed(s, b)
		if err != nil {
			return err
		}
		for row := range b.Rows() {
			got, err := placed(s, b.Slice(row, row+1))
			if err != nil || got[0] != want[row] {
				return errors.Join(err, fmt.Errorf("row %d alone: %q, in its batch: %q", row, got, want[row]))
			}
		}
	}
	return nil
}

// byDest gives the rows of each destination as batches, in order, as they come back from staging: without hidden columns.
func byDest(s flow.Sink, in []*batch.Batch) (map[string][]*batch.Batch, error) {
	out := map[string][]*batch.Batch{}
	for _, b := range in {
		r, err := s.Route(b)
		if err != nil {
			return nil, err
		}
		for d, dest := range r.Dests {
			var rows []int32
			for row := range b.Rows() {
				if r.Of == nil || r.Of[row] == int32(d) {
					rows = append(rows, int32(row))
				}
			}
			if len(rows) == 0 {
				continue
			}
			part, err := b.Take(rows)
			if err != nil {
				return nil, err
			}
			if part, err = batch.New(part.Visible()); err != nil {
				return nil, err
			}
			out[dest] = append(out[dest], part)
		}
	}
	return out, nil
}

func batches(bs []*batch.Batch) iter.Seq2[*batch.Batch, error] {
	return func(yield func(*batch.Batch, error) bool) {
		for _, b := range bs {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// cut gives the same rows in batches of at most n.
func cut(bs []*batch.Batch, n int) []*batch.Batch {
	var out []*batch.Batch
	for _, b := range bs {
		for from := 0; from < b.Rows(); from += n {
			out = append(out, b.Slice(from, min(from+n, b.Rows())))
		}
	}
	return out
}

func allTexts(recs []arrow.RecordBatch) []string {
	out := []string{}
	for _, r := range recs {
		out = append(out, texts(r)...)
	}
	return out
}

// checkRoundTrip decodes each destination's file, whatever batches its rows come in.
func checkRoundTrip(_ testing.TB, _ Features, fx SinkFixture) error {
	s, err := fx.New("place")
	if err != nil {
		return err
	}
	dests, err := byDest(s, fx.Rows)
	if err != nil {
		return err
	}
	for dest, bs := range dests {
		var want []string
		for _, b := range bs {
			want = append(want, texts(b.Record())...)
		}
		for _, n := range []int{1 << 20, 7, 1} {
			var w bytes.Buffer
			if err := s.Encode(&w, fx.Rows[0].Schema(), batches(cut(bs, n))); err != nil {
				return err
			}
			recs, err := fx.Decode(w.Bytes())
			if diff := gocmp.Diff(want, allTexts(recs)); err != nil || diff != "" {
				return errors.Join(err, fmt.Errorf("destination %q in batches of %d rows: %s", dest, n, diff))
			}
		}
	}
	return nil
}

// checkEncodeFails ends the writer after every number of bytes, and the reader in the middle.
func checkEncodeFails(_ testing.TB, _ Features, fx SinkFixture) error {
	s, err := fx.New("place")
	if err != nil {
		return err
	}
	dests, err := byDest(s, fx.Rows)
	if err != nil {
		return err
	}
	broken := errors.New("broken")
	for _, bs := range dests {
		var whole bytes.Buffer
		schema := fx.Rows[0].Schema()
		if err := s.Encode(&whole, schema, batches(bs)); err != nil {
			return err
		}
		for n := 0; n < whole.Len(); n += 1 + whole.Len()/20 {
			if err := s.Encode(&short{n, broken}, schema, batches(bs)); !errors.Is(err, broken) {
				return fmt.Errorf("the writer failed after %d of %d bytes, Encode says: %w", n, whole.Len(), err)
			}
		}
		var w bytes.Buffer
		err := s.Encode(&w, schema, func(yield func(*batch.Batch, error) bool) {
			if yield(bs[0], nil) {
				yield(nil, broken)
			}
		})
		if !errors.Is(err, broken) {
			return fmt.Errorf("the reader failed, Encode says: %w", err)
		}
	}
	return nil
}

// short is a writer that fails after n bytes.
type short struct {
	n   int
	err error
}

// Write takes what is left.
func (s *short) Write(p []byte) (int, error) {
	if len(p) > s.n {
		n := s.n
		s.n = 0
		return n, s.err
	}
	s.n -= len(p)
	return len(p), nil
}

func checkSinkSideBySide(t testing.TB, f Features, fx SinkFixture) error {
	s, err := fx.New("place")
	if err != nil {
		return err
	}
	one := fx
	one.New = func(string) (flow.Sink, error) { return s, nil }
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = checkRoundTrip(t, f, one) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
