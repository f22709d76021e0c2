package iotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// things is what the source of these tests reads: two partitions of numbers, of which every fifth is bad.
type things struct {
	id    int // another one after Recreate
	n     int // records in each partition
	fault string
	f     Features
}

func (th *things) fixture() SourceFixture {
	bad := 0
	for i := range th.n {
		if i%5 == 4 {
			bad++
		}
	}
	return SourceFixture{
		New:  func() (flow.Source, error) { return th, nil },
		Rows: 2 * (th.n - bad), Rejected: 2 * bad, Secret: "Geheim7",
		Append:   func() (int, error) { th.n += 4; return 2 * 3, nil },
		Recreate: func() error { th.id++; return nil },
	}
}

var numberSchema = arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)

func (th *things) Spec() flow.SourceSpec {
	s := flow.SourceSpec{
		Connector: th.f.Connector, Address: "things", Schema: numberSchema, EventTime: true, Bounded: th.f.Bounded,
		Ordered: th.f.Ordered, Guarantee: "once",
	}
	if th.f.Discovers {
		s.Discover = 10 * time.Millisecond
	}
	if th.fault == "shows the secret" {
		s.Address = "user:Geheim7@things"
	}
	return s
}

func (th *things) Partitions(context.Context) ([]flow.Partition, error) {
	parts := []flow.Partition{{ID: "a"}, {ID: "b"}}
	if th.fault == "shuffles partitions" {
		th.id++
		if th.id%2 == 0 {
			slices.Reverse(parts)
		}
	}
	return parts, nil
}

// thingPosition is a position.
type thingPosition struct{ ID, Next int }

func (th *things) Open(_ context.Context, a flow.Assignment) (flow.Reader, error) {
	r := &thingReader{th: th, part: a.ID, pos: thingPosition{ID: th.id}}
	if len(a.Position) == 0 {
		return r, nil
	}
	dec := json.NewDecoder(bytes.NewReader(a.Position))
	if err := dec.Decode(&r.pos); err != nil && th.fault != "starts anew at a damaged position" {
		return nil, err
	}
	if r.pos.ID != th.id && th.fault != "takes another's position" {
		return nil, fmt.Errorf("%w: %d, not %d", flow.ErrIdentity, th.id, r.pos.ID)
	}
	switch {
	case th.fault == "skips one when it resumes" && r.pos.Next < th.n:
		r.pos.Next++
	case th.fault == "repeats one when it resumes":
		r.pos.Next--
	}
	return r, nil
}

func (th *things) Ends(context.Context, flow.Partition) ([]byte, error) {
	return json.Marshal(thingPosition{th.id, th.n})
}

func (th *things) Reached(position, end []byte) bool {
	var p, e thingPosition
	_, _ = json.Unmarshal(position, &p), json.Unmarshal(end, &e)
	return p.Next >= e.Next || th.fault == "ends too early" && p.Next > 3
}

// bounded hides what an unbounded source has.
type bounded struct{ flow.Source }

type thingReader struct {
	th   *things
	part string
	pos  thingPosition
}

func (r *thingReader) Close() error { return nil }

// Read gives three records a page.
func (r *thingReader) Read(ctx context.Context) (flow.Page, error) {
	if ctx.Err() != nil && r.th.fault == "fails with its context" {
		return flow.Page{}, ctx.Err()
	}
	b, err := batch.NewBuilder(numberSchema, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		return flow.Page{}, err
	}
	page := flow.Page{Watermark: batch.NoTime, Lag: -1}
	for ; r.pos.Next < r.th.n && page.Records < 3; r.pos.Next++ {
		n := int64(r.pos.Next)
		page.Records++
		if n%5 == 4 {
			page.Rejected = append(page.Rejected, flow.Letter{Reason: "bad", Position: fmt.Sprint(n), Format: flow.FormatRaw, Payload: []byte{byte(n)}})
			continue
		}
		b.Col(0).Int64(n)
		b.Time(n)
		b.Position(r.part, n, 0)
		if err := b.EndRow(); err != nil {
			return page, err
		}
	}
	page.Watermark = int64(r.pos.Next)
	switch {
	case r.pos.Next < r.th.n:
	case r.th.f.Bounded:
		page.State = flow.End
	default:
		page.State = flow.CaughtUp
	}
	if page.Rows, err = b.Build(); err != nil {
		return page, err
	}
	if page.Next, err = json.Marshal(r.pos); err != nil {
		return page, err
	}
	r.damage(ctx, &page)
	return page, nil
}

func (r *thingReader) damage(ctx context.Context, page *flow.Page) {
	switch fault := r.th.fault; {
	case fault == "counts wrong" && page.Records > 0:
		page.Records++
	case fault == "drops what it has with its context" && ctx.Err() != nil:
		*page = flow.Page{State: flow.More, Next: page.Next, Watermark: batch.NoTime}
	case fault == "never ends":
		page.State = flow.Waiting
	case fault == "ends when it is caught up" && page.State == flow.CaughtUp:
		page.State = flow.End
	case fault == "has no reason" && len(page.Rejected) > 0:
		page.Rejected[0].Reason = ""
	case fault == "runs ahead":
		page.Watermark += 2
	case fault == "has another schema":
		other := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
		page.Rows, _ = page.Rows.With(other, page.Rows.Record().Columns()[:1])
	case fault == "loses rejected records":
		page.Records -= int64(len(page.Rejected))
		page.Rejected = nil
	case fault == "position behind nothing" && page.Records > 0:
		page.Next = nil
	}
}

// quick leaves out the check that runs whole jobs: a faulty connector may keep one from ending.
func quick[F any](checks []check[F]) []check[F] {
	return slices.DeleteFunc(slices.Clone(checks), func(c check[F]) bool { return c.name == "once through crashes" })
}

// failed gives the checks that find something.
func failed[F any](t *testing.T, f Features, checks []check[F], fixture func() F) []string {
	t.Helper()
	var out []string
	for _, c := range checks {
		fx := fixture()
		if c.wants != nil && !c.wants(f, fx) {
			continue
		}
		if err := c.run(t, f, fx); err != nil {
			t.Logf("%s: %v", c.name, err)
			out = append(out, c.name)
		}
	}
	return out
}

func TestSourceSuite(t *testing.T) {
	ends := Features{Connector: "things", Reads: true, Bounded: true, Ordered: true, Replays: true, EventTime: true, Identity: true, Rejects: true}
	stays := ends
	stays.Bounded, stays.Discovers, stays.UntilNow = false, true, true
	for _, f := range []Features{ends, stays} {
		for fault, want := range map[string]string{
			"": "", "shows the secret": "spec", "shuffles partitions": "partitions are stable", "counts wrong": "everything is read once",
			"has no reason": "everything is read once", "loses rejected records": "everything is read once", "runs ahead": "everything is read once",
			"has another schema": "everything is read once", "position behind nothing": "everything is read once",
			"skips one when it resumes": "resumes from every position", "repeats one when it resumes": "resumes from every position",
			"fails with its context": "a context that ends is no error", "drops what it has with its context": "a context that ends is no error",
			"starts anew at a damaged position": "damaged positions are refused", "takes another's position": "identity",
		} {
			t.Run(fmt.Sprintf("bounded %v %s", f.Bounded, fault), func(t *testing.T) { catches(t, f, fault, want) })
		}
	}
	for fault, want := range map[string]string{"ends when it is caught up": "everything is read once", "ends too early": "until now"} {
		t.Run(fault, func(t *testing.T) { catches(t, stays, fault, want) })
	}
}

func catches(t *testing.T, f Features, fault, want string) {
	t.Helper()
	checks := sourceChecks
	if fault != "" {
		checks = quick(checks)
	}
	got := failed(t, f, checks, func() SourceFixture {
		th := &things{n: 13, fault: fault, f: f}
		fx := th.fixture()
		if f.Bounded {
			fx.New = func() (flow.Source, error) { return bounded{th}, nil }
		}
		return fx
	})
	if fault == "" && got != nil {
		t.Errorf("a sound source fails %v", got)
	}
	if fault != "" && !slices.Contains(got, want) {
		t.Errorf("fails %v, not %q", got, want)
	}
}
