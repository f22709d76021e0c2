//go:build !race

package main

// raceDetector is described where it is true.
const raceDetector = false
