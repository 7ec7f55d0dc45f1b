package paths

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/watch"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// services are what the paths of a mount call, and those paths.
type services struct {
	Store    *store.Store
	Verifier *verify.Verifier
	lists    Lists
	*Verify
	backend *framework.Backend
}

// newServices are those of a mount with role web, hashing as cheaply as can be.
func newServices(t testing.TB, system *logical.StaticSystemView) *services {
	t.Helper()
	s := store.New(memory.New())
	hasher, ticks, logger := keyhash.NewHasher(2), clock.New(func(clock.Change) {}), hclog.NewNullLogger()
	uses, meter := usage.New(s, 100, func() bool { return true }), limit.NewMeter(s)
	seen := ends.New(ticks)
	resolver := lineage.Resolver{Reader: s, Idle: idle.New(uses, s, func() bool { return true }, ticks), Ends: seen, Clock: ticks}
	watched := watch.New(watch.Mount{
		Store: s, Uses: uses, Ends: seen, Clock: ticks, Logger: logger,
		Writable: func() bool { return true }, Notify: func(context.Context, string, ...string) {},
	})
	prover := &verify.ByHash{Reader: s, Matcher: hasher, Proofs: proof.New(100), Traps: watched, Writable: watched.Writable}
	engine := &lifecycle.Engine{
		Store: s, Prover: prover, Revoker: prover, Refused: watched.Observe, Resolver: resolver, Hasher: hasher, Clock: ticks, Random: rand.Reader, Logger: logger,
		Gone: func(id string) {
			uses.Forget(id)
			meter.Forget(id)
		},
		Caps: func() record.Caps {
			return record.Caps{Default: record.InSeconds(system.DefaultLeaseTTL()), Max: record.InSeconds(system.MaxLeaseTTL())}
		},
		Notify: func(context.Context, lifecycle.Event, string) {},
	}
	kept := &upkeep.Mount{Store: s, Resolver: resolver, Clock: ticks, Logger: logger, Gone: engine.Gone, Writable: func() bool { return true }, Redated: uses.Refresh, Noted: func(string) {}}
	_, err := s.UpdateConfig(t.Context(), func(c *record.Config) error {
		c.Argon2MemoryKiB, c.Argon2Iterations, c.Argon2Parallelism = 8, 1, 1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureTagKey(t.Context(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	verifier := &verify.Verifier{
		Prover: prover, Resolver: resolver, Limiter: meter,
		Observer: observing(upkeep.NewFlusher(kept, uses, meter).Observe),
		Writable: kept.Writable,
	}
	answers := KeyAnswers{Lineages: engine, Uses: uses, Roles: s, Limits: meter, Clock: ticks, Log: logger}
	sv := &services{Store: s, Verifier: verifier, lists: Lists{s, engine, engine, logger}, Verify: &Verify{Verifier: verifier, Config: s, Log: logger}}
	sv.backend = &framework.Backend{BackendType: logical.TypeLogical, Secrets: Secrets(engine, system, ticks, logger), Paths: All(logger,
		sv.Verify, Authorize{verifier}, Issue{engine, system, ticks}, Rotate{engine, ticks, answers}, Revoke{engine, answers}, Delegate{engine, ticks}, sv.lists,
		Keys{engine, answers}, Static{engine, system, answers}, Roles{s, engine, s}, Config{s, engine}, Stop{engine}, Tidy{upkeep.NewTidier(kept)}, Info{},
	)}
	sv.role(t, "web", func(r *record.Role) { r.UID = "u1" })
	return sv
}

func (sv *services) role(t testing.TB, name string, change func(r *record.Role)) {
	t.Helper()
	_, err := sv.Store.UpdateRole(t.Context(), name, func(r record.Role, found bool) (record.Role, error) {
		if !found {
			r = record.DefaultRole()
		}
		change(&r)
		return r, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ask sends a request through the framework, as the guard hands it on.
func (sv *services) ask(t testing.TB, op logical.Operation, path string, data map[string]any, headers map[string][]string) (*logical.Response, error) {
	t.Helper()
	return sv.send(t, data, &logical.Request{Operation: op, Path: path, Headers: headers, ClientToken: "t1"})
}

// send is ask for a request with more to it.
func (sv *services) send(t testing.TB, data map[string]any, req *logical.Request) (*logical.Response, error) {
	t.Helper()
	return sv.backend.HandleRequest(WithBody(t.Context(), data), req)
}

// must is ask for a request that works.
func (sv *services) must(t testing.TB, op logical.Operation, path string, data map[string]any) *logical.Response {
	t.Helper()
	resp, err := sv.ask(t, op, path, data, nil)
	if err != nil || resp.IsError() {
		t.Fatalf("%s %s: %v, %v", op, path, resp, err)
	}
	return resp
}

func systemView(byDefault, most time.Duration) *logical.StaticSystemView {
	return &logical.StaticSystemView{DefaultLeaseTTLVal: byDefault, MaxLeaseTTLVal: most}
}

// observing is an observer by one part of a mount.
type observing func(*verify.Observation)

func (tell observing) Observe(o verify.Observation) { tell(&o) }
