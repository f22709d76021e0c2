package direct

import (
	"sort"
)

// checkSums compares what keep collected behind runningSum with a loop.
func checkSums(t fataler, test string, factor int64, specs ...sourceSpec) {
	got := taken(test)
	checkOrder(t, got)
	checkSumsOf(t, got, factor, specs)
}

// checkOrder fails if records of one partition and key came in another order than they were read.
func checkOrder(t fataler, got map[string][]rec) {
	for k, rs := range got {
		last := map[int64]int64{}
		for _, r := range rs {
			if prev, ok := last[r.Part]; ok && prev >= r.Seq {
				t.Fatalf("key %s: record %+v came after %d", k, r, prev)
			}
			last[r.Part] = r.Seq
		}
	}
}

// checkSumsOf does not look at the order within a key.
func checkSumsOf(t fataler, got map[string][]rec, factor int64, specs []sourceSpec) {
	want := map[string]map[[2]int64]int64{} // key -> partition, seq -> value
	for i, spec := range specs {
		for p := range spec.Partitions {
			for s := range spec.Each {
				k := spec.key(p, s)
				if want[k] == nil {
					want[k] = map[[2]int64]int64{}
				}
				want[k][[2]int64{p + int64(i)*100, s}] += factor * spec.val(p, s)
			}
		}
	}
	for k, vals := range want {
		var sum int64
		n := len(vals)
		for _, r := range got[k] {
			v, ok := vals[[2]int64{r.Part, r.Seq}]
			if !ok || v != r.Val {
				t.Fatalf("key %s: record %+v is wrong or doubled", k, r)
			}
			delete(vals, [2]int64{r.Part, r.Seq})
			if sum += r.Val; sum != r.Sum {
				t.Fatalf("key %s: sum at %+v is not %d", k, r, sum)
			}
		}
		if len(vals) > 0 {
			t.Fatalf("key %s: %d records are missing", k, len(vals))
		}
		if log := got["log "+k]; len(log) != 1 || log[0].Val != int64(n) || log[0].Sum != sum {
			t.Fatalf("key %s: log is %+v, want %d records, sum %d", k, log, n, sum)
		}
		delete(got, k)
		delete(got, "log "+k)
	}
	if len(got) > 0 {
		t.Fatalf("keys that were not expected: %v", got)
	}
}

type fataler interface {
	Fatalf(format string, args ...any)
	Helper()
}

func sorted(m map[string][]rec) []rec {
	var out []rec
	for _, rs := range m {
		out = append(out, rs...)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Part != out[j].Part {
			return out[i].Part < out[j].Part
		}
		return out[i].Seq < out[j].Seq
	})
	return out
}

func (s sourceSpec) all(factor int64) []rec {
	var out []rec
	for p := range s.Partitions {
		for i := range s.Each {
			out = append(out, rec{Part: p, Seq: i, Val: factor * s.val(p, i)})
		}
	}
	return out
}
