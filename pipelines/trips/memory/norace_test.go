//go:build !race

package memory_test

// raceDetector is off.
const raceDetector = false
