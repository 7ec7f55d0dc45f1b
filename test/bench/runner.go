package main

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// runner stands where the harness wants a test: its end is the program's. What
// it does not define is not called.
type runner struct {
	testing.TB
	cleanups []func()
}

// failure is what Fatal panics with.
type failure string

func (t *runner) Helper()                           {}
func (t *runner) Failed() bool                      { return false }
func (t *runner) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *runner) Log(args ...any)                   { fmt.Fprintln(os.Stderr, args...) }
func (t *runner) Fatal(args ...any)                 { panic(failure(fmt.Sprint(args...))) }
func (t *runner) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// TempDir goes with the program. Its name is short: sockets lie in it.
func (t *runner) TempDir() string {
	dir, err := os.MkdirTemp("", "bench-")
	t.must(err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// must ends the program on an error.
func (t *runner) must(err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// end cleans up, and turns a failure into an error.
func (t *runner) end(err *error) {
	if f, failed := recover().(failure); failed {
		*err = errors.New(string(f))
	}
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}
