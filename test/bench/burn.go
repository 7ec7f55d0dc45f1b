package main

import (
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
)

// burnVariable makes this program one that takes a core.
const burnVariable = "BENCH_BURN"

// burn takes a core until its input ends, as it does when whoever started it
// ends.
func burn() {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for sum := [sha256.Size]byte{}; ; {
		sum = sha256.Sum256(sum[:])
	}
}

// takeCore starts a program that takes a core.
func (b *bed) takeCore() (stop func()) {
	program, err := os.Executable()
	b.t.must(err)
	command := exec.Command(program)
	command.Env = []string{burnVariable + "=1", "GOMAXPROCS=1"}
	input, err := command.StdinPipe()
	b.t.must(err)
	b.t.must(command.Start())
	return func() {
		input.Close()
		command.Process.Kill()
		command.Wait()
	}
}
