package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"
)

// gate lets a test hold the next sync of a file whose name has a suffix.
type gate struct {
	suffix  string
	reached chan struct{}
	open    chan struct{}
	armed   atomic.Bool
}

func newGate(suffix string) *gate {
	return &gate{suffix: suffix, reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) String() string { return "gate" }

func (g *gate) MaybeError(op errorfs.Op) error {
	if (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) && strings.HasSuffix(op.Path, g.suffix) && g.armed.CompareAndSwap(true, false) {
		close(g.reached)
		<-g.open
	}
	return nil
}

func TestCommitsThatWaitShareASync(t *testing.T) {
	g := newGate(".log")
	s := open(t, errorfs.Wrap(vfs.NewMem(), g))
	g.armed.Store(true)
	var b Batch
	b.Set([]byte("first"), nil)
	pending := []*Pending{s.Commit(&b)}
	<-g.reached
	before := s.Stats()
	for i := range 100 {
		var b Batch
		b.Set(fmt.Appendf(nil, "%d", i), nil)
		pending = append(pending, s.Commit(&b))
	}
	close(g.open)
	for _, p := range pending {
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	after := s.Stats()
	if n := after.Syncs - before.Syncs; n > 4 || after.Commits != 101 {
		t.Errorf("%d commits took %d syncs", after.Commits, n)
	}
	closeStore(t, s)
}

// The error that broke the store is the one that everybody gets, however many follow.
func TestFirstErrorCounts(t *testing.T) {
	c := newCommitter()
	first, later := c.put(&Batch{}), errors.New("later")
	c.fail(errors.New("first"))
	c.fail(later)
	for _, p := range []*Pending{first, c.put(&Batch{})} {
		if err := p.Wait(); err == nil || errors.Is(err, later) || !errors.Is(err, c.broken()) {
			t.Errorf("got %v", err)
		}
	}
}

func TestReadersSeeWhatIsDurable(t *testing.T) {
	g := newGate(".log")
	s := open(t, errorfs.Wrap(vfs.NewMem(), g))
	mustCommit(t, s, set("a", []byte("old")), set("b", []byte("old")))
	g.armed.Store(true)
	var b Batch
	b.Set([]byte("a"), []byte("new"))
	b.Delete([]byte("b"))
	b.Set([]byte("c"), value(1, 100_000))
	p := s.Commit(&b)
	<-g.reached
	content{"a": "old", "b": "old"}.check(t, s)
	select {
	case <-p.Done():
		t.Error("a commit is done before its sync")
	default:
	}
	close(g.open)
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	content{"a": "new", "c": string(value(1, 100_000))}.check(t, s)
	closeStore(t, s)
}

func TestCommitsBecomeDurableInOrder(t *testing.T) {
	s := open(t, vfs.NewMem())
	var pending []*Pending
	for i := range 200 {
		var b Batch
		b.Set([]byte("n"), value(i, 1+i%3*40_000)) // some need the first step, some do not
		pending = append(pending, s.Commit(&b))
	}
	for i := len(pending) - 1; i >= 0; i-- {
		if err := pending[i].Wait(); err != nil {
			t.Fatal(err)
		}
		for _, p := range pending[:i] {
			select {
			case <-p.Done():
			default:
				t.Fatal("a commit is done before an earlier one")
			}
		}
	}
	content{"n": string(value(199, 1+199%3*40_000))}.check(t, s)
	closeStore(t, s)
}

func TestSegmentsGoWhenNothingRefersToThem(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs) // segments of 512 KiB
	for i := range 12 {
		mustCommit(t, s, set(fmt.Sprintf("k%02d", i), value(i, 100_000)))
	}
	all := []string{"000000000000.seg", "000000000001.seg", "000000000002.seg"}
	if d := cmp.Diff(all, segmentFiles(t, fs)); d != "" {
		t.Fatal(d)
	}

	// A scan reads what it has begun to see, whatever happens meanwhile.
	err := s.Scan([]byte("k"), func(key []byte, v Value) error {
		mustCommit(t, s, func(b *Batch) { b.DeletePrefix([]byte("k0")) })
		mustCommit(t, s, set("k10", []byte("small")))
		var i int
		_, err := fmt.Sscanf(string(key), "k%d", &i)
		val, loadErr := v.Load()
		if string(val) != string(value(i, 100_000)) {
			t.Errorf("%s has changed", key)
		}
		return errors.Join(err, loadErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(all[2:], segmentFiles(t, fs)); d != "" {
		t.Errorf("after the deletion (-want +got):\n%s", d)
	}

	mustCommit(t, s, del("k11")) // the segment in use stays
	if d := cmp.Diff(all[2:], segmentFiles(t, fs)); d != "" {
		t.Error(d)
	}
	mustCommit(t, s, set("new", value(1, 500_000)))
	if d := cmp.Diff([]string{"000000000003.seg"}, segmentFiles(t, fs)); d != "" {
		t.Error(d)
	}
	if n := s.Stats().Segments; n != 1 {
		t.Errorf("Stats has %d segments", n)
	}
	closeStore(t, s)
	s = open(t, fs)
	content{"k10": "small", "new": string(value(1, 500_000))}.check(t, s)
	closeStore(t, s)
}

func TestValueLongerThanASegment(t *testing.T) {
	s := open(t, vfs.NewMem())
	mustCommit(t, s, set("a", value(1, 100)), set("b", value(2, 2<<20)), set("c", value(3, 100_000)))
	content{"a": string(value(1, 100)), "b": string(value(2, 2<<20)), "c": string(value(3, 100_000))}.check(t, s)
	closeStore(t, s)
}

func TestOnTheRealFileSystem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	for i := range 3 {
		s, err := OpenPebble(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := content{}
		for j := range i {
			want[fmt.Sprint(j)] = string(value(j, 100_000))
		}
		want.check(t, s)
		mustCommit(t, s, set(fmt.Sprint(i), value(i, 100_000)))
		if n := s.Stats().Bytes; n < int64(i+1)*100_000 {
			t.Errorf("%d bytes on disk", n)
		}
		if _, err := OpenPebble(dir, Options{}); err == nil {
			t.Error("a store is opened twice")
		}
		closeStore(t, s)
	}
}

func TestAfterClose(t *testing.T) {
	for name, s := range map[string]Store{"memory": NewMemory(), "pebble": open(t, vfs.NewMem())} {
		mustCommit(t, s, set("a", nil))
		closeStore(t, s)
		_, _, getErr := s.Get([]byte("a"))
		for i, err := range []error{getErr, s.Scan(nil, nil), s.Commit(&Batch{}).Wait(), s.Close()} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s: call %d returns %v", name, i, err)
			}
		}
		if n := s.Stats().Commits; n != 1 {
			t.Errorf("%s: %d commits", name, n)
		}
	}
}

func TestScanStopsAtAnError(t *testing.T) {
	stop := errors.New("stop")
	for name, s := range map[string]Store{"memory": NewMemory(), "pebble": open(t, vfs.NewMem())} {
		mustCommit(t, s, set("a", nil), set("b", nil), set("c", nil))
		n := 0
		err := s.Scan(nil, func(key []byte, _ Value) error {
			if n++; string(key) == "b" {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || n != 2 {
			t.Errorf("%s: %v after %d keys", name, err, n)
		}
		closeStore(t, s)
	}
}

func TestForeignFileAmongTheSegments(t *testing.T) {
	t.Chdir(t.TempDir())
	closeStore(t, open(t, vfs.Default))
	if err := os.WriteFile("job/segments/notes.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenPebble("job", Options{Log: quiet()})
	if err == nil || !strings.Contains(err.Error(), `"notes.txt"`) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{200, 10_000, 1_000_000} {
		for _, workers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%d bytes, %d at once", size, workers), func(b *testing.B) {
				s, err := OpenPebble(b.TempDir(), Options{Log: quiet()})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(size))
				val := value(1, size)
				b.SetParallelism(workers)
				var n atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						i := n.Add(1)
						var batch Batch
						batch.Set(fmt.Appendf(nil, "%012d", i), val)
						batch.Delete(fmt.Appendf(nil, "%012d", i-50))
						if err := s.Commit(&batch).Wait(); err != nil {
							b.Error(err)
						}
					}
				})
				closeStore(b, s)
			})
		}
	}
}
