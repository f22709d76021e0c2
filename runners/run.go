package runners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct"
)

// running is a job that was started.
type running struct {
	o       Options
	graph   *flow.Graph
	name    string
	dir     string
	job     *direct.Job // nil in memory
	control *flow.Control
	engine  *direct.Control
	began   time.Time
	last    struct {
		at      time.Time
		records int64
	}
}

// start builds the graph and opens the job.
func start(build func(*flow.Pipeline), o Options) (*running, error) {
	o = o.withDefaults()
	r := &running{o: o, engine: o.Engine, control: o.Control}
	r.control.UntilIdle, r.control.UntilNow, r.control.OnStop = o.UntilIdle, o.UntilNow, r.engine.Stop
	at, err := find(build, o)
	if err != nil {
		return nil, err
	}
	r.graph, r.name, r.dir = at.graph, at.name, at.dir
	if err := direct.Check(r.graph.Beam()); err != nil {
		return nil, err
	}
	if r.o.InMemory {
		return r, nil
	}
	if r.job, err = direct.OpenJob(r.dir, direct.JobOptions{Name: r.name, Pipeline: r.o.Pipeline, Takeover: o.Takeover}); err != nil {
		return nil, err
	}
	if err := r.compare(at); err != nil {
		return nil, errors.Join(err, r.job.Close())
	}
	return r, nil
}

// compare refuses a graph that is not the one whose state the job holds, and records the graph of a new job.
func (r *running) compare(at *place) error {
	meta := r.job.Meta()
	if meta.Fingerprint != at.status.Meta.Fingerprint {
		return fmt.Errorf("job %q in %s: another process has started it just now; start again", r.name, r.dir)
	}
	if meta.Fingerprint != "" && meta.Fingerprint != r.graph.Fingerprint() {
		return fmt.Errorf("%w: job %q in %s was started with another graph: steps, schemas, addresses of sources or the settings of a "+
			"stateful step differ; run it as it was, give the new one another --name, or begin anew with `reset`", ErrChanged, r.name, r.dir)
	}
	return r.job.Update(func(m *direct.JobMeta) {
		m.Fingerprint, m.Recorded = r.graph.Fingerprint(), r.graph.Recorded()
	})
}

// ErrChanged: the pipeline is not the one whose state the job holds.
var ErrChanged = errors.New("the pipeline has changed")

func (r *running) run(ctx context.Context) (Result, error) {
	r.began = time.Now()
	gctx, err := r.graph.Start(context.WithoutCancel(ctx), r.flowJob())
	if err != nil {
		return Result{}, err
	}
	if r.job != nil && r.job.Meta().State == direct.StateFinished {
		return r.result(gctx, direct.Result{State: direct.Finished}, true)
	}
	if err := r.note(direct.StateRunning, nil); err != nil {
		return Result{}, err
	}
	watch := r.watch(ctx)
	res, err := direct.Run(gctx, r.graph.Beam(), r.engineOptions())
	watch()
	if err != nil {
		return Result{}, errors.Join(err, r.note(direct.StateFailed, err))
	}
	state := direct.StateStopped
	if res.State == direct.Finished {
		state = direct.StateFinished
	}
	if err := r.note(state, nil); err != nil {
		return Result{}, err
	}
	return r.result(gctx, res, false)
}

func (r *running) flowJob() flow.Job {
	j := flow.Job{Name: r.name, Append: r.o.Append, Control: r.control, Log: r.o.Log, Stores: r.o.Stores, Epoch: 1, Fresh: true}
	if r.o.Clock != nil {
		j.Now = r.o.Clock.Now
	}
	if r.job == nil {
		j.Incarnation = flow.NewIncarnation()
		return j
	}
	j.Incarnation, j.Epoch, j.Fresh = r.job.Incarnation(), r.job.Epoch(), r.job.Fresh()
	return j
}

func (r *running) engineOptions() direct.Options {
	return direct.Options{
		Job: r.job, Workers: r.o.Workers, Memory: r.o.Memory, Control: r.engine, Log: r.o.Log, Clock: r.o.Clock,
		FireProcessingTimersOnStop: true, Fingerprint: r.graph.Fingerprint(), OnCommit: r.o.OnCommit,
	}
}

// watch stops the run when ctx ends or another process asks for it, and reports progress. The returned function ends the
// watch and waits for it.
func (r *running) watch(ctx context.Context) func() {
	wctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(r.o.Every)
		defer tick.Stop()
		var ends <-chan time.Time
		if r.o.UntilNow || r.o.UntilIdle > 0 {
			look := time.NewTicker(20 * time.Millisecond)
			defer look.Stop()
			ends = look.C
		}
		var asked <-chan string
		if r.job != nil {
			asked = r.job.Requests(wctx)
		}
		stop := ctx.Done()
		for {
			select {
			case <-wctx.Done():
				return
			case <-stop:
				stop = nil
				r.control.Stop()
			case verb := <-asked:
				r.asked(verb)
			case <-ends:
				r.until()
			case <-tick.C:
				if r.o.OnProgress != nil {
					r.o.OnProgress(r.progress())
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// asked does what another process has asked for.
func (r *running) asked(verb string) {
	switch verb {
	case "":
	case VerbClose:
		r.control.CloseAll()
	default:
		r.control.Stop()
	}
}

// note says in the job's directory how the run stands, or why it failed.
func (r *running) note(state string, failure error) error {
	if r.job == nil {
		return nil
	}
	return r.job.Update(func(m *direct.JobMeta) {
		m.State, m.Started, m.Failure = state, true, ""
		if failure != nil {
			m.Failure = failure.Error()
		}
	})
}

func (r *running) close() error {
	err := r.graph.Close()
	if r.job != nil {
		err = errors.Join(err, r.job.Close())
	}
	return err
}
