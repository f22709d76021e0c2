package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
)

// Causes of a dead letter.
const (
	CauseRejected = "rejected"
	CauseLate     = "late"
)

// Formats of a dead letter's payload.
const (
	FormatRaw  = "raw"
	FormatJSON = "json"
)

// DeadRows makes a batch in DeadSchema from letters; nil if there are none.
func DeadRows(letters []Letter) (*batch.Batch, error) {
	if len(letters) == 0 {
		return nil, nil
	}
	b, err := batch.NewBuilder(DeadSchema, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		return nil, err
	}
	for i := range letters {
		if err := appendLetter(b, &letters[i]); err != nil {
			return nil, err
		}
	}
	return b.Build()
}

func appendLetter(b *batch.Builder, l *Letter) error {
	text := func(i int, s string) {
		if s == "" {
			b.Col(i).Null()
		} else {
			b.Col(i).String(strings.ToValidUTF8(s, "\uFFFD"))
		}
	}
	b.Col(0).String(l.Step)
	b.Col(1).String(l.Cause)
	text(2, l.Rule)
	b.Col(3).String(strings.ToValidUTF8(l.Reason, "\uFFFD"))
	text(4, l.Partition)
	text(5, l.Position)
	if l.EventTime == batch.NoTime {
		b.Col(6).Null()
	} else {
		b.Col(6).Int64(l.EventTime)
	}
	b.Col(7).Int64(l.Weight)
	b.Col(8).String(l.Format)
	b.Col(9).Bytes(l.Payload)
	b.Time(l.EventTime)
	b.Position(l.Partition, l.Offset, l.Sub)
	b.Weight(l.Weight)
	return b.EndRow()
}

// rowLetter makes the dead letter of one row of a batch: its visible columns as JSON.
func rowLetter(b *batch.Batch, row int) (Letter, error) {
	l := Letter{EventTime: batch.NoTime, Format: FormatJSON, Weight: 1}
	if t := b.Times(); t != nil {
		l.EventTime = t[row]
	}
	if w := b.Weights(); w != nil {
		l.Weight = w[row]
	}
	if p, ok := b.Hidden(batch.PartColumn).(*array.Dictionary); ok && p.IsValid(row) {
		l.Partition = p.Dictionary().(*array.String).Value(p.GetValueIndex(row))
	}
	switch o := b.Hidden(batch.OffsetColumn).(type) {
	case *array.Int64:
		l.Offset = o.Value(row)
		l.Position = strconv.FormatInt(l.Offset, 10)
	case *array.Binary:
		l.Position = fmt.Sprintf("%x", o.Value(row))
	}
	if s, ok := b.Hidden(batch.SubColumn).(*array.Int32); ok && s.IsValid(row) {
		if l.Sub = s.Value(row); l.Sub != 0 {
			l.Position += "/" + strconv.Itoa(int(l.Sub))
		}
	}
	var err error
	l.Payload, err = rowJSON(b, row)
	return l, err
}

// rowJSON gives the visible columns of a row as a JSON object in the order of the schema. Values that JSON cannot hold are
// written as Arrow prints them, as a string.
func rowJSON(b *batch.Batch, row int) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i := range b.Columns() {
		if i > 0 {
			buf.WriteByte(',')
		}
		name, err := json.Marshal(b.Record().ColumnName(i))
		if err != nil {
			return nil, err
		}
		buf.Write(name)
		buf.WriteByte(':')
		buf.Write(valueJSON(b.Column(i), row))
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

func valueJSON(a arrow.Array, row int) []byte {
	if a.IsNull(row) {
		return []byte("null")
	}
	switch c := a.(type) {
	case *array.Int64:
		return strconv.AppendInt(nil, c.Value(row), 10)
	case *array.Timestamp:
		unit := c.DataType().(*arrow.TimestampType).Unit
		v, _ := json.Marshal(c.Value(row).ToTime(unit).UTC().Format("2006-01-02T15:04:05.999999999Z07:00"))
		return v
	}
	v, err := json.Marshal(a.GetOneForMarshal(row))
	if err != nil { // NaN, infinity
		v, _ = json.Marshal(a.ValueStr(row))
	}
	return v
}
