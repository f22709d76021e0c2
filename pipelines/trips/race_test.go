//go:build race

package main

// raceDetector says that the race detector is on: tests of whole processes, which are slow then and look into one process
// only, are left to the run without it.
const raceDetector = true
