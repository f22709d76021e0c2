package iotest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/millrace-io/millrace/flow"
)

// SourceFixture is something to read that a connector's test has made.
type SourceFixture struct {
	// New makes the source as a process does that starts. Required.
	New func() (flow.Source, error)
	// Rows and Rejected are the numbers of rows and of dead letters in all partitions together. Rows is required, Rejected if
	// the connector rejects.
	Rows, Rejected int
	// Append adds records to what is read, and gives the number of rows they make. Required of an unbounded source.
	Append func() (rows int, err error)
	// Recreate puts another thing of the same name and content in its place. Required for Features.Identity.
	Recreate func() error
	// Secret is a text that is configured and must not show.
	Secret string
}

// Source runs the conformance suite of sources.
func Source(t *testing.T, f Features, fixture func(t *testing.T) SourceFixture) {
	t.Helper()
	runAll(t, f, sourceChecks, fixture)
}

var sourceChecks = []check[SourceFixture]{
	{name: "spec", run: checkSourceSpec},
	{name: "partitions are stable", run: checkPartitions},
	{name: "everything is read once", run: checkReadsAll},
	{name: "resumes from every position", wants: func(f Features, _ SourceFixture) bool { return f.Replays }, run: checkResumes},
	{name: "partitions side by side", run: checkSideBySide},
	{name: "a context that ends is no error", run: checkContext},
	{name: "damaged positions are refused", run: checkDamagedPositions},
	{name: "identity", wants: func(f Features, _ SourceFixture) bool { return f.Identity }, run: checkIdentity},
	{name: "goes on when there is more", wants: func(f Features, _ SourceFixture) bool { return !f.Bounded }, run: checkAppend},
	{name: "until now", wants: func(f Features, _ SourceFixture) bool { return f.UntilNow }, run: checkUntilNow},
	{name: "once through crashes", run: checkSourceCrashes},
}

func checkSourceSpec(_ testing.TB, f Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	s, again := src.Spec(), src.Spec()
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(s.Connector == f.Connector, "Connector is %q, want %q", s.Connector, f.Connector)
	want(s.Address != "" && s.Guarantee != "", "Address %q and Guarantee %q are required", s.Address, s.Guarantee)
	want(s.Bounded == f.Bounded, "Bounded is %v, want %v", s.Bounded, f.Bounded)
	want(s.Ordered == f.Ordered, "Ordered is %v, want %v", s.Ordered, f.Ordered)
	want(s.EventTime == f.EventTime, "EventTime is %v, want %v", s.EventTime, f.EventTime)
	want(s.Discover > 0 == f.Discovers, "Discover is %v, Discovers %v", s.Discover, f.Discovers)
	_, ender := src.(flow.Ender)
	want(ender == f.UntilNow, "it is a flow.Ender: %v, want %v", ender, f.UntilNow)
	want(fx.Secret == "" || !strings.Contains(s.Address+s.Guarantee, fx.Secret), "its spec shows the secret")
	if s.Schema == nil {
		return errors.Join(append(errs, errors.New("it has no schema"))...)
	}
	want(!slices.ContainsFunc(s.Schema.Fields(), func(c arrow.Field) bool { return strings.HasPrefix(c.Name, "@") }), "a visible column starts with @")
	want(s.Schema.Equal(again.Schema), "it has another schema when it is asked again")
	s.Schema, again.Schema = nil, nil
	want(s == again, "its spec changes from %+v to %+v", s, again)
	return errors.Join(errs...)
}

func checkPartitions(t testing.TB, _ Features, fx SourceFixture) error {
	var lists [][]flow.Partition
	for range 2 { // the second as after a restart
		src, err := fx.New()
		if err != nil {
			return err
		}
		for range 2 {
			parts, err := src.Partitions(t.Context())
			if err != nil {
				return err
			}
			lists = append(lists, parts)
		}
	}
	seen := map[string]bool{}
	for _, p := range lists[0] {
		if p.ID == "" || seen[p.ID] {
			return fmt.Errorf("the ID %q is empty or not unique", p.ID)
		}
		seen[p.ID] = true
	}
	for _, l := range lists[1:] {
		if diff := gocmp.Diff(lists[0], l); diff != "" {
			return fmt.Errorf("the partitions change: %s", diff)
		}
	}
	return nil
}

func checkReadsAll(t testing.TB, f Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	parts, err := all(t.Context(), src)
	if err != nil {
		return err
	}
	rows, rejected := 0, 0
	for id, p := range parts {
		rows, rejected = rows+len(p.rows), rejected+len(p.letters)
		if want := map[bool]flow.PageState{true: flow.End, false: flow.CaughtUp}[f.Bounded]; p.state != want {
			return fmt.Errorf("partition %q stops in state %d, want %d", id, p.state, want)
		}
	}
	if rows != fx.Rows || rejected != fx.Rejected || f.Rejects != (rejected > 0) {
		return fmt.Errorf("%d rows and %d rejected records, want %d and %d", rows, rejected, fx.Rows, fx.Rejected)
	}
	return nil
}

// checkResumes reads on from every position with a new source, as after a crash.
func checkResumes(t testing.TB, _ Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	parts, err := all(t.Context(), src)
	if err != nil {
		return err
	}
	for id, whole := range parts {
		for n, m := range whole.marks {
			if src, err = fx.New(); err != nil {
				return err
			}
			p, err := partition(t.Context(), src, id)
			if err != nil {
				return err
			}
			rest, err := read(t.Context(), src, flow.Assignment{Partition: p, Position: m.next, Epoch: 2})
			if err != nil {
				return fmt.Errorf("behind page %d: %w", n, err)
			}
			if diff := sameRest(whole, m, rest); diff != "" {
				return fmt.Errorf("partition %q, behind page %d: %s", id, n, diff)
			}
		}
	}
	return nil
}

// sameRest compares what was read behind a mark with the rest of the whole.
func sameRest(whole reading, m mark, rest reading) string {
	return cmp.Or(gocmp.Diff(whole.rows[m.rows:], append([]string{}, rest.rows...)),
		gocmp.Diff(append([]string{}, whole.letters[m.letters:]...), append([]string{}, rest.letters...)))
}

func checkSideBySide(t testing.TB, _ Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	want, err := all(t.Context(), src)
	if err != nil {
		return err
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		return err
	}
	errs := make([]error, 2*len(parts))
	var wg sync.WaitGroup
	for i := range errs { // each partition twice
		wg.Go(func() {
			p := parts[i/2]
			got, err := read(t.Context(), src, flow.Assignment{Partition: p, Epoch: 1})
			if errs[i] = err; err == nil {
				if diff := sameRest(want[p.ID], mark{}, got); diff != "" {
					errs[i] = fmt.Errorf("partition %q: %s", p.ID, diff)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// checkContext ends the context of every second call: it returns what it has, and nothing is lost.
func checkContext(t testing.TB, _ Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	whole, err := all(t.Context(), src)
	if err != nil {
		return err
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, p := range parts {
		r, err := src.Open(t.Context(), flow.Assignment{Partition: p, Epoch: 1})
		if err != nil {
			return err
		}
		got, pr := newReading(), pageReader{src.Spec(), p.ID, interrupted{r, ended}}
		err = errors.Join(got.drain(t.Context(), pr), r.Close())
		if err != nil {
			return err
		}
		if diff := sameRest(whole[p.ID], mark{}, got); diff != "" {
			return fmt.Errorf("partition %q: %s", p.ID, diff)
		}
	}
	return nil
}

// interrupted calls Read with a context that has ended before each real call.
type interrupted struct {
	flow.Reader
	ended context.Context
}

// Read gives what the interrupted call had, if it had something.
func (i interrupted) Read(ctx context.Context) (flow.Page, error) {
	page, err := i.Reader.Read(i.ended)
	if err != nil {
		return page, fmt.Errorf("with a context that has ended: %w", err)
	}
	if page.Records > 0 || page.State == flow.End {
		return page, nil
	}
	return i.Reader.Read(ctx)
}
