package kafkaio

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Pauses between two tries.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// client is what all readers of a source share: one kgo client, the topics' leaders, and one fetcher per broker.
type client struct {
	o      Options
	kgo    *kgo.Client
	ctx    context.Context // ends with the client
	cancel context.CancelFunc
	wg     sync.WaitGroup
	stale  chan struct{} // asks for metadata
	unpack kgo.Decompressor

	mu       sync.Mutex
	parts    map[*part]struct{}
	fetchers map[int32]chan struct{} // wakes the fetcher of a broker
}

// topicID is the id that a topic keeps from its creation to its end.
type topicID [16]byte

// String gives the id as Kafka's own tools print it.
func (id topicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// topic is a topic as the brokers describe it.
type topic struct {
	cluster string
	name    string
	id      topicID
	leaders []leader // by partition
}

type leader struct {
	broker int32 // -1: none
	epoch  int32
}

// newClient speaks the protocol as of Kafka 3.7 at most. Later brokers speak it too, and it has all that is needed.
func newClient(o Options) (*client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...), kgo.ClientID("millrace"), kgo.DisableClientMetrics(), kgo.RetryTimeout(2 * time.Second),
		kgo.DialTimeout(5 * time.Second), kgo.MaxVersions(kversion.V3_7_0()),
	}
	if o.TLS != nil {
		c, err := o.TLS.config()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(c))
	}
	if o.SASL != nil {
		opt, err := o.SASL.option()
		if err != nil {
			return nil, err
		}
		opts = append(opts, opt)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafkaio: %w", err)
	}
	c := &client{
		o: o, kgo: cl, stale: make(chan struct{}, 1), unpack: kgo.DefaultDecompressor(),
		parts: map[*part]struct{}{}, fetchers: map[int32]chan struct{}{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wg.Go(c.follow)
	return c, nil
}

func (c *client) close() {
	c.cancel()
	c.wg.Wait()
	c.kgo.Close()
}

// metadata asks for the topics of the source. A topic that does not exist is not among them.
func (c *client) metadata(ctx context.Context) (map[string]topic, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range c.o.Topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c.kgo)
	if err != nil {
		return nil, err
	}
	out := map[string]topic{}
	for _, t := range resp.Topics {
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil && t.Topic != nil:
		case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.LeaderNotAvailable):
			continue
		default:
			return nil, fmt.Errorf("topic %s: %w", deref(t.Topic), err)
		}
		if t.TopicID == [16]byte{} {
			return nil, errors.New("the brokers give no topic ids, without which a topic that was created anew cannot be told: " +
				"Kafka 2.8 or later is needed")
		}
		d := topic{cluster: deref(resp.ClusterID), name: *t.Topic, id: t.TopicID, leaders: make([]leader, len(t.Partitions))}
		for i := range d.leaders {
			d.leaders[i].broker = -1
		}
		for _, p := range t.Partitions {
			if int(p.Partition) < len(d.leaders) && p.ErrorCode == 0 {
				d.leaders[p.Partition] = leader{p.Leader, p.LeaderEpoch}
			}
		}
		out[d.name] = d
	}
	return out, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// patiently calls ask until it succeeds, fails for good, or Timeout has passed.
func (c *client) patiently(ctx context.Context, what string, ask func() error) error {
	began, pause := time.Now(), firstPause
	for {
		err := ask()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("kafkaio: %s: %w", what, errors.Join(ctx.Err(), err))
		case fatal(err):
			return refused(what, err)
		case time.Since(began)+pause > c.o.Timeout:
			return away(what, time.Since(began), err)
		}
		if wait(ctx, pause) {
			pause = min(2*pause, lastPause)
		}
	}
}

// wait pauses, and says whether it did so to the end.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// topics gives all topics of the source, each with all its partitions.
func (c *client) topics(ctx context.Context) (found map[string]topic, err error) {
	err = c.patiently(ctx, "list the partitions of "+quoted(c.o.Topics), func() (err error) {
		if found, err = c.metadata(ctx); err != nil {
			return err
		}
		for _, name := range c.o.Topics {
			if _, ok := found[name]; !ok {
				return fmt.Errorf("topic %q does not exist", name)
			}
		}
		return nil
	})
	if err == nil {
		c.apply(found)
	}
	return found, err
}

func quoted(names []string) string {
	if len(names) == 1 {
		return fmt.Sprintf("topic %q", names[0])
	}
	return fmt.Sprintf("topics %q", names)
}

// refresh asks for new metadata soon.
func (c *client) refresh() {
	select {
	case c.stale <- struct{}{}:
	default:
	}
}

// follow keeps leaders and topic ids up to date while there are readers.
func (c *client) follow() {
	const age = 30 * time.Second
	tick := time.NewTicker(age)
	defer tick.Stop()
	for pause := firstPause; ; {
		select {
		case <-c.ctx.Done():
			return
		case <-c.stale:
		case <-tick.C:
		}
		found, err := c.metadata(c.ctx)
		if err != nil {
			c.failAll(func(*part) bool { return true }, err)
		} else if c.apply(found) {
			pause = firstPause
			continue
		}
		if !wait(c.ctx, pause) {
			return
		}
		pause = min(2*pause, lastPause)
		c.refresh()
	}
}

// apply notes who leads each partition, and says whether all that are read have a leader.
func (c *client) apply(found map[string]topic) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := true
	for p := range c.parts {
		t, ok := found[p.topic.name]
		switch {
		case !ok:
			p.fail(c.o.Timeout, fmt.Errorf("topic %q does not exist", p.topic.name))
		case t.id != p.topic.id || t.cluster != p.topic.cluster:
			p.stop(position{Cluster: p.topic.cluster, Topic: p.topic.id.String()}.matches(p.id, t))
		case int(p.num) >= len(t.leaders) || t.leaders[p.num].broker < 0:
			p.fail(c.o.Timeout, errors.New("the partition has no leader"))
		case time.Now().Before(p.again):
		default:
			p.leader = t.leaders[p.num]
			c.wake(p.leader.broker)
			continue
		}
		all = all && p.err != nil
	}
	return all
}

// failAll notes a failure for some partitions.
func (c *client) failAll(which func(*part) bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.parts {
		if which(p) {
			p.fail(c.o.Timeout, err)
		}
	}
}

// wake makes the fetcher of a broker look for work; it starts one if there is none. The caller holds mu.
func (c *client) wake(broker int32) {
	ch, ok := c.fetchers[broker]
	if !ok {
		ch = make(chan struct{}, 1)
		c.fetchers[broker] = ch
		c.wg.Go(func() { c.fetch(broker, ch) })
	}
	select {
	case ch <- struct{}{}:
	default:
	}
}

// add begins to fetch a partition.
func (c *client) add(p *part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parts[p] = struct{}{}
	if p.leader.broker < 0 {
		c.refresh()
		return
	}
	c.wake(p.leader.broker)
}

// remove ends it.
func (c *client) remove(p *part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.parts, p)
}

// find gives the position of what listOffset is asked for; the end if there is none.
func (c *client) find(ctx context.Context, t topic, num int32, at int64) (position, error) {
	pos := position{Cluster: t.cluster, Topic: t.id.String()}
	err := c.patiently(ctx, "find an offset of partition "+partitionID(t.name, num), func() (err error) {
		if pos.Offset, err = c.listOffset(ctx, t.name, num, at); err == nil && pos.Offset < 0 {
			pos.Offset, err = c.listOffset(ctx, t.name, num, askLatest)
		}
		return err
	})
	return pos, err
}

// What to ask listOffset for, besides a time in milliseconds.
const (
	askEarliest = -2
	askLatest   = -1
)

// listOffset asks for an offset of a partition: the first, the last stable one, or the first with a timestamp not before
// at; -1 if there is none.
func (c *client) listOffset(ctx context.Context, topic string, num int32, at int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, 1
	t := kmsg.NewListOffsetsRequestTopic()
	p := kmsg.NewListOffsetsRequestTopicPartition()
	t.Topic, p.Partition, p.Timestamp = topic, num, at
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c.kgo)
	if err != nil {
		return 0, err
	}
	for _, t := range resp.Topics {
		for _, p := range slices.DeleteFunc(t.Partitions, func(p kmsg.ListOffsetsResponseTopicPartition) bool { return p.Partition != num }) {
			return p.Offset, kerr.ErrorForCode(p.ErrorCode)
		}
	}
	return 0, errors.New("the broker's answer to ListOffsets lacks the partition")
}
