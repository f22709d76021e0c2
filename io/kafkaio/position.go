package kafkaio

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// position is where a partition goes on, and what the offset counts in.
type position struct {
	// Cluster and Topic are ids.
	Cluster string `json:"cluster"`
	Topic   string `json:"topic"`
	// Offset is that of the next record, or of one before it that no reader sees.
	Offset int64 `json:"offset"`
	// Records is the number of records read.
	Records int64 `json:"records"`
}

func (p position) encode() []byte {
	b, _ := json.Marshal(p) // cannot fail: strings and integers
	return b
}

// decodePosition gives a stored position; ok is false at the very start.
func decodePosition(b []byte) (p position, ok bool, err error) {
	if len(b) == 0 {
		return p, false, nil
	}
	if err := json.Unmarshal(b, &p); err != nil || p.Topic == "" || p.Offset < 0 {
		return p, false, fmt.Errorf("kafkaio: the stored position %q is damaged", b)
	}
	return p, true, nil
}

// Guarantee 11: matches checks that the position belongs to a topic as it is now.
func (p position) matches(partition string, t topic) error {
	if p.Cluster != t.cluster {
		return &IdentityError{Partition: partition, What: "cluster", Stored: p.Cluster, Found: t.cluster}
	}
	if p.Topic != t.id.String() {
		return &IdentityError{Partition: partition, What: "topic", Stored: p.Topic, Found: t.id.String()}
	}
	return nil
}

// partitionID names a partition, such as "trips/3".
func partitionID(topic string, n int32) string { return topic + "/" + strconv.Itoa(int(n)) }

func splitID(id string) (topic string, n int32, ok bool) {
	i := strings.LastIndexByte(id, '/')
	if i < 1 {
		return "", 0, false
	}
	v, err := strconv.ParseInt(id[i+1:], 10, 32)
	return id[:i], int32(v), err == nil && v >= 0
}
