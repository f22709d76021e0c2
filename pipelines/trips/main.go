// Command trips unifies taxi trips from a database dump and a live stream, and lands them in a lake.
package main

import "github.com/millrace-io/millrace/runners"

func main() { runners.Main(build) }
