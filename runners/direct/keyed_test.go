package direct

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/timers"
)

// failures lists the records of a test that have failed already.
var failures sync.Map

// failOnce fails for some records of a named test when they are seen for the first time.
func failOnce(test string, r *rec) error {
	if test == "" || r.Val%13 != 0 {
		return nil
	}
	if _, again := failures.LoadOrStore(fmt.Sprint(test, *r), true); again {
		return nil
	}
	return fmt.Errorf("record %d of partition %d fails once", r.Seq, r.Part)
}

// runningSum adds up the values of a key in a value state and counts them in a bag, which it compacts now and then. At the
// end of input it emits count and sum under the key "log". It fails once for some records, after it has written state.
type runningSum struct {
	Test string
	Sum  state.Value[int64]
	Log  state.Bag[int64]
	End  timers.EventTime
	Age  timers.ProcessingTime
}

func newRunningSum(test string) *runningSum {
	return &runningSum{
		Test: test, Sum: state.MakeValueState[int64]("sum"), Log: state.MakeBagState[int64]("log"),
		End: timers.InEventTime("end"), Age: timers.InProcessingTime("age"),
	}
}

// endOfTest is a time behind all records and before the end of time.
var endOfTest = time.UnixMilli(1 << 40)

func (f *runningSum) ProcessElement(sp state.Provider, tp timers.Provider, k string, r *rec, emit func(beam.EventTime, string, *rec)) error {
	sum, _, err := f.Sum.Read(sp)
	if err != nil {
		return err
	}
	sum += r.Val
	if err := errors.Join(f.Sum.Write(sp, sum), f.Log.Add(sp, 1)); err != nil {
		return err
	}
	if r.Val%5 == 0 {
		n, err := f.count(sp)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Log.Clear(sp), f.Log.Add(sp, n)); err != nil {
			return err
		}
	}
	out := *r
	out.Sum = sum
	emit(mtime.FromTime(r.time()), k, &out)
	f.End.Set(tp, endOfTest, timers.WithTag("t"), timers.WithOutputTimestamp(endOfTest.Add(-time.Millisecond)))
	f.Age.Set(tp, time.Now().Add(time.Hour), timers.WithNoOutputTimestamp())
	return failOnce(f.Test, r)
}

func (f *runningSum) count(sp state.Provider) (int64, error) {
	log, _, err := f.Log.Read(sp)
	var n int64
	for _, v := range log {
		n += v
	}
	return n, err
}

func (f *runningSum) OnTimer(sp state.Provider, tp timers.Provider, k string, t timers.Context, emit func(beam.EventTime, string, *rec)) error {
	if t.Family == "age" {
		return nil
	}
	n, err := f.count(sp)
	if err != nil {
		return err
	}
	sum, _, err := f.Sum.Read(sp)
	if err != nil {
		return err
	}
	emit(mtime.FromTime(endOfTest), "log "+k, &rec{Part: -1, Val: n, Sum: sum})
	f.Age.Clear(tp)
	return errors.Join(f.Log.Clear(sp), f.Sum.Clear(sp), failOnce(f.Test, &rec{Part: -1, Seq: int64(len(k))*100 + int64(k[len(k)-1])}))
}

// keep stores all records of a key in a bag and collects them when the input ends, so that it sees committed data once.
type keep struct {
	Test string
	All  state.Bag[*rec]
	End  timers.EventTime
}

func newKeep(test string) *keep {
	return &keep{Test: test, All: state.MakeBagState[*rec]("all"), End: timers.InEventTime("end")}
}

func (f *keep) ProcessElement(sp state.Provider, tp timers.Provider, _ string, r *rec) error {
	f.End.Set(tp, mtime.MaxTimestamp.ToTime(), timers.WithNoOutputTimestamp())
	return f.All.Add(sp, r)
}

func (f *keep) OnTimer(sp state.Provider, _ timers.Provider, k string, _ timers.Context) error {
	all, _, err := f.All.Read(sp)
	if err != nil {
		return err
	}
	rs := make([]rec, 0, len(all))
	for _, r := range all {
		rs = append(rs, *r)
	}
	if dir := os.Getenv(childDir); dir != "" {
		return keepFile(dir, k, rs)
	}
	collect(f.Test, k, rs)
	return nil
}
