package deadletter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/flow"
)

// line is one letter in a file.
type line struct {
	Step      string  `json:"step"`
	Cause     string  `json:"cause"`
	Rule      *string `json:"rule"`
	Reason    string  `json:"reason"`
	Partition *string `json:"partition"`
	Position  *string `json:"position"`
	EventTime *string `json:"event_time"`
	Weight    int64   `json:"weight"`
	Format    string  `json:"format"`
	Payload   *string `json:"payload"`
	Base64    *[]byte `json:"payload_base64"`
}

// Encode writes one file.
func (s *sink) Encode(w io.Writer, _ *arrow.Schema, in iter.Seq2[*batch.Batch, error]) error {
	buf := bufio.NewWriterSize(w, 256<<10)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	for b, err := range in {
		if err != nil {
			return fmt.Errorf("deadletter: read the staged letters: %w", err)
		}
		for row := range b.Rows() {
			if err := enc.Encode(lineOf(b, row)); err != nil {
				return fmt.Errorf("deadletter: write: %w", err)
			}
		}
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("deadletter: write: %w", err)
	}
	return nil
}

// lineOf makes the line of a row in flow.DeadSchema.
func lineOf(b *batch.Batch, row int) line {
	text := func(i int) *string {
		c := b.Column(i).(*array.String)
		if c.IsNull(row) {
			return nil
		}
		v := strings.ToValidUTF8(c.Value(row), "\uFFFD")
		return &v
	}
	required := func(i int) string {
		if v := text(i); v != nil {
			return *v
		}
		return ""
	}
	l := line{
		Step: required(0), Cause: required(1), Rule: text(2), Reason: required(3), Partition: text(4), Position: text(5),
		Weight: b.Column(7).(*array.Int64).Value(row), Format: required(8),
	}
	if c := b.Column(6).(*array.Timestamp); c.IsValid(row) {
		v := showTime(int64(c.Value(row)))
		l.EventTime = &v
	}
	if c := b.Column(9).(*array.Binary); c.IsValid(row) {
		v := c.Value(row)
		if utf8.Valid(v) {
			v := string(v)
			l.Payload = &v
		} else {
			l.Base64 = &v
		}
	}
	return l
}

// layout is RFC 3339 with all six digits of a microsecond.
const layout = "2006-01-02T15:04:05.000000Z07:00"

// showTime prints microseconds since 1970. RFC 3339 ends with the year 9999: what lies outside is the number and "us".
func showTime(us int64) string {
	t := time.UnixMicro(us).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return strconv.FormatInt(us, 10) + "us"
	}
	return t.Format(layout)
}

func parseTime(s string) (int64, error) {
	if n, ok := strings.CutSuffix(s, "us"); ok {
		return strconv.ParseInt(n, 10, 64)
	}
	t, err := time.Parse(layout, s)
	return t.UnixMicro(), err
}

// Decode gives the letters of a file, in order. Memory: one line. An error wraps ErrDamaged, or is r's, and is the last value.
func Decode(r io.Reader) iter.Seq2[flow.Letter, error] {
	return func(yield func(flow.Letter, error) bool) {
		lines := bufio.NewReader(r)
		for n := 1; ; n++ {
			text, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) && len(text) == 0 {
				return
			}
			var l flow.Letter
			switch {
			case errors.Is(err, io.EOF):
				err = fmt.Errorf("%w: line %d is cut off", ErrDamaged, n)
			case err == nil:
				if l, err = letterOf(text); err != nil {
					err = fmt.Errorf("%w: line %d: %w", ErrDamaged, n, err)
				}
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

func letterOf(text []byte) (flow.Letter, error) {
	if !utf8.Valid(text) {
		return flow.Letter{}, errors.New("not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var l line
	if err := dec.Decode(&l); err != nil {
		return flow.Letter{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return flow.Letter{}, errors.New("more than one object")
	}
	optional := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	out := flow.Letter{
		Step: l.Step, Cause: l.Cause, Rule: optional(l.Rule), Reason: l.Reason, Partition: optional(l.Partition),
		Position: optional(l.Position), EventTime: batch.NoTime, Weight: l.Weight, Format: l.Format,
	}
	switch {
	case l.Payload != nil && l.Base64 != nil:
		return flow.Letter{}, errors.New("payload and payload_base64 are both there")
	case l.Payload != nil:
		out.Payload = []byte(*l.Payload)
	case l.Base64 != nil:
		out.Payload = *l.Base64
	}
	var err error
	if l.EventTime != nil {
		out.EventTime, err = parseTime(*l.EventTime)
	}
	return out, err
}

// ReadFile gives the letters of a file on this machine.
func ReadFile(name string) ([]flow.Letter, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("deadletter: %w", err)
	}
	var out []flow.Letter
	for l, err := range Decode(f) {
		if err != nil {
			return nil, errors.Join(fmt.Errorf("deadletter: %s: %w", name, err), f.Close())
		}
		out = append(out, l)
	}
	return out, f.Close()
}
