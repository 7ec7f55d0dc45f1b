package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// site is a mount with many keys, a gate that decides about them, and what stands in
// front of it.
type site struct {
	*gateBed
	holders []holder
	gate    *harness.Gate
}

// newSite starts a server and a gate beside it, which knows none of the n keys yet.
func newSite(t *runner, p gatePlan, n int) *site {
	b := newGateBed(t, p)
	s := &site{gateBed: b, holders: b.crowd(n)}
	s.gate = s.anotherGate("edge-1")
	return s
}

// anotherGate is one more, which is ready.
func (s *site) anotherGate(name string) *harness.Gate {
	token := s.server.TokenWith(s.t, s.recipe("../policies/gate.hcl"), map[string]any{"no_default_policy": true})
	g := harness.StartGate(s.t, s.server, harness.GateOptions{Name: name, Mount: gateMount, Token: token, Config: "roles = [\"web\"]\nstale_grace = \"0s\"\n"})
	g.Ready(s.t)
	return g
}

// socket is where the gate is asked.
func socket(g *harness.Gate) string { return filepath.Join(g.Dir, "gate.sock") }

// recipe is a file that users copy, with other addresses in it. Each of them must stand there.
func (s *site) recipe(file string, changes ...string) string {
	_, here, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "recipes", "gateways", file))
	s.t.must(err)
	changed := string(text)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(changed, changes[i]) {
			s.t.Fatalf("%s has no %s", file, changes[i])
		}
		changed = strings.ReplaceAll(changed, changes[i], changes[i+1])
	}
	return changed
}

// front is an nginx.
type front struct {
	address   string
	processes []process
}

// nginx runs nginx with the recipe in front of what listens at a socket. In the place
// of an API stand 43 bytes of its own, and the key_id in a header: an API would cost
// the same whoever decides, and bring all ratios nearer to one.
func (s *site) nginx(socket string) front {
	return s.front("api.conf", s.recipe("nginx.conf",
		"/run/apikeys-gate/gate.sock", socket,
		"proxy_pass http://127.0.0.1:8080;", "add_header X-Apikey-Id $apikey_id; empty_gif;"))
}

// front runs nginx with these servers, of which one listens at port 80.
func (s *site) front(name, servers string) front {
	dir, address := s.t.TempDir(), s.freeAddress()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		s.t.must(os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	write(name, strings.Replace(servers, "listen 80;", "listen "+address+";", 1))
	for _, included := range []string{"apikeys.conf", "apikeys-answers.conf"} {
		write(included, s.recipe(included))
	}
	var whole strings.Builder
	if os.Geteuid() == 0 {
		whole.WriteString("user root;\n") // or its workers could not open the socket
	}
	fmt.Fprintf(&whole, "daemon off;\nworker_processes %d;\npid nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\n  access_log off;\n", workers)
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&whole, "  %s_temp_path %s;\n", of, filepath.Join(dir, of))
	}
	// Clients here keep their connections for good.
	fmt.Fprintf(&whole, "  keepalive_requests 1000000000;\n  include %s;\n}\n", name)
	program := harness.Run(s.t, s.installed("nginx"), "-p", dir, "-c", write("nginx.conf", whole.String()))
	s.awaitAnswer(program, "tcp", address)
	f := front{address: address}
	harness.Eventually(s.t, 30*time.Second, "wait for nginx's workers", func() error {
		if f.processes = process(program.PID()).family(); len(f.processes) < 1+workers {
			return fmt.Errorf("it has %d processes", len(f.processes))
		}
		return nil
	})
	return f
}

// workers are how many an nginx has.
const workers = 2

// awaitAnswer waits until a program listens.
func (s *site) awaitAnswer(p *harness.Program, network, address string) {
	harness.Eventually(s.t, 30*time.Second, "wait for a program to listen", func() error {
		if err := p.Running(); err != nil {
			s.t.Fatalf("%v\n%s", err, p.Log())
		}
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

func (s *site) freeAddress() string {
	port, err := harness.FreePort()
	s.t.must(err)
	return fmt.Sprint("127.0.0.1:", port)
}

// installed is a program of the distribution, some of which no user's PATH has.
func (s *site) installed(name string) string {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	s.t.Fatalf("%s is not there: scripts/packages.sh installs it", name)
	return ""
}
