//go:build race

package memory_test

// raceDetector takes several times the memory of the program itself.
const raceDetector = true
