// The benchmark's clients: one thread that keeps many connections busy and costs the machine as little as wrk.
//
// A job comes as JSON on standard input, its result goes as JSON to standard output. `generator load` sends
// requests in a closed or an open loop, `generator hold` keeps stalled uploads and idle connections,
// `generator answer` is a server that does nothing, against which the generator itself is measured.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
)

func main() {
	// One thread does all the work, and what it needs is allocated before it begins.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(4 << 30)
	runtime.LockOSThread()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generator:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: generator load|hold|answer < JOB")
	}
	var do func(io.Reader) (any, error)
	switch os.Args[1] {
	case "load":
		do = load
	case "hold":
		do = hold
	case "answer":
		do = answer
	default:
		return fmt.Errorf("there is no command %q", os.Args[1])
	}
	result, err := do(os.Stdin)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
