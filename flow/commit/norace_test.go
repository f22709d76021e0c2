//go:build !race

package commit

// defaultSchedules is the number of schedules that the simulation runs.
const defaultSchedules = 10_000
