package readme

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestMakeGateShowsAKeyThatPassesAndIsRefused reads what it shows by itself, and then runs what it prints for another
// terminal.
func TestMakeGateShowsAKeyThatPassesAndIsRefused(t *testing.T) {
	if !regexp.MustCompile(`(?m)^gate:.*\n\t@scripts/gate.sh$`).MatchString(read(t, "Makefile")) {
		t.Error("make gate does not call scripts/gate.sh")
	}
	d := start(t, "scripts/gate.sh", "All of it runs until Ctrl-C.")
	t.Parallel()
	shown, printed, _ := strings.Cut(d.output.String(), d.ready)
	for _, words := range []string{"HTTP/1.1 200 OK\nthe orders of acme, asked with the key ", "HTTP/1.1 401 Unauthorized\n{\"code\":\"revoked\"}\n"} {
		if !strings.Contains(shown, words) {
			t.Errorf("it does not show %q: %s", words, shown)
		}
	}
	var commands []*command
	for line := range strings.Lines(printed) {
		if text, found := strings.CutPrefix(line, "  "); found {
			commands = append(commands, &command{block: &block{}, text: text})
		}
	}
	run(t, commands)
	var statuses []string
	for _, c := range commands {
		c.check(t)
		statuses = append(statuses, regexp.MustCompile(`HTTP/1.1 (\d+)`).FindString(c.output))
	}
	if statuses = slices.DeleteFunc(statuses, func(s string) bool { return s == "" }); !slices.Equal(statuses, []string{"HTTP/1.1 200", "HTTP/1.1 401"}) {
		t.Errorf("the commands that it prints are answered with %q", statuses)
	}
	d.interrupt(t)
	if err := syscall.Kill(-d.group, 0); !errors.Is(err, syscall.ESRCH) {
		t.Error("a process stayed behind")
	}
	d.wantNothingLeft(t)
}

// TestTheSettingsOfTheGateAreThoseTold holds the table against the names that each block of the configuration knows.
func TestTheSettingsOfTheGateAreThoseTold(t *testing.T) {
	sections, _ := document(t)
	var told string
	for _, s := range sections {
		if s.file == manual && s.chapter == "Settings" {
			told = strings.Join(s.lines, "\n")
		}
	}
	found := 0
	for _, file := range []string{"read", "listener", "vault"} {
		for _, known := range regexp.MustCompile(`finish\("([^"]+)"\)`).FindAllStringSubmatch(read(t, "cmd/apikeys-gate/config/"+file+".go"), -1) {
			for _, name := range strings.Split(known[1], ", ") {
				found++
				if !regexp.MustCompile("`" + name + "[ `]").MatchString(told) {
					t.Errorf("%s does not tell of the setting %s", manual, name)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("the configuration knows only %d names", found)
	}
}
