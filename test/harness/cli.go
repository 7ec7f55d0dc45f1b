package harness

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// Output is what a command printed, and its exit code.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// CLI runs the real vault command against the server, with an empty home directory.
func (s *Server) CLI(t testing.TB, arguments ...string) Output {
	t.Helper()
	return s.CLIWithInput(t, "", arguments...)
}

// CLIWithInput is CLI with text on standard input, as `key=-` reads it.
func (s *Server) CLIWithInput(t testing.TB, input string, arguments ...string) Output {
	t.Helper()
	binary, err := vaultBinary()
	s.check(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	var stdout, stderr strings.Builder
	command := exec.CommandContext(ctx, binary, arguments...)
	command.Env = append(plainEnvironment(t.TempDir()), "VAULT_ADDR="+s.Address(), "VAULT_TOKEN="+s.Token)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &stdout, &stderr
	err = command.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("vault %s: %v (%v)\n%s", strings.Join(arguments, " "), err, ctx.Err(), s.node.logTail())
	}
	return Output{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// MustCLI is CLI for a command that must succeed. It answers what it printed on stdout, without the last newline.
func (s *Server) MustCLI(t testing.TB, arguments ...string) string {
	t.Helper()
	return strings.TrimSuffix(s.ExpectCLI(t, 0, arguments...).Stdout, "\n")
}

// ExpectCLI is CLI for a test that knows the exit code: 1 is a local mistake, 2 an error of the server.
func (s *Server) ExpectCLI(t testing.TB, code int, arguments ...string) Output {
	t.Helper()
	o := s.CLI(t, arguments...)
	if o.Code != code {
		t.Fatalf("vault %s: exit code %d, wanted %d\n%s%s", strings.Join(arguments, " "), o.Code, code, o.Stdout, o.Stderr)
	}
	return o
}
