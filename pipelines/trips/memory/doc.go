// Package memory has no code but tests: of the memory that a process with a budget takes in all. They stand apart from the
// other tests of the pipeline, whose binary has DuckDB in it and so takes 70 MB before it does anything.
package memory
