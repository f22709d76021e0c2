package commit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDamagedBytesAreRefused(t *testing.T) {
	r := NewRoll(rollOptions())
	s := element("p", 3, 9, "a", "b")
	s.Manifests[0].Parts = []PartRange{{Partition: "x", Counts: Counts{1, 1}, First: []byte{1}, Last: []byte{2}}}
	mustAdd(t, r, 7, s)
	for what, c := range map[string]struct {
		data   []byte
		decode func([]byte) error
	}{
		"roll":   {r.Encode(), func(b []byte) error { _, err := DecodeRoll(b, rollOptions()); return err }},
		"staged": {s.Encode(), func(b []byte) error { _, err := DecodeStaged(b); return err }},
	} {
		for i := 1; i < len(c.data); i++ {
			if err := c.decode(c.data[:i:i]); err == nil {
				t.Errorf("%s: the first %d bytes were taken", what, i)
			}
			flipped := append([]byte(nil), c.data...)
			flipped[i] ^= 0xff
			_ = c.decode(flipped) // may hold another value, must not panic
		}
		for name, data := range map[string][]byte{
			"one more byte": append(append([]byte(nil), c.data...), 0), "other version": append([]byte{9}, c.data[1:]...),
			"huge count": {wireVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		} {
			if err := c.decode(data); err == nil {
				t.Errorf("%s: %s was taken", what, name)
			}
		}
	}
}

func TestRollRefusesImpossibleStates(t *testing.T) {
	for what, change := range map[string]func(*Roll){
		"range of no piece":  func(r *Roll) { delete(r.pieces, "p") },
		"more ranges left":   func(r *Roll) { r.pieces["p"].left++ },
		"piece without left": func(r *Roll) { r.pieces["q"] = &piece{} },
		"no number":          func(r *Roll) { r.next = 0 },
		"no predecessor":     func(r *Roll) { r.prev = "" },
	} {
		r := NewRoll(rollOptions())
		mustAdd(t, r, 0, element("p", 1, 1, "a"))
		change(r)
		if _, err := DecodeRoll(r.Encode(), rollOptions()); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

func FuzzDecodeRoll(f *testing.F) {
	r := NewRoll(rollOptions())
	if err := r.Add(element("p", 3, 9, "a", "b"), 7); err != nil {
		f.Fatal(err)
	}
	f.Add(r.Encode())
	f.Add([]byte{wireVersion, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRoll(data, rollOptions())
		if err != nil {
			return
		}
		again, err := DecodeRoll(r.Encode(), rollOptions())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(again.Encode(), r.Encode()); d != "" {
			t.Fatal(d)
		}
		r.Cut(nil, CutOptions{NewID: NewID, End: true})
	})
}

func FuzzDecodeStaged(f *testing.F) {
	s := element("p", 3, 9, "a", "b")
	s.Manifests[0].Parts = []PartRange{{Partition: "x", Counts: Counts{1, 1}, First: []byte{1}, Last: []byte{2}}}
	f.Add(s.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeStaged(data)
		if err != nil {
			return
		}
		again, err := DecodeStaged(s.Encode())
		if d := cmp.Diff(s, again); d != "" || err != nil {
			t.Fatal(d, err)
		}
	})
}

func FuzzDecodeRecords(f *testing.F) {
	c := Commit{Version: 1, Sink: "s", Job: "j", Incarnation: id(1), Seq: 1, ID: id(1), Begin: true}
	for _, v := range []Commit{c, {Version: 1, Seq: 2, ID: id(2), Prev: id(1), Files: []File{{Name: "a", Ranges: []Range{{Piece: "p", Sum: 1 << 63}}}}}} {
		data, err := v.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = decodeDone(data)
		_, _ = decodeThrough(data)
		_, _ = decodeMarker(data)
		c, err := DecodeCommit(data)
		if err != nil {
			return
		}
		one, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c, err = DecodeCommit(one)
		if err != nil {
			t.Fatal(err)
		}
		if two, err := c.Encode(); err != nil || string(one) != string(two) {
			t.Fatalf("%s\n%s\n%v", one, two, err)
		}
	})
}
