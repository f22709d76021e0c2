package kafkaio

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
)

// Read reads topics from Options.Start on for ever: each record that a read_committed consumer sees, once. Rows come in
// the order of their partition. Records that do not fit the schema are Rejected with their bytes and offset.
//
// The brokers are asked while the graph is built only if Start is Latest or a time: for where that is, once for the whole
// life of the job. Memory: MaxBufferedBytes and a batch per partition, and an answer per broker.
func Read(p *flow.Pipeline, step string, o Options) flow.Input {
	if err := o.Validate(); err != nil {
		p.Errorf(step, "kafkaio.Read: %w", err)
		return flow.Input{}
	}
	s, err := newSource(o)
	if err != nil {
		p.Errorf(step, "kafkaio.Read: %w", err)
		return flow.Input{}
	}
	if s.o.Start != Earliest {
		recorded, err := flow.Once(p, "kafkaio.start/"+step, s.starts)
		if err == nil {
			err = s.restore(recorded)
		}
		if err != nil {
			p.Errorf(step, "kafkaio.Read: Start %q: %w", s.o.Start, err)
			return flow.Input{}
		}
	}
	return flow.Read(p, step, s)
}

// source is the flow.Source of a Read.
type source struct {
	o      Options
	schema *arrow.Schema
	start  map[string]position // by partition, where Start is not Earliest

	mu   sync.Mutex
	c    *client // nil while nobody needs it
	uses int
}

func newSource(o Options) (*source, error) {
	o = o.withDefaults()
	d, err := newDecoder(o)
	if err != nil {
		return nil, err
	}
	return &source{o: o, schema: o.columns(d)}, nil
}

// Spec describes the source.
func (s *source) Spec() flow.SourceSpec {
	return flow.SourceSpec{
		Connector: "kafkaio",
		Address:   "kafka:" + strings.Join(s.o.Topics, ","),
		Endpoint:  strings.Join(s.o.Brokers, ","),
		Schema:    s.schema,
		EventTime: true,
		Discover:  max(s.o.Discover, 0),
		IdleAfter: s.o.IdleAfter,
		Guarantee: "each committed record once, in order within a partition; offsets are kept with the job",
	}
}

// use gives the client that all readers share, and makes it if there is none. release gives it back.
func (s *source) use() (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		c, err := newClient(s.o)
		if err != nil {
			return nil, err
		}
		s.c = c
	}
	s.uses++
	return s.c, nil
}

func (s *source) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uses--; s.uses == 0 {
		s.c.close()
		s.c = nil
	}
}

// Partitions lists the partitions of all topics.
func (s *source) Partitions(ctx context.Context) ([]flow.Partition, error) {
	c, err := s.use()
	if err != nil {
		return nil, err
	}
	defer s.release()
	found, err := c.topics(ctx)
	if err != nil {
		return nil, err
	}
	var out []flow.Partition
	for _, name := range s.o.Topics {
		for i := range found[name].leaders {
			out = append(out, flow.Partition{ID: partitionID(name, int32(i))})
		}
	}
	return out, nil
}

// Open begins to fetch a partition from its position on.
func (s *source) Open(ctx context.Context, a flow.Assignment) (_ flow.Reader, err error) {
	name, num, ok := splitID(a.ID)
	if !ok {
		return nil, fmt.Errorf("kafkaio: %q is no partition", a.ID)
	}
	codec, err := newCodec(s.o, a.ID)
	if err != nil {
		return nil, fmt.Errorf("kafkaio: %w", err)
	}
	c, err := s.use()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	found, err := c.topics(ctx)
	if err != nil {
		return nil, err
	}
	t := found[name]
	pos, fresh, err := s.position(ctx, c, a, t)
	if err != nil {
		return nil, err
	}
	p := &part{
		id: a.ID, num: num, topic: t, ready: make(chan struct{}, 1),
		leader: leader{broker: -1}, next: pos.Offset, fresh: fresh,
	}
	if int(num) < len(t.leaders) {
		p.leader = t.leaders[num]
	}
	c.add(p)
	return &reader{s: s, c: c, p: p, codec: codec, pos: pos}, nil
}

// position says where a reader begins; fresh, that this is the beginning of the log.
func (s *source) position(ctx context.Context, c *client, a flow.Assignment, t topic) (pos position, fresh bool, err error) {
	pos, stored, err := decodePosition(a.Position)
	if err != nil {
		return pos, false, err
	}
	if !stored {
		pos, stored = s.start[a.ID]
	}
	if stored {
		return pos, false, pos.matches(a.ID, t)
	}
	if off, ok := s.o.Offsets[a.ID]; ok {
		return position{Cluster: t.cluster, Topic: t.id.String(), Offset: off}, false, nil
	}
	_, num, _ := splitID(a.ID)
	pos, err = c.find(ctx, t, num, askEarliest)
	return pos, true, err
}

// starts finds where Latest or a time is, for all partitions that exist. It is asked once in the life of a job.
func (s *source) starts() ([]byte, error) {
	at, err := s.o.startTime()
	if err != nil {
		return nil, err
	}
	ask := int64(askLatest)
	if !at.IsZero() {
		ask = at.UnixMilli()
	}
	c, err := s.use()
	if err != nil {
		return nil, err
	}
	defer s.release()
	found, err := c.topics(c.ctx)
	if err != nil {
		return nil, err
	}
	start := map[string]position{}
	for _, t := range found {
		for num := range t.leaders {
			id := partitionID(t.name, int32(num))
			pos, err := c.find(c.ctx, t, int32(num), ask)
			if off, ok := s.o.Offsets[id]; ok {
				pos.Offset = off
			}
			if err != nil {
				return nil, err
			}
			start[id] = pos
		}
	}
	return json.Marshal(start)
}

// restore takes what starts found.
func (s *source) restore(recorded []byte) error { return json.Unmarshal(recorded, &s.start) }

// Ends gives the last stable offset of a partition: the end as read_committed consumers see it.
func (s *source) Ends(ctx context.Context, p flow.Partition) ([]byte, error) {
	name, num, ok := splitID(p.ID)
	if !ok {
		return nil, fmt.Errorf("kafkaio: %q is no partition", p.ID)
	}
	c, err := s.use()
	if err != nil {
		return nil, err
	}
	defer s.release()
	found, err := c.topics(ctx)
	if err != nil {
		return nil, err
	}
	pos, err := c.find(ctx, found[name], num, askLatest)
	return pos.encode(), err
}

// Reached says whether a position lies at or behind an end.
func (s *source) Reached(pos, end []byte) bool {
	at, ok, err := decodePosition(pos)
	to, known, err2 := decodePosition(end)
	return ok && known && err == nil && err2 == nil && at.Topic == to.Topic && at.Offset >= to.Offset
}

// Describe prints a position.
func (s *source) Describe(pos []byte) string {
	at, ok, err := decodePosition(pos)
	if err != nil || !ok {
		return "start"
	}
	return fmt.Sprintf("offset %d (%d records read)", at.Offset, at.Records)
}
