package gateways

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

const unit = "apikeys-gate.service"

// setting is what the unit sets under a name.
func setting(t testing.TB, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(recipe(t, unit), -1)
	if len(found) != 1 {
		t.Fatalf("the unit sets %s %d times", name, len(found))
	}
	return found[0][1]
}

// TestTheUnitIsWhatSystemdReads has systemd's own programs judge it: a name or a value that it does not know it would
// pass over with a warning.
func TestTheUnitIsWhatSystemdReads(t *testing.T) {
	t.Parallel()
	binary, err := harness.GateBinary()
	if err != nil {
		t.Fatal(err)
	}
	analyze := installed(t, "systemd-analyze")
	verified := func(changes ...string) (said string, good bool) {
		file := write(t, filepath.Join(t.TempDir(), unit), recipe(t, unit, append(changes, "/usr/local/bin/apikeys-gate", binary)...))
		output, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput()
		return string(output), err == nil && len(output) == 0
	}
	if said, good := verified(); !good {
		t.Errorf("systemd says %s", said)
	}
	for _, mistake := range [][]string{{"NoNewPrivileges=", "NoNewPrivilege="}, {"LimitCORE=0", "LimitCORE=none"}, {"@system-service", "@no-service"}} {
		if said, good := verified(mistake...); good {
			t.Errorf("with %s systemd says %s", mistake[1], said)
		}
	}
	// Of a hundred; a unit without any of it has more than ninety.
	if output, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold=20", unit).CombinedOutput(); err != nil {
		t.Errorf("systemd thinks that it is open: %s", output)
	}
}

// TestTheUnitRunsTheGate starts, reloads and stops a gate by the unit's lines, as its user and with its modes, where the
// test runs as root. What systemd keeps from it beyond that is not tried: no systemd runs here.
func TestTheUnitRunsTheGate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.gateFiles(t)
	binary, err := harness.GateBinary()
	if err != nil {
		t.Fatal(err)
	}
	const user, group, gateway = 64501, 64502, 64503
	copied := s.path("apikeys-gate")
	text, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(copied, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	runtime, err := strconv.ParseUint(setting(t, "RuntimeDirectoryMode"), 8, 32)
	if err != nil {
		t.Fatal(err)
	}
	own(t, s.dir, user, group, os.FileMode(runtime))
	line := strings.NewReplacer("/usr/local/bin/apikeys-gate", copied, "/etc/apikeys-gate", s.dir).Replace(setting(t, "ExecStart"))
	limits := fmt.Sprintf("umask %s; ulimit -c %s; ulimit -n %s; exec %s", setting(t, "UMask"), setting(t, "LimitCORE"), setting(t, "LimitNOFILE"), line)
	p := harness.Run(t, "/bin/sh", "-c", as(user, group, "--no-new-privs --bounding-set=-all", limits))
	awaitListening(t, p, s.socket())
	awaitReady(t, p, s.telemetry)
	ask := fmt.Sprintf("curl --silent --max-time 5 --unix-socket %s http://gate/forward/web", s.socket())
	said, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", as(gateway, gateway, fmt.Sprint("--groups ", group), ask)).CombinedOutput()
	if err != nil || string(said) != "{\"code\":\"invalid\"}\n" {
		t.Errorf("the gateway is told %s, %v", said, err)
	}
	if os.Geteuid() == 0 {
		if said, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", as(gateway, gateway, "--clear-groups", ask)).CombinedOutput(); err == nil {
			t.Errorf("somebody is told %s", said)
		}
	}
	r, err := http.Get("http://" + s.telemetry + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, there := figuresIn(t, r.Body)["process_open_fds"]; !there {
		t.Error("what nobody may look at it does not see itself")
	}
	reload := strings.ReplaceAll(setting(t, "ExecReload"), "$MAINPID", strconv.Itoa(p.PID()))
	if output, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", reload).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", reload, err, output)
	}
	harness.Eventually(t, 10*time.Second, "its files are read again", func() error {
		if !strings.Contains(p.Log(), `"the configuration was read again"`) {
			return os.ErrNotExist
		}
		return nil
	})
	patience, err := time.ParseDuration(setting(t, "TimeoutStopSec"))
	if err != nil || patience <= 10*time.Second || setting(t, "KillSignal") != "SIGTERM" {
		t.Errorf("it is stopped by %s within %v, %v", setting(t, "KillSignal"), patience, err)
	}
	begun := time.Now()
	p.Stop()
	if took := time.Since(begun); took > 10*time.Second || !strings.Contains(p.Log(), `"ended"`) {
		t.Errorf("it ends after %v", took)
	}
	if conn, err := net.Dial("unix", s.socket()); err == nil {
		conn.Close()
		t.Error("its socket stays behind")
	}
}

// as is a command of another user, where one may choose.
func as(user, group int, more, command string) string {
	if os.Geteuid() != 0 {
		return command
	}
	if !strings.Contains(more, "groups") {
		more += " --clear-groups"
	}
	return fmt.Sprintf("exec setpriv --reuid %d --regid %d %s /bin/sh -c '%s'", user, group, more, command)
}

// own gives a directory and what is in it to a user, where one may.
func own(t testing.TB, dir string, user, group int, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(path, user, group)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
