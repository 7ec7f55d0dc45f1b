// Package surface is what the engine offers, as its contract lists it: every path, every operation, and of each a
// request that works. Tests that must hold for all of it walk this list, and one holds the list against what the
// engine says of itself.
package surface

import (
	"net/http"
	"slices"
	"strings"
)

// Fields are parameters, or the data of an answer.
type Fields = map[string]any

// Operation is one thing that the engine does. In Path, Body and Headers {role}, {owner}, {key_id} and {key} stand for
// those of a live key, {new_role} and {new_static} for a name that no role, and no key, has; {honeytoken},
// {alert} and {gate} for one that none has.
type Operation struct {
	Path    string
	Verb    string // the capability that a policy grants it by: read, list, create, update, delete
	Body    Fields
	Headers []string
	Status  int // when it works
}

var (
	presented  = Fields{"key": "{key}"}
	withHeader = []string{"X-API-Key: {key}"}
)

// Consumes tells whether the operation works only once on the same key.
func (o Operation) Consumes() bool {
	return o.Verb == "delete" || strings.Contains(o.Path, "rotate") || strings.Contains(o.Path, "revoke") || strings.HasPrefix(o.Path, "stop/")
}

// Operations are all. The last ones end more than one key.
func Operations() []Operation {
	return slices.Concat(ofMount(), ofHolders(), ofKeys("keys", "rotate/{key_id}", "revoke/{key_id}"), ofOwners(), ofStatic(), stops())
}

func stops() []Operation {
	return []Operation{
		{Path: "stop/owners/{owner}", Verb: "update", Body: Fields{"reason": "a test"}, Status: 200},
		{Path: "stop/roles/{role}", Verb: "update", Body: Fields{"reason": "a test"}, Status: 200},
	}
}

func ofMount() []Operation {
	return []Operation{
		{Path: "config", Verb: "read", Status: 200},
		{Path: "config", Verb: "update", Body: Fields{"default_prefix": "vak"}, Status: 200},
		{Path: "roles", Verb: "list", Status: 200},
		{Path: "roles/{role}", Verb: "read", Status: 200},
		{Path: "roles/{role}", Verb: "update", Body: Fields{"description": "changed"}, Status: 200},
		{Path: "roles/{new_role}", Verb: "create", Body: Fields{"generate_lease": false}, Status: 200},
		{Path: "roles/{new_role}", Verb: "delete", Status: 204},
		{Path: "tidy", Verb: "update", Status: 200},
		{Path: "tidy-status", Verb: "read", Status: 200},
		{Path: "info", Verb: "read", Status: 200},
		{Path: "usage", Verb: "read", Status: 200},
		{Path: "metrics", Verb: "read", Status: 200},
		{Path: "honeytokens/{honeytoken}", Verb: "create", Body: Fields{"role": "{role}"}, Status: 200},
		{Path: "honeytokens/{honeytoken}", Verb: "read", Status: 404},
		{Path: "honeytokens/{honeytoken}", Verb: "delete", Status: 204},
		{Path: "honeytokens", Verb: "list", Status: 200},
		{Path: "alerts/{alert}", Verb: "read", Status: 404},
		{Path: "alerts/{alert}", Verb: "delete", Status: 204},
		{Path: "alerts", Verb: "list", Status: 404},
		{Path: "gate/changes", Verb: "update", Body: Fields{"gate": "edge-1", "run": "r1"}, Status: 200},
		{Path: "gate/resolve", Verb: "update", Body: Fields{"key_ids": "{key_id}"}, Status: 200},
		{Path: "gate/resolve/{role}", Verb: "update", Body: Fields{"key_ids": "{key_id}"}, Status: 200},
		{Path: "gate/confirm", Verb: "update", Body: Fields{"known": "{key_id}AAAAAAAAAAAA"}, Status: 200},
		{Path: "gate/reserve/{role}", Verb: "update", Body: Fields{"gate": "edge-1", "run": "r1", "want": []any{Fields{"key_id": "{key_id}", "need": 1}}}, Status: 200},
		{Path: "gate/report/{role}", Verb: "update", Body: Fields{"gate": "edge-1", "run": "r1", "sequence": 1, "uses": []any{Fields{"code": "invalid", "count": 1, "at": 1}}}, Status: 200},
		{Path: "gates/{gate}", Verb: "read", Status: 404},
		{Path: "gates", Verb: "list", Status: 200}, // after that
		{Path: "usage/owners/{owner}", Verb: "read", Status: 200},
		{Path: "usage/keys/{key_id}", Verb: "read", Status: 200},
	}
}

func ofHolders() []Operation {
	return []Operation{
		{Path: "issue", Verb: "update", Body: Fields{"role": "{role}", "owner": "{owner}"}, Status: 200},
		{Path: "issue/{role}", Verb: "update", Body: Fields{"owner": "{owner}"}, Status: 200},
		{Path: "rotate", Verb: "update", Body: presented, Status: 200},
		{Path: "revoke", Verb: "update", Body: presented, Status: 200},
		{Path: "verify", Verb: "update", Body: presented, Status: 200},
		{Path: "verify", Verb: "read", Headers: withHeader, Status: 200},
		{Path: "verify/{role}", Verb: "update", Body: presented, Status: 200},
		{Path: "verify/{role}", Verb: "read", Headers: withHeader, Status: 200},
		{Path: "authorize", Verb: "update", Body: presented, Status: 200},
		{Path: "authorize", Verb: "read", Headers: withHeader, Status: 200},
		{Path: "authorize/{role}", Verb: "update", Body: presented, Status: 200},
		{Path: "authorize/{role}", Verb: "read", Headers: withHeader, Status: 200},
		{Path: "delegate", Verb: "update", Body: presented, Status: 200},
	}
}

func ofOwners() []Operation {
	const keys = "owners/{owner}/keys"
	owners := Operation{Path: "owners", Verb: "list", Status: 200}
	return append(ofKeys(keys, keys+"/{key_id}/rotate", keys+"/{key_id}/revoke"), owners)
}

// ofStatic are those of a static name that is free, but for what makes its key.
func ofStatic() []Operation {
	const name = "static-keys/{new_static}"
	return []Operation{
		{Path: name, Verb: "create", Body: Fields{"role": "{role}", "owner": "{owner}"}, Status: 200},
		{Path: name, Verb: "read", Status: 404},
		{Path: name, Verb: "delete", Status: 204},
		{Path: "static-keys", Verb: "list", Status: 200},
		{Path: name + "/rotate", Verb: "update", Status: 404},
		{Path: name + "/rollback", Verb: "update", Status: 404},
		{Path: name + "/finish", Verb: "update", Status: 404},
	}
}

// ofKeys are those of keys that the path names.
func ofKeys(folder, rotate, revoke string) []Operation {
	return []Operation{
		{Path: folder, Verb: "list", Status: 200},
		{Path: folder + "/{key_id}", Verb: "read", Status: 200},
		{Path: folder + "/{key_id}", Verb: "update", Body: Fields{"name": "changed"}, Status: 200},
		{Path: folder + "/{key_id}", Verb: "delete", Status: 204},
		{Path: rotate, Verb: "update", Body: Fields{"grace_period": "1h"}, Status: 200},
		{Path: rotate + "/rollback", Verb: "update", Status: 409}, // of a key that was not rotated
		{Path: rotate + "/finish", Verb: "update", Status: 409},
		{Path: revoke, Verb: "update", Body: Fields{"reason": "a test"}, Status: 200},
	}
}

// Paths are the paths of the operations, each once.
func Paths() (paths []string) {
	for _, op := range Operations() {
		if !slices.Contains(paths, op.Path) {
			paths = append(paths, op.Path)
		}
	}
	return paths
}

// Method is one way to send a request.
type Method struct {
	Name    string
	Query   string
	Headers []string
	Verb    string // what Vault takes it for; create where an update finds nothing to update
}

// Methods are all that Vault tells apart.
func Methods() []Method {
	return []Method{
		{Name: http.MethodGet, Verb: "read"},
		{Name: http.MethodGet, Query: "?list=true", Verb: "list"},
		{Name: "LIST", Verb: "list"},
		{Name: http.MethodPost, Verb: "update"},
		{Name: http.MethodPut, Verb: "update"},
		{Name: http.MethodPatch, Headers: []string{"Content-Type: application/merge-patch+json"}, Verb: "patch"},
		{Name: http.MethodDelete, Verb: "delete"},
	}
}

// Does tells whether the method asks for the operation.
func (m Method) Does(op Operation) bool {
	return m.Verb == op.Verb || m.Verb == "update" && op.Verb == "create"
}

// Find is the operation that the method asks for on a path.
func Find(path string, m Method) (Operation, bool) {
	for _, op := range Operations() {
		if op.Path == path && m.Does(op) {
			return op, true
		}
	}
	return Operation{}, false
}
