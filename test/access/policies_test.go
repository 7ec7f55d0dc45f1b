package access

import (
	"os"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// policy is what a recipe is meant to allow.
type policy struct {
	file string
	// entity is whose token it is tried with, "" for a token of no entity.
	entity string
	// allows tells for an operation, asked for a key of web and acme, or of admin and umbrella, whether it works.
	allows func(op surface.Operation, own bool) bool
	// broad marks paths on which the recipe grants more verbs than the engine has operations: what is left over
	// may be refused by the engine instead.
	broad func(path string, own bool) bool
}

func nowhere(string, bool) bool { return false }

func onPaths(paths ...string) func(surface.Operation, bool) bool {
	return func(op surface.Operation, _ bool) bool { return slices.Contains(paths, op.Path) }
}

func onOwnPaths(paths ...string) func(surface.Operation, bool) bool {
	return func(op surface.Operation, own bool) bool { return own && slices.Contains(paths, op.Path) }
}

func belowOwner(path string, own bool) bool { return own && strings.HasPrefix(path, "owners/{owner}/") }

func gate(op surface.Operation, own bool) bool {
	ofRole := []string{"gate/resolve/{role}", "gate/reserve/{role}", "gate/report/{role}"}
	return op.Path == "gate/changes" || op.Path == "gate/confirm" || own && slices.Contains(ofRole, op.Path)
}

func tenant(op surface.Operation, own bool) bool { return belowOwner(op.Path, own) }

var policies = []policy{
	{"holder.hcl", "", onPaths("rotate", "revoke"), nowhere},
	{"issuer.hcl", "", onOwnPaths("issue/{role}"), nowhere},
	{"pinned.hcl", "", onOwnPaths("issue"), nowhere},
	{"gateway.hcl", "", onOwnPaths("verify/{role}", "authorize/{role}"), nowhere},
	{"gate.hcl", "", gate, nowhere},
	{"prometheus.hcl", "", onPaths("metrics"), nowhere},
	{"tenant.hcl", "", tenant, belowOwner},
	{"tenants.hcl", "acme", tenant, belowOwner},
	{"operator.hcl", "", func(surface.Operation, bool) bool { return true }, func(string, bool) bool { return true }},
}

func (p policy) token(t *testing.T, e surface.Engine) surface.Engine {
	t.Helper()
	if p.entity != "" {
		return e.As(e.EntityToken(t, p.entity, recipe(t, p.file)))
	}
	return e.As(e.TokenWith(t, recipe(t, p.file), nil))
}

func TestEachRecipeAllowsWhatItSaysAndNothingElse(t *testing.T) {
	for _, p := range policies {
		t.Run(p.file, func(t *testing.T) {
			e := mounted(t)
			asked := p.token(t, e)
			before := prepared(t, e)
			each(func(path string, m surface.Method, own bool) {
				if op, documented := surface.Find(path, m); !documented || !p.allows(op, own) {
					p.refuses(t, asked, before.key(own), path, m, own)
				}
			})
			e.WantStored(t, before.stored)
			each(func(path string, m surface.Method, own bool) {
				if op, documented := surface.Find(path, m); documented && p.allows(op, own) {
					k := before.key(own)
					if op.Consumes() {
						k = e.Issue(t, k.Role, k.Owner)
					}
					p.permits(t, asked, op, m, k)
				}
			})
		})
	}
}

// before is a mount with a key that the recipes speak of, and one that they do not.
type before struct {
	own, other surface.Key
	stored     map[string]string
}

func prepared(t *testing.T, e surface.Engine) before {
	t.Helper()
	b := before{own: e.Issue(t, "web", "acme"), other: e.Issue(t, "admin", "umbrella")}
	b.stored = e.Stored(t)
	return b
}

func (b before) key(own bool) surface.Key {
	if own {
		return b.own
	}
	return b.other
}

// each visits every path with every method, for the key that the recipes speak of and for the other.
func each(visit func(path string, m surface.Method, own bool)) {
	for _, path := range surface.Paths() {
		for _, m := range surface.Methods() {
			visit(path, m, true)
			visit(path, m, false)
		}
	}
}

func (p policy) refuses(t *testing.T, asked surface.Engine, k surface.Key, path string, m surface.Method, own bool) {
	t.Helper()
	op, documented := surface.Find(path, m)
	if !documented {
		op = surface.Operation{Path: path, Body: fields{"key": k.Text, "role": k.Role}}
	}
	r := asked.Try(t, m, op, k, nil)
	byTheEngine := p.broad(path, own) && slices.Contains([]int{400, 404, 405}, r.Status)
	if r.Status != 403 && !byTheEngine {
		t.Errorf("%s %s%s for the key of %s: %d, wanted 403: %s", m.Name, path, m.Query, k.Owner, r.Status, r.Raw)
	}
}

func (p policy) permits(t *testing.T, asked surface.Engine, op surface.Operation, m surface.Method, k surface.Key) {
	t.Helper()
	if r := asked.Try(t, m, op, k, nil); r.Status != op.Status {
		t.Errorf("%s %s%s for a key of %s: %d, wanted %d: %s", m.Name, op.Path, m.Query, k.Owner, r.Status, op.Status, r.Raw)
	}
}

func TestEveryRecipeIsHeldAgainstTheSurface(t *testing.T) {
	files, err := os.ReadDir("../recipes/policies")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.ContainsFunc(policies, func(p policy) bool { return p.file == f.Name() }) {
			t.Errorf("no test holds the policy %s against the engine", f.Name())
		}
	}
}

func TestAGatewaysPolicyTellsNothingAboutKeysOfOtherRoles(t *testing.T) {
	e := mounted(t)
	gateway := e.As(e.TokenWith(t, recipe(t, "gateway.hcl"), nil))
	own, other := e.Issue(t, "web", "acme"), e.Issue(t, "admin", "acme")
	if d := gateway.Write(t, "verify/web", fields{"key": own.Text}); d["code"] != "valid" {
		t.Errorf("a key of its role is %v", d["code"])
	}
	if d := gateway.Write(t, "verify/web", fields{"key": other.Text}); d["code"] != "invalid" || len(d) != 3 {
		t.Errorf("a key of another role is answered with %v", d)
	}
	gateway.Want(t, 200, "GET", "authorize/web", nil, "X-API-Key: "+own.Text)
	r := gateway.Want(t, 401, "GET", "authorize/web", nil, "X-API-Key: "+other.Text)
	if nonsense := gateway.Want(t, 401, "GET", "authorize/web", nil, "X-API-Key: nonsense"); !sameAnswer(r, nonsense) {
		t.Errorf("a key of another role is answered with %s, nonsense with %s", r.Raw, nonsense.Raw)
	}
}
