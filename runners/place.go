package runners

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners/direct"
)

// place is a job that may have been started before: its graph, name and directory.
type place struct {
	graph *flow.Graph
	name  string
	dir   string
	// status is how the directory stands; it says nothing in memory.
	status direct.JobStatus
}

// find builds the graph and finds the job. The default name hangs on the graph, and the graph on the answers that an
// earlier start has recorded in the job's directory: so where only the graph leads to the directory, it is built a second
// time with what was found there. With a name or a directory given, nothing is asked of the outside world again.
func find(build func(*flow.Pipeline), o Options) (*place, error) {
	p := &place{name: o.Name, dir: o.Job}
	if !o.InMemory && p.dir == "" && p.name != "" {
		if err := p.defaultDir(); err != nil {
			return nil, err
		}
	}
	if err := p.look(); err != nil {
		return nil, err
	}
	if err := p.build(build, o.Pipeline); err != nil {
		return nil, err
	}
	if p.name == "" {
		p.name = p.graph.DefaultJob()
	}
	if o.InMemory || p.dir != "" {
		return p, nil
	}
	if err := p.defaultDir(); err != nil {
		return nil, err
	}
	if err := p.look(); err != nil || p.status.Meta.Recorded == nil {
		return p, err
	}
	return p, p.build(build, o.Pipeline)
}

func (p *place) defaultDir() (err error) {
	p.dir, err = JobDir(p.name)
	return err
}

// look finds out what the directory says of the job.
func (p *place) look() (err error) {
	if p.dir != "" {
		p.status, err = direct.InspectJob(p.dir)
	}
	return err
}

func (p *place) build(build func(*flow.Pipeline), pipeline string) (err error) {
	p.graph, err = flow.BuildRecorded(pipeline, p.status.Meta.Recorded, build)
	return err
}
