package harness

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// GateOptions say what a gate is told.
type GateOptions struct {
	Name  string // edge-1 if empty
	Mount string
	Token string // for its token file
	Login string // how it logs in instead, as in the block vault
	// Config is more of its configuration: settings and blocks beside name, mount, vault, the listeners and telemetry.
	Config string
	Vault  string // another address than the server's
	Binary string // another program than the one that was built
}

// Gate is a running gate, with a listener over TCP and one at a socket.
type Gate struct {
	Dir       string // gate.hcl, token, gate.sock, gate.log
	Address   string // HOST:PORT of its doors
	Telemetry string // HOST:PORT of /ready and /metrics
	process   *process
	command   func() *exec.Cmd
}

// StartGate starts a gate beside a server. It need not be ready yet.
func StartGate(t testing.TB, s *Server, o GateOptions) *Gate {
	t.Helper()
	binary, err := o.Binary, error(nil)
	if binary == "" {
		binary, err = GateBinary()
	}
	s.check(t, err)
	doors, err := reservePorts()
	s.check(t, err)
	t.Cleanup(doors.release)
	g := &Gate{Dir: t.TempDir(), Address: doors.address(), Telemetry: doors.clusterAddress()}
	if o.Vault == "" {
		o.Vault = s.Address()
	}
	if o.Login == "" {
		g.Write(t, "token", o.Token)
		o.Login = fmt.Sprintf("token_file = %q", filepath.Join(g.Dir, "token"))
	}
	g.Write(t, "gate.hcl", fmt.Sprintf(`name  = %[7]q
mount = %[1]q
%[2]s
vault {
  address = %[3]q
  %[8]s
}
listener "tcp" {
  address = %[5]q
}
listener "unix" {
  address     = "%[4]s/gate.sock"
  socket_mode = "0600"
}
telemetry {
  address = %[6]q
}
`, o.Mount, o.Config, o.Vault, g.Dir, g.Address, g.Telemetry, cmp.Or(o.Name, "edge-1"), o.Login))
	g.command = func() *exec.Cmd {
		command := exec.Command(binary, "-config="+filepath.Join(g.Dir, "gate.hcl"))
		command.Env = []string{"PATH=" + os.Getenv("PATH")} // no VAULT_ADDR or VAULT_TOKEN of whoever runs the tests
		return command
	}
	g.Launch(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the gate's log:\n%s", g.Log())
		}
		g.process.kill()
	})
	return g
}

// Launch starts the gate again after its end.
func (g *Gate) Launch(t testing.TB) {
	t.Helper()
	process, err := startProcess(g.command(), filepath.Join(g.Dir, "gate.log"))
	if err != nil {
		t.Fatal(err)
	}
	g.process = process
}

// PID is the gate's process.
func (g *Gate) PID() int { return g.process.pid }

// Kill ends the gate at once.
func (g *Gate) Kill() { g.process.kill() }

// Signal sends the gate a signal.
func (g *Gate) Signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(g.PID(), signal); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the gate as systemd would, and answers how it exited.
func (g *Gate) Stop(t testing.TB) error {
	t.Helper()
	if err := g.process.stop(15 * time.Second); err != nil {
		t.Fatal(err)
	}
	return g.process.status
}

// Write writes a file of the gate's directory.
func (g *Gate) Write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(g.Dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Log is what the gate has logged so far.
func (g *Gate) Log() string {
	text, _ := os.ReadFile(filepath.Join(g.Dir, "gate.log"))
	return string(text)
}

// Ready waits until the gate answers from fresh knowledge.
func (g *Gate) Ready(t testing.TB) {
	t.Helper()
	Eventually(t, 20*time.Second, "the gate is ready", func() error {
		r, err := g.Watch("/ready")
		if err == nil && r.Status != http.StatusOK {
			err = fmt.Errorf("%d: %s", r.Status, r.Raw)
		}
		return err
	})
}

// Watch reads a path of the telemetry listener.
func (g *Gate) Watch(path string) (Response, error) {
	return receive(http.Get("http://" + g.Telemetry + path))
}

// Ask sends one request to a door. Path begins with a slash; bodies and headers are as in API.
func (g *Gate) Ask(t testing.TB, method, path string, body any, headers ...string) Response {
	t.Helper()
	r, err := g.Try(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Try is Ask for a gate that may not be there.
func (g *Gate) Try(method, path string, body any, headers ...string) (r Response, err error) {
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		if text, err = json.Marshal(b); err != nil {
			return r, err
		}
	}
	request, err := http.NewRequest(method, "http://"+g.Address+path, bytes.NewReader(text))
	if err != nil {
		return r, err
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	r.Status, r.Header = response.StatusCode, response.Header
	if r.Raw, err = io.ReadAll(response.Body); err != nil {
		return r, err
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Raw))
	decoder.UseNumber()
	_ = decoder.Decode(&r.JSON) // not every answer is an object
	return r, nil
}
