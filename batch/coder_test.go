package batch_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/batch"
)

// sameRows compares two batches, hidden columns included.
func sameRows(t rapid.TB, want, got *batch.Batch) {
	t.Helper()
	if !want.Record().Schema().Equal(got.Record().Schema()) {
		t.Fatalf("schema %s, want %s", got.Record().Schema(), want.Record().Schema())
	}
	for i, c := range want.Record().Columns() {
		if !array.ApproxEqual(c, got.Record().Column(i), array.WithNaNsEqual(true)) {
			t.Fatalf("column %s is %s, want %s", want.Record().ColumnName(i), got.Record().Column(i), c)
		}
	}
	if diff := cmp.Diff([]int64{want.MinTime(), want.MaxTime()}, []int64{got.MinTime(), got.MaxTime()}); diff != "" {
		t.Fatal(diff)
	}
}

func TestCoderRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := drawBatch(rt)
		from := rapid.IntRange(0, b.Rows()).Draw(rt, "from")
		b = b.Slice(from, rapid.IntRange(from, b.Rows()).Draw(rt, "to"))
		encode := batch.Encode
		if rapid.Bool().Draw(rt, "lz4") {
			encode = batch.EncodeLZ4
		}
		data, err := encode(b)
		if err != nil {
			rt.Fatal(err)
		}
		for shift := range 2 { // aligned, and not
			moved := append(make([]byte, shift, shift+len(data)), data...)[shift:]
			got, err := batch.Decode(moved)
			if err != nil {
				rt.Fatal(err)
			}
			sameRows(rt, b, got)
		}
	})
}

func TestDecodeShares(t *testing.T) {
	data, err := batch.Encode(build(t, struct{ A int64 }{0x1122334455667788}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(data, 0x88)
	for data[at+1] != 0x77 {
		at += 1 + slices.Index(data[at+1:], 0x88)
	}
	data[at] = 0
	if got := b.Column(0).(*array.Int64).Value(0); got != 0x1122334455667700 {
		t.Errorf("%x: the bytes were copied", got)
	}
}

func TestDecodeDamaged(t *testing.T) {
	data, err := batch.Encode(build(t, struct {
		A int64
		S string
	}{1, "one"}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		if i >= 4 && i < 8 {
			continue // reserved
		}
		bad := slices.Clone(data)
		bad[i] ^= 1 << (i % 8)
		if _, err := batch.Decode(bad); !errors.Is(err, batch.ErrDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := batch.Decode(data[:i]); !errors.Is(err, batch.ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
}

func TestEncodeLZ4Shrinks(t *testing.T) {
	b := build(t, make([]struct{ A, B int64 }, 10_000)...)
	plain, err := batch.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	small, err := batch.EncodeLZ4(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(small)*10 > len(plain) {
		t.Errorf("%d bytes, plain %d", len(small), len(plain))
	}
}

// sum makes the checksum right.
func sum(data []byte) []byte {
	out := slices.Clone(data)
	binary.LittleEndian.PutUint64(out[8:], xxh3.Hash(out[16:]))
	return out
}

// A stream that was cut before its checksum was taken is found by its structure.
func TestDecodeCut(t *testing.T) {
	type row struct {
		A *int64
		S string
		L []struct{ X []byte }
	}
	b := build(t, row{S: strings.Repeat("one", 100)}, row{A: new(int64)})
	for _, encode := range []func(*batch.Batch) ([]byte, error){batch.Encode, batch.EncodeLZ4} {
		data, err := encode(b)
		if err != nil {
			t.Fatal(err)
		}
		for i := 16; i < len(data); i++ {
			if _, err := batch.Decode(sum(data[:i])); !errors.Is(err, batch.ErrDamaged) {
				t.Fatalf("cut to %d of %d bytes: %v", i, len(data), err)
			}
		}
		const end = 8
		twice := append(slices.Clone(data[:len(data)-end]), data[16:]...)
		if _, err := batch.Decode(sum(twice)); !errors.Is(err, batch.ErrDamaged) {
			t.Fatalf("two streams: %v", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, encode := range []func(*batch.Batch) ([]byte, error){batch.Encode, batch.EncodeLZ4} {
		data, err := encode(rowsWith(f, batch.BuilderOptions{Time: true, Offsets: batch.BytesOffsets}, func(b *batch.Builder, i int) {
			b.Time(int64(i))
			b.BytesPosition("p", []byte{1}, 0)
		}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := batch.Decode(data)
		if err != nil && !errors.Is(err, batch.ErrDamaged) {
			t.Error(err)
		}
		if err == nil && b.Rows() != 2 {
			t.Errorf("%d rows, and a right checksum", b.Rows())
		}
	})
}

// wide makes n rows of 20 columns: half numbers, half strings.
func wide(t testing.TB, n int) *batch.Batch {
	var fields []arrow.Field
	for i := range 20 {
		typ := arrow.DataType(arrow.BinaryTypes.String)
		if i%2 == 0 {
			typ = arrow.PrimitiveTypes.Int64
		}
		fields = append(fields, arrow.Field{Name: "column_" + string(rune('a'+i)), Type: typ, Nullable: true})
	}
	b, err := batch.NewBuilder(arrow.NewSchema(fields, nil), batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		for k := range fields {
			if k%2 == 0 {
				b.Col(k).Int64(r.Int64())
			} else {
				b.Col(k).String("0123456789"[:r.IntN(10)])
			}
		}
		b.Time(int64(i))
		b.Position("topic/0", int64(i), 0)
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func BenchmarkCoder(b *testing.B) {
	for _, rows := range []int{1, 100, 16 << 10} {
		in := wide(b, rows)
		data, err := batch.Encode(in)
		if err != nil {
			b.Fatal(err)
		}
		name := map[int]string{1: "1", 100: "100", 16 << 10: "16Ki"}[rows]
		b.Run("encode/rows="+name, func(b *testing.B) {
			b.ReportMetric(float64(len(data)), "B")
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := batch.Encode(in); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode/rows="+name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := batch.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
