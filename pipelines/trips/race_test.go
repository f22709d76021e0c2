//go:build race

package main

// raceDetector says that the race detector is on. The tests here run whole jobs, many of them in processes of their own, and
// take many times as long then; jobs under the race detector are run by the connectors' conformance tests.
const raceDetector = true
