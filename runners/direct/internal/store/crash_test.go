package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/millrace-io/millrace/flow/failpoint"
)

// history is a row of commits, each of which writes its number under the key "n", with the content after each.
type history struct {
	batches []*Batch
	after   []content // after[i]: with the first i batches
}

func newHistory(rng *rand.Rand, n int) *history {
	h := &history{after: []content{{}}}
	for i := range n {
		b := &Batch{}
		b.Set([]byte("n"), []byte(strconv.Itoa(i+1)))
		for range rng.IntN(4) {
			key := fmt.Appendf(nil, "%c%d", 'a'+rng.IntN(3), rng.IntN(5))
			switch rng.IntN(6) {
			case 0:
				b.DeletePrefix(key[:1])
			case 1:
				b.Delete(key)
			default:
				b.Set(key, value(i, sizes[rng.IntN(len(sizes))]))
			}
		}
		h.batches = append(h.batches, b)
		h.after = append(h.after, h.after[i].apply(b))
	}
	return h
}

// last returns the number of the last commit that a store has.
func (h *history) last(s Store) (int, error) {
	val, found, err := s.Get([]byte("n"))
	if err != nil || !found {
		return 0, err
	}
	return strconv.Atoi(string(val))
}

// check opens what is left of a store and expects that it ends with one of the commits from acked to sent.
func (h *history) check(t *testing.T, fs vfs.FS, acked, sent int) {
	t.Helper()
	s := open(t, fs)
	defer closeStore(t, s)
	n, err := h.last(s)
	if err != nil {
		t.Fatal(err)
	}
	if n < acked || n > sent {
		t.Fatalf("the store ends with commit %d; %d were sent and %d acknowledged", n, sent, acked)
	}
	h.after[n].check(t, s)
}

// run commits everything with up to four commits under way, and stops at the first error, which it returns.
func (h *history) run(s Store, sent, acked *atomic.Int64) error {
	var pending []*Pending
	for len(pending) > 0 || int(sent.Load()) < len(h.batches) {
		if n := int(sent.Load()); n < len(h.batches) && len(pending) < 4 {
			sent.Add(1)
			pending = append(pending, s.Commit(h.batches[n]))
			continue
		}
		if err := pending[0].Wait(); err != nil {
			return err
		}
		acked.Add(1)
		pending = pending[1:]
	}
	return nil
}

// TestPowerLoss takes the power away before the N-th operation on the file system, when all, some or none of what was not
// synced is on disk.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		h := newHistory(rng, 25)
		mem := vfs.NewCrashableMem()
		var sent, acked, ops atomic.Int64
		var after *vfs.MemFS
		var low, high int64
		at := rng.Int64N(300)
		s := open(t, errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && ops.Add(1) == at {
				low = acked.Load()
				after = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[rng.IntN(3)], RNG: rng})
				high = sent.Load()
			}
			return nil
		})))
		if err := h.run(s, &sent, &acked); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		if after == nil {
			after, low, high = mem.CrashClone(vfs.CrashCloneCfg{}), acked.Load(), sent.Load()
		}
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { h.check(t, after, int(low), int(high)) })
	}
}

// TestBrokenDisk lets the N-th write, sync, creation or the like fail, alone or with all after it. It runs in a process of
// its own, because a broken store leaves the goroutines of Pebble where they stand.
func TestBrokenDisk(t *testing.T) {
	if os.Getenv(brokenEnv) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenDisk$", "-test.timeout=2m")
		cmd.Env = append(os.Environ(), brokenEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	broken := 0
	for seed := range uint64(150) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			if brokenDisk(t, rand.New(rand.NewPCG(seed, 3))) {
				broken++
			}
		})
	}
	if broken < 75 {
		t.Errorf("only %d of the faults broke the store", broken)
	}
}

func brokenDisk(t *testing.T, rng *rand.Rand) bool {
	h := newHistory(rng, 25)
	mem := vfs.NewCrashableMem()
	fault := errors.New("input/output error")
	var sent, acked, ops atomic.Int64
	var opened atomic.Bool
	at, once := rng.Int64N(80), rng.IntN(2) == 0
	s := open(t, errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !opened.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		if n := ops.Add(1); n == at || n > at && !once {
			return fault
		}
		return nil
	})))
	opened.Store(true)
	err := h.run(s, &sent, &acked)
	if err == nil {
		opened.Store(false)
		closeStore(t, s)
		h.check(t, mem.CrashClone(vfs.CrashCloneCfg{}), len(h.batches), len(h.batches))
		return false
	}
	if !errors.Is(err, fault) {
		t.Errorf("the error hides its cause: %v", err)
	}
	if again := s.Commit(&Batch{}).Wait(); !errors.Is(again, err) {
		t.Errorf("a later commit returns %v after %v", again, err)
	}
	if _, _, err := s.Get([]byte("n")); err != nil {
		t.Errorf("a broken store does not read: %v", err)
	}
	if err := s.Close(); !errors.Is(err, fault) {
		t.Errorf("close: %v", err)
	}
	if _, _, err := s.Get([]byte("n")); !errors.Is(err, ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	h.check(t, mem.CrashClone(vfs.CrashCloneCfg{}), int(acked.Load()), int(sent.Load()))
	return true
}

// Environment variables that make the test binary the process that a test breaks.
const (
	brokenEnv  = "STORE_TEST_BROKEN"
	killDirEnv = "STORE_TEST_KILL_DIR"
)

// commitUntilKilled is the process that TestKill kills.
func commitUntilKilled(dir string) {
	s, err := OpenPebble(filepath.Join(dir, "job"), Options{segmentSize: 512 << 10, Log: quiet()})
	if err != nil {
		panic(err)
	}
	acks, err := os.Create(filepath.Join(dir, "acks"))
	if err != nil {
		panic(err)
	}
	for _, b := range newHistory(rand.New(rand.NewPCG(1, 4)), 40).batches {
		if err := s.Commit(b).Wait(); err != nil {
			panic(err)
		}
		fmt.Fprint(acks, ".")
	}
}

// TestKill kills a process at each failpoint of the commit path.
func TestKill(t *testing.T) {
	h := newHistory(rand.New(rand.NewPCG(1, 4)), 40)
	for _, point := range []string{"store/before-segment-sync", "store/after-segment-sync", "store/after-batch"} {
		for _, n := range []int{1, 2, 17} {
			t.Run(fmt.Sprintf("%s:%d", point, n), func(t *testing.T) {
				dir := t.TempDir()
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), killDirEnv+"="+dir, fmt.Sprintf("%s=%s:%d", failpoint.Env, point, n))
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the process was not killed: %v\n%s", err, out)
				}
				acks, err := os.ReadFile(filepath.Join(dir, "acks"))
				if err != nil {
					t.Fatal(err)
				}
				t.Chdir(dir)
				h.check(t, vfs.Default, len(acks), len(acks)+1)
			})
		}
	}
}
