// Package readback holds tests only: DuckDB reads what the connectors that write files have written. It is apart from
// them since DuckDB is linked by cgo, which takes a while.
package readback
