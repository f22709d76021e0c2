package batch

import "testing"

// Few rows must not hold the memory of many, and many must not be copied.
func TestGive(t *testing.T) {
	full := make([]int64, 100)
	s := full
	if out := give(&s); &out[0] != &full[0] || len(s) != 0 || cap(s) != 100 || &s[:1][0] == &full[0] {
		t.Errorf("full: %d of %d are left", len(s), cap(s))
	}
	s = full[:50]
	if out := give(&s); &out[0] == &full[0] || len(out) != 50 || cap(out) > 75 || len(s) != 0 || cap(s) != 100 {
		t.Errorf("half full: %d of %d are given, %d of %d left", len(out), cap(out), len(s), cap(s))
	}
}
