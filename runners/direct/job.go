package direct

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace/runners/direct/internal/jobdir"
)

// JobOptions say which job a directory is opened for.
type JobOptions struct {
	// Name is the job's name, Pipeline its pipeline's. Name is required.
	Name, Pipeline string
	// Takeover kills the process on this host that holds the directory.
	Takeover bool
}

// JobMeta is what a job's directory says of it.
type JobMeta = jobdir.Meta

// HeldError says which living process holds a job's directory.
type HeldError = jobdir.HeldError

// Errors of a job's directory.
var (
	// ErrForeign: the directory is no job's, or another job's.
	ErrForeign = jobdir.ErrForeign
	// ErrFenced: another process has taken the job.
	ErrFenced = jobdir.ErrFenced
)

// States of a job in JobMeta.
const (
	StateRunning  = "running"
	StateStopped  = "stopped"
	StateFailed   = "failed"
	StateFinished = "finished"
)

// Job is a job's directory, held by this process.
type Job struct{ d *jobdir.Dir }

// OpenJob takes a job's directory and makes it if it is not there. A *HeldError names the living process that holds it.
func OpenJob(dir string, o JobOptions) (*Job, error) {
	d, err := jobdir.Open(dir, jobdir.Options{Name: o.Name, Pipeline: o.Pipeline, Takeover: o.Takeover})
	if err != nil {
		return nil, err
	}
	return &Job{d}, nil
}

// Incarnation is the id that the job's state drew when it was new.
func (j *Job) Incarnation() string { return j.d.Meta().Incarnation }

// Epoch counts the starts of the job, this one included.
func (j *Job) Epoch() int64 { return j.d.Epoch() }

// Fresh says that the job was never run in this incarnation.
func (j *Job) Fresh() bool { return !j.d.Meta().Started }

// Meta gives what the directory says of the job; Update changes it durably.
func (j *Job) Meta() JobMeta { return j.d.Meta() }

// Update changes Meta, durably.
func (j *Job) Update(change func(*JobMeta)) error { return j.d.Update(change) }

// Requests gives what other processes ask for with RequestJob, until ctx ends.
func (j *Job) Requests(ctx context.Context) <-chan string { return j.d.Requests(ctx) }

// Close gives the directory up.
func (j *Job) Close() error { return j.d.Close() }

// JobStatus is how a job's directory stands.
type JobStatus struct{ jobdir.Status }

// String says whether the job is running, and in which process.
func (s JobStatus) String() string {
	switch {
	case s.Held:
		return fmt.Sprintf("running in %s", s.Holder)
	case !s.Exists:
		return "never started"
	case s.Meta.State == StateRunning:
		return "stopped (its process died; the next run goes on)"
	case s.Meta.State == StateFailed:
		return fmt.Sprintf("failed (when the cause is gone the next run goes on): %s", s.Meta.Failure)
	case s.Meta.State == "":
		return "not started yet"
	}
	return s.Meta.State
}

// InspectJob looks at a job's directory without taking it.
func InspectJob(dir string) (JobStatus, error) {
	s, err := jobdir.Inspect(dir)
	return JobStatus{s}, err
}

// RequestJob asks the process that runs the job for something: it arrives at its Requests.
func RequestJob(dir, verb string) error { return jobdir.Request(dir, verb) }

// ResetJob removes a job's state, so that it begins anew. It refuses while a process holds the job.
func ResetJob(dir, name string) error { return jobdir.Reset(dir, name) }
