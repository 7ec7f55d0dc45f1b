package gateways

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// gateFiles are the recipe's configuration of a gate that answers at the socket, and at what else is to be in its file,
// and what it logs in with.
func (s *site) gateFiles(t *testing.T, more ...string) (config string) {
	t.Helper()
	policy := recipe(t, "../policies/gate.hcl", "apikeys/", s.Mount+"/")
	roleID, secretID := s.AppRole(t, policy)
	s.telemetry = freeAddress(t)
	text := recipe(t, "gate.hcl",
		`"apikeys"`, fmt.Sprintf("%q", s.Mount),
		"https://vault.example.com:8200", s.Address(),
		"/etc/apikeys-gate", s.dir,
		"/run/apikeys-gate/gate.sock", s.socket())
	write(t, s.path("role-id"), roleID)
	write(t, s.path("secret-id"), secretID)
	return write(t, s.path("gate.hcl"), text+strings.Join(more, "")+fmt.Sprintf("telemetry {\n  address = %q\n}\n", s.telemetry))
}

// gate runs a gate with the recipe.
func (s *site) gate(t *testing.T, more ...string) *site {
	t.Helper()
	config := s.gateFiles(t, more...)
	binary, err := harness.GateBinary()
	if err != nil {
		t.Fatal(err)
	}
	return s.behind(t, func(t testing.TB) *harness.Program {
		p := harness.Run(t, binary, "-config="+config)
		awaitListening(t, p, s.socket())
		if _, err := os.Stat(s.path("secret-id")); err == nil {
			awaitReady(t, p, s.telemetry)
		}
		return p
	})
}

func awaitListening(t testing.TB, p *harness.Program, socket string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, "wait for the socket", func() error {
		if err := p.Running(); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(socket)
		return err
	})
}

func awaitReady(t testing.TB, p *harness.Program, telemetry string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, "wait for the gate to be ready", func() error {
		if err := p.Running(); err != nil {
			t.Fatal(err)
		}
		r, err := http.Get("http://" + telemetry + "/ready")
		if err == nil {
			r.Body.Close()
			if r.StatusCode != http.StatusOK {
				err = fmt.Errorf("it answers %s", r.Status)
			}
		}
		return err
	})
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }
func (s *site) socket() string          { return s.path("gate.sock") }

// installed is a program of the distribution, some of which no user's PATH has.
func installed(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not there: scripts/packages.sh installs it", name)
	return ""
}

// nginx runs nginx with a recipe of its servers.
func (s *site) nginx(t *testing.T, file string, changes ...string) {
	t.Helper()
	text := recipe(t, file, append(changes, "listen 80;", "listen "+s.gateway+";", "127.0.0.1:8080", s.api.address())...)
	servers := write(t, s.path("api.conf"), text)
	for _, included := range []string{"apikeys.conf", "apikeys-answers.conf"} {
		write(t, s.path(included), recipe(t, included))
	}
	var temporary strings.Builder
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "  %s_temp_path %s;\n", of, s.path(of))
	}
	whole := fmt.Sprintf("daemon off;\nuser root;\nworker_processes 2;\npid %s;\nerror_log stderr notice;\nevents {}\nhttp {\n  access_log off;\n%s  include %s;\n}\n",
		s.path("nginx.pid"), temporary.String(), servers)
	s.run(t, installed(t, "nginx"), "-p", s.dir, "-c", write(t, s.path("nginx.conf"), whole))
}

// caddy runs a Caddy with a recipe.
func (s *site) caddy(t *testing.T, program, file string, changes ...string) {
	t.Helper()
	text := recipe(t, file, append(changes, "http://api.example.com", "http://api.example.com:"+s.gateway[strings.LastIndex(s.gateway, ":")+1:], "127.0.0.1:8080", s.api.address())...)
	config := write(t, s.path("Caddyfile"), "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n"+text)
	s.run(t, program, "run", "--adapter=caddyfile", "--config="+config)
}

// haproxy runs HAProxy with the recipe and its script.
func (s *site) haproxy(t *testing.T) {
	t.Helper()
	script := write(t, s.path("apikeys.lua"), recipe(t, "apikeys.lua", "/run/apikeys-gate/gate.sock", s.socket()))
	config := write(t, s.path("haproxy.cfg"), recipe(t, "haproxy.cfg", "/etc/haproxy/apikeys.lua", script, "bind :80", "bind "+s.gateway, "127.0.0.1:8080", s.api.address()))
	s.run(t, installed(t, "haproxy"), "-db", "-f", config)
}

// traefik runs Traefik with its recipes, and a gate that listens at a port, too.
func (s *site) traefik(t *testing.T) {
	t.Helper()
	question, gate := freeAddress(t), freeAddress(t)
	s.gate(t, recipe(t, "traefik.hcl", "127.0.0.1:8280", gate))
	routes := write(t, s.path("apikeys.yml"), recipe(t, "traefik-apikeys.yml", "127.0.0.1:8281", question, "127.0.0.1:8280", gate, "127.0.0.1:8080", s.api.address()))
	config := write(t, s.path("traefik.yml"), recipe(t, "traefik.yml", `":80"`, fmt.Sprintf("%q", s.gateway), "127.0.0.1:8281", question, "/etc/traefik/apikeys.yml", routes))
	s.run(t, found(t, harness.Traefik), "--configFile="+config)
	harness.Eventually(t, 20*time.Second, "wait for Traefik to have read its routes", func() error {
		a, err := s.try("GET /orders")
		if err == nil && a.StatusCode != http.StatusUnauthorized {
			err = fmt.Errorf("it answers %s", a.Status)
		}
		return err
	})
}

// vaultProxy runs a Vault Proxy with the recipe, which answers at the socket.
func (s *site) vaultProxy(t *testing.T) *site {
	t.Helper()
	roleID, secretID := s.AppRole(t, recipe(t, "../policies/gateway.hcl", "apikeys/", s.Mount+"/"))
	write(t, s.path("role-id"), roleID)
	write(t, s.path("secret-id"), secretID)
	config := write(t, s.path("proxy.hcl"), recipe(t, "proxy.hcl", "https://vault.example.com:8200", s.Address(), "/etc/vault-proxy", s.dir, "/run/vault-proxy/proxy.sock", s.socket()))
	return s.behind(t, func(t testing.TB) *harness.Program {
		p := harness.RunVault(t, "proxy", "-config="+config)
		awaitListening(t, p, s.socket())
		if _, err := os.Stat(s.path("secret-id")); err == nil {
			s.awaitLogin(t)
		}
		return p
	})
}

// awaitLogin waits until the proxy asks with a token: it then hears of a missing key, and not that it may not ask.
func (s *site) awaitLogin(t testing.TB) {
	t.Helper()
	through := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket())
	}}}
	harness.Eventually(t, 20*time.Second, "wait for the proxy to log in", func() error {
		r, err := through.Get("http://proxy/v1/" + s.Mount + "/authorize/web")
		if err != nil {
			return err
		}
		r.Body.Close()
		if r.StatusCode != http.StatusUnauthorized {
			return fmt.Errorf("it answers %s", r.Status)
		}
		return nil
	})
}
