package sched

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/millrace-io/millrace/runners/direct/internal/fnio"
)

// Keys of the store. All begin with a kind; those of a stage go on with the stage's id and the key group:
//
//	meta     kind | what
//	mark     kind stage group                              -> input, output watermark
//	queue    kind stage group | seq idx ts n not-before    -> elements
//	timer    kind stage group | family, key, tag           -> record
//	state    kind stage group | state, key [seq]           -> value, or a chunk of a bag
//	counter  kind | step, namespace, name                  -> total
const (
	kindCounter = 'c'
	kindMeta    = 'm'
	kindQueue   = 'q'
	kindState   = 's'
	kindTimer   = 't'
	kindMark    = 'w'

	metaFingerprint = 'f'
	metaSeq         = 's'

	stageKeyLen = 1 + 8 + 2
	itemKeyLen  = stageKeyLen + 8 + 4 + 8 + 4 + 8
)

func stageKey(kind byte, stage uint64, group uint16) []byte {
	b := make([]byte, 0, itemKeyLen)
	b = append(b, kind)
	b = binary.BigEndian.AppendUint64(b, stage)
	return binary.BigEndian.AppendUint16(b, group)
}

func parseStageKey(key []byte) (stage uint64, group uint16, rest []byte, err error) {
	if len(key) < stageKeyLen {
		return 0, 0, nil, fmt.Errorf("key %x is too short", key)
	}
	return binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint16(key[9:]), key[stageKeyLen:], nil
}

func itemKey(stage uint64, group uint16, it *item) []byte {
	b := stageKey(kindQueue, stage, group)
	b = binary.BigEndian.AppendUint64(b, it.seq)
	b = binary.BigEndian.AppendUint32(b, it.idx)
	b = binary.BigEndian.AppendUint64(b, uint64(it.ts))
	b = binary.BigEndian.AppendUint32(b, it.n)
	return binary.BigEndian.AppendUint64(b, uint64(it.notBef))
}

func parseItem(rest []byte) (item, error) {
	if len(rest) != itemKeyLen-stageKeyLen {
		return item{}, fmt.Errorf("key of a queued item has %d bytes more than its stage's", len(rest))
	}
	return item{
		seq:    binary.BigEndian.Uint64(rest),
		idx:    binary.BigEndian.Uint32(rest[8:]),
		ts:     int64(binary.BigEndian.Uint64(rest[12:])),
		n:      binary.BigEndian.Uint32(rest[20:]),
		notBef: int64(binary.BigEndian.Uint64(rest[24:])),
	}, nil
}

func (e *Engine) timerKey(l *lane, t *fnio.Timer) []byte {
	return append(stageKey(kindTimer, l.st.ID, l.group), l.timers.ID(t)...)
}

func counterKey(c fnio.Counter) []byte {
	return append([]byte{kindCounter}, strings.Join([]string{c.Step, c.Namespace, c.Name}, "\x00")...)
}

func parseCounter(key []byte) (fnio.Counter, error) {
	p := strings.Split(string(key[1:]), "\x00")
	if len(p) != 3 {
		return fnio.Counter{}, fmt.Errorf("key %q is not a counter", key)
	}
	return fnio.Counter{Step: p[0], Namespace: p[1], Name: p[2]}, nil
}
