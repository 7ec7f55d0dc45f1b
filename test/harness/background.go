package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Background runs a vault command beside the server, as an Agent or a Proxy, until stop or until the test ends. It knows
// of the server only what its configuration says.
func (s *Server) Background(t testing.TB, arguments ...string) (stop func()) {
	t.Helper()
	return RunVault(t, arguments...).Stop
}

// RunVault is Run of the vault command.
func RunVault(t testing.TB, arguments ...string) *Program {
	t.Helper()
	binary, err := vaultBinary()
	if err != nil {
		t.Fatal(err)
	}
	return Run(t, binary, arguments...)
}

// Program is one that runs beside a server: a gate, a gateway, a Vault Proxy.
type Program struct {
	t       testing.TB
	process *process
	log     string
}

// Run runs a program in a directory of its own until it is stopped or the test ends.
func Run(t testing.TB, name string, arguments ...string) *Program {
	t.Helper()
	dir := t.TempDir()
	p := &Program{t: t, log: filepath.Join(dir, "log")}
	command := exec.Command(name, arguments...)
	command.Dir, command.Env = dir, plainEnvironment(dir)
	var err error
	if p.process, err = startProcess(command, p.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.process.kill()
		if t.Failed() {
			t.Logf("--- end of the log of %s %v\n%s", filepath.Base(name), arguments, tail(p.log))
		}
	})
	return p
}

// PID is its process.
func (p *Program) PID() int { return p.process.pid }

// Stop ends it as a service manager would, and waits for it.
func (p *Program) Stop() {
	p.t.Helper()
	if err := p.process.stop(patience); err != nil {
		p.t.Fatalf("%v\n%s", err, tail(p.log))
	}
}

// Freeze has it stand still, with all its connections open, until Thaw.
func (p *Program) Freeze() {
	p.t.Helper()
	syscall.Kill(p.process.pid, syscall.SIGSTOP)
	// The signal is answered before every thread has stopped.
	Eventually(p.t, patience, "wait for the program to stand still", func() error {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.process.pid))
		for _, file := range threads {
			// pid (name) state …, and the name may hold anything.
			if stat, err := os.ReadFile(file); err == nil && !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T")) {
				return errors.New("a thread still runs")
			}
		}
		return nil
	})
}

// Thaw lets it go on.
func (p *Program) Thaw() { syscall.Kill(p.process.pid, syscall.SIGCONT) }

// Running is nil while it runs, else how it ended.
func (p *Program) Running() error { return p.process.exited() }

// Log is all that it has written so far.
func (p *Program) Log() string {
	text, _ := os.ReadFile(p.log)
	return string(text)
}
