package harness

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Background runs a vault command beside the server, as an Agent or a Proxy, until stop or until the test ends. It knows
// of the server only what its configuration says.
func (s *Server) Background(t testing.TB, arguments ...string) (stop func()) {
	t.Helper()
	binary, err := vaultBinary()
	s.check(t, err)
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	command := exec.Command(binary, arguments...)
	command.Dir, command.Env = dir, plainEnvironment(dir)
	p, err := startProcess(command, log)
	s.check(t, err)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("--- end of the log of vault %s\n%s", arguments[0], tail(log))
		}
	})
	return func() { s.check(t, p.stop(patience)) }
}
