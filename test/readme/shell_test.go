package readme

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// command is one command of a block, with what it printed once it ran.
type command struct {
	block   *block
	text    string
	refused string // the status with which Vault must refuse it, "" if it must work
	output  string
	status  int
}

var refusal = regexp.MustCompile(`^# refused: (\d+)$`)

// commands are those of one block: one per line, or on lines that end in a backslash.
func (b *block) commands(t testing.TB) (commands []*command) {
	t.Helper()
	now := &command{block: b}
	for line := range strings.Lines(b.text) {
		if m := refusal.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			now.refused = m[1]
			continue
		}
		now.text += line
		if strings.HasSuffix(line, "\\\n") {
			continue
		}
		commands = append(commands, now)
		now = &command{block: b}
	}
	if now.text != "" || now.refused != "" {
		t.Fatalf("%s: the last command of the block does not end", b.at())
	}
	return commands
}

// run runs all in one shell, as a reader pastes them, and keeps what each printed.
func run(t testing.TB, commands []*command, environment ...string) {
	t.Helper()
	var script strings.Builder
	script.WriteString("set -o pipefail\nexec 2>&1\n")
	for i, c := range commands {
		fmt.Fprintf(&script, "printf '\\036%d\\037'\n%s\nstatus=$?; printf '\\037%%d' $status\n", i, strings.TrimSuffix(c.text, "\n"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a hundred programs, on a machine that has other work
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script.String())
	shell.Dir = root
	shell.Env = append([]string{"PATH=" + vaultOnPath(t), "HOME=" + t.TempDir()}, goEnvironment(t)...)
	shell.Env = append(shell.Env, environment...)
	out, err := shell.Output()
	if err != nil && ctx.Err() != nil {
		t.Fatalf("the commands took too long; the last printed:\n%s", out[strings.LastIndexByte(string(out), '\036')+1:])
	}
	for _, part := range strings.Split(string(out), "\036")[1:] {
		fields := strings.Split(part, "\037")
		var i int
		fmt.Sscan(fields[0], &i)
		if len(fields) == 3 {
			commands[i].output = fields[1]
			fmt.Sscan(fields[2], &commands[i].status)
		} else {
			commands[i].status = -1
		}
	}
}

// check fails the test where a command did other than is told.
func (c *command) check(t testing.TB) {
	t.Helper()
	at := fmt.Sprintf("%s: %s", c.block.at(), strings.TrimSpace(c.text))
	switch {
	case c.refused == "" && c.status != 0:
		t.Errorf("%s\nfailed with exit code %d:\n%s", at, c.status, c.output)
	case c.refused != "" && c.status == 0:
		t.Errorf("%s\nworked, and is said to be refused", at)
	case c.refused == "404" && strings.HasPrefix(c.output, "No value found"): // how the command says it of a read
	case c.refused != "" && !strings.Contains(c.output, "Code: "+c.refused):
		t.Errorf("%s\nis said to be refused with %s, and answered:\n%s", at, c.refused, c.output)
	}
}

// vaultOnPath is a PATH on which `vault` is the one that tests use, and age is built from source.
func vaultOnPath(t testing.TB) string {
	t.Helper()
	find := exec.Command("scripts/vault.sh")
	find.Dir = root
	out, err := find.Output()
	if err != nil {
		t.Fatalf("scripts/vault.sh: %v", err)
	}
	dir := t.TempDir()
	if err := os.Symlink(strings.TrimSpace(string(out)), filepath.Join(dir, "vault")); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", dir, "filippo.io/age/cmd/age", "filippo.io/age/cmd/age-keygen")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build age: %v\n%s", err, out)
	}
	return dir + ":" + os.Getenv("PATH")
}

// goEnvironment lets `make build` find its caches although HOME is another.
func goEnvironment(t testing.TB) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	values := strings.Split(strings.TrimSpace(string(out)), "\n")
	return []string{"GOCACHE=" + values[0], "GOMODCACHE=" + values[1], "GOPATH=" + values[2]}
}
