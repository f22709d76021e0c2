//go:build race

package commit

// defaultSchedules is less under the race detector, which is there for the detector's own findings.
const defaultSchedules = 500
