package gateways

import (
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

// gateways are those that run, each with its recipe.
var gateways = []struct {
	name string
	run  func(t *testing.T, s *site)
}{
	{"nginx", func(t *testing.T, s *site) {
		s.gate(t).nginx(t, "nginx.conf", "/run/apikeys-gate/gate.sock", s.socket(), "/v1/apikeys/", "/v1/"+s.Mount+"/")
	}},
	{"nginx before Vault Proxy", func(t *testing.T, s *site) {
		s.vaultProxy(t).nginx(t, "nginx-vault.conf", "/run/vault-proxy/proxy.sock", s.socket(), "/v1/apikeys/", "/v1/"+s.Mount+"/")
	}},
	{"Caddy of the distribution", func(t *testing.T, s *site) {
		s.gate(t).caddy(t, installed(t, "caddy"), "Caddyfile", "/run/apikeys-gate/gate.sock", s.socket())
	}},
	{"Caddy", func(t *testing.T, s *site) {
		s.gate(t).caddy(t, newestCaddy(t), "Caddyfile", "/run/apikeys-gate/gate.sock", s.socket())
	}},
	{"Traefik", func(t *testing.T, s *site) { s.traefik(t) }},
	{"HAProxy", func(t *testing.T, s *site) { s.gate(t).haproxy(t) }},
	{"Caddy before Vault Proxy", func(t *testing.T, s *site) {
		s.vaultProxy(t).caddy(t, newestCaddy(t), "Caddyfile-vault", "/run/vault-proxy/proxy.sock", s.socket(), "/v1/apikeys/", "/v1/"+s.Mount+"/")
	}},
}

// TestGateways tries each with all that clients may do, and with what may become of the gate.
func TestGateways(t *testing.T) {
	for _, g := range gateways {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			g.run(t, s)
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) { c.run(t, s) })
			}
		})
	}
}

func newestCaddy(t *testing.T) string {
	t.Helper()
	return found(t, harness.Caddy)
}

// found is a program that make builds.
func found(t *testing.T, find func() (string, error)) string {
	t.Helper()
	program, err := find()
	if err != nil {
		t.Fatal(err)
	}
	return program
}
