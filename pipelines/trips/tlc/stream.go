package tlc

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// StreamOptions say what happens to a stream. The zero value gives the month in order.
type StreamOptions struct {
	// Seed makes the stream repeatable.
	Seed uint64
	// Disorder is how far, in event time, a record may come behind a later one.
	Disorder time.Duration
	// Doubled, Broken and Late are how many of 1,000 trips come a second time, with a broken record beside them, and later
	// than Disorder allows.
	Doubled, Broken, Late int
	// LateBy is how much later the late ones come, in event time.
	LateBy time.Duration
	// Vendors lets the vendor come as a number, as a string, or not at all.
	Vendors bool
}

const layout = "2006-01-02 15:04:05"

// Stream gives the records of a month in the order in which they are produced.
func Stream(month string, o StreamOptions) ([][]byte, error) {
	trips, err := Load(month)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(o.Seed, 1)) //nolint:gosec // repeatable, not secret
	type due struct {
		at  time.Time
		rec []byte
	}
	var out []due
	for _, t := range sorted(trips) {
		at, err := time.Parse(layout, t.Pickup())
		if err != nil {
			return nil, err
		}
		rec := []byte(t.json(r, o.Vendors))
		delay := time.Duration(r.Int64N(int64(o.Disorder) + 1))
		if r.IntN(1000) < o.Late {
			delay += o.LateBy
		}
		out = append(out, due{at.Add(delay), rec})
		if r.IntN(1000) < o.Doubled {
			out = append(out, due{at.Add(delay).Add(time.Second), rec})
		}
		if r.IntN(1000) < o.Broken {
			out = append(out, due{at.Add(delay), brokenRecord(r, string(rec))})
		}
	}
	slices.SortStableFunc(out, func(a, b due) int { return a.at.Compare(b.at) })
	recs := make([][]byte, len(out))
	for i, d := range out {
		recs[i] = d.rec
	}
	return recs, nil
}

// json writes the trip as a JSON object. Nulls are left out or written as null.
func (t Trip) json(r *rand.Rand, vendors bool) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range t {
		if i == 0 && vendors {
			v = [...]string{v, `"` + v + `"`, ""}[r.IntN(3)]
		}
		if v == "" && (i == 0 || r.IntN(2) == 0) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		switch {
		case v == "":
			v = "null"
		case Columns[i][1] == "TEXT":
			v = `"` + v + `"`
		}
		fmt.Fprintf(&b, `"%s":%s`, Columns[i][0], v)
	}
	b.WriteByte('}')
	return b.String()
}

// brokenRecord makes a record that must be rejected: cut off, of a wrong type, without a time, or no JSON at all.
func brokenRecord(r *rand.Rand, rec string) []byte {
	switch r.IntN(4) {
	case 0:
		return []byte(rec[:len(rec)/2])
	case 1:
		return []byte(strings.Replace(rec, `"fare_amount":`, `"fare_amount":"much","x":`, 1))
	case 2:
		return []byte(strings.Replace(rec, `"pickup_datetime":`, `"pickup":`, 1))
	}
	return []byte("\xff\xfe no JSON")
}
