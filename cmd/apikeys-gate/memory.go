package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// keepMemoryIn keeps the texts of keys that pass, and the token, out of files: no core
// is written of this process, and no other of its user may look into it. The limit alone
// is not asked where cores go to a program (core(5)).
func keepMemoryIn() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	return nil
}

// reserve is memory that is never touched, so that the machine never gives any. The
// collector runs whenever what was allocated since is as much as what is in use: a gate that
// holds a few megabytes would collect its garbage twenty times a second, and spend a tenth
// of its time so.
var reserve = make([]byte, 32<<20)
