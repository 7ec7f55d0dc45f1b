package main

import (
	"net/http"
	"path/filepath"
	"runtime"
	"strings"

	"vault-plugin-secrets-apikeys/test/harness"
)

// floorName is the name under which the floor is registered.
const floorName = "floor"

// What a mount passes on.
var (
	requestHeaders = []string{"X-API-Key", "X-Required-Scopes", "X-Client-Ip"}
	answerHeaders  = []string{"X-Apikey-Code", "X-Apikey-Id", "X-Apikey-Owner", "X-Apikey-Scopes", "X-Apikey-Scopes-Omitted", "Deprecation", "Sunset", "Retry-After"}
)

// bed is a server with everything mounted that is measured.
type bed struct {
	t      *runner
	plan   plan
	out    *table
	server *harness.Server
	client client       // asks as a gateway: with a token of one policy
	rivals []*contender // what Vault itself offers

	// The contests whose figures are put side by side at the end.
	byConcurrency, byBatch []*contest
}

// policy is what the measured calls need, and nothing else.
const policy = `
path "tiny/*"  { capabilities = ["create", "read", "update"] }
path "few/*"   { capabilities = ["create", "read", "update"] }
path "many/*"  { capabilities = ["create", "read", "update"] }
path "floor/*" { capabilities = ["create", "read", "update"] }
path "kv/data/bench"          { capabilities = ["read"] }
path "transit/hmac/bench"     { capabilities = ["update"] }
path "transit/verify/bench"   { capabilities = ["update"] }
path "auth/token/lookup"      { capabilities = ["update"] }
`

// newBed starts the server. binary is the plugin's, the built one if empty.
func newBed(t *runner, p plan, out *table, binary string) *bed {
	s := harness.Start(t, harness.Options{LogLevel: "warn"})
	s.Register(t, harness.Plugin{Binary: binary})
	s.Register(t, harness.Plugin{Name: floorName, Binary: built("floor")})
	for path, kind := range map[string]string{"tiny": "", "few": "", "many": "", "floor": floorName, "transit": "transit"} {
		s.Mount(t, path, harness.Mount{Type: kind, RequestHeaders: requestHeaders, ResponseHeaders: answerHeaders})
	}
	s.Expect(t, http.StatusNoContent, http.MethodPost, "sys/mounts/kv", map[string]any{"type": "kv", "options": map[string]any{"version": "2"}})
	b := &bed{t: t, plan: p, out: out, server: s}
	// Vault's default policy is a template, which Vault parses anew for each request: with it, that would be the
	// largest part of every figure.
	token := s.TokenWith(t, policy, map[string]any{"no_default_policy": true})
	b.client = client{strings.TrimPrefix(s.Address(), "http://"), token}
	return b
}

// process is that of the plugin of this name.
func (b *bed) process() process {
	pids := b.server.PluginPIDs(b.t)
	if len(pids) != 1 {
		b.t.Fatalf("the plugin runs %d times", len(pids))
	}
	return process(pids[0])
}

// built is a program that scripts/bench.sh builds.
func built(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", ".bin", "bench-"+name)
}
