package requests

import (
	"fmt"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// everyRequest visits each operation with each method that asks for it.
func everyRequest(visit func(op surface.Operation, m surface.Method)) {
	for _, op := range surface.Operations() {
		for _, m := range surface.Methods() {
			if m.Does(op) {
				visit(op, m)
			}
		}
	}
}

func TestAnUnknownParameterIsNamedAndNothingHappens(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	before := e.Stored(t)
	everyRequest(func(op surface.Operation, m surface.Method) {
		for _, name := range []string{"bound_cidr", "scope", "list_all", "force", "v", "http_status_code"} {
			r := e.Try(t, m, op, k, fields{name: "x"})
			if r.Status != 400 || !strings.Contains(r.Errors(), fmt.Sprintf("unknown parameter %q", name)) {
				t.Errorf("%s %s%s with %s: %d: %s", m.Name, op.Path, m.Query, name, r.Status, shown(r))
			}
		}
	})
	e.WantStored(t, before)
	if state := e.Want(t, 200, "GET", "tidy-status", nil).Data()["state"]; state != "never" {
		t.Errorf("a refused tidy is %v", state)
	}
}

// answered are the fields of answers. What an operation also takes is left out for it.
var answered = []string{
	"key_id", "version", "hint", "role", "owner", "name", "scopes", "metadata", "bound_cidrs", "status", "created_at", "expires_at", "rotate_by", "created_by",
	"key", "ttl", "rotation_period", "previous_version", "previous_valid_until", "disabled", "disabled_at", "disabled_reason", "revoked_at", "revoke_reason", "versions", "hash", "prefix",
	"role_uid", "uid", "key_pattern", "valid", "code", "http_status", "valid_until", "superseded", "generation", "parent", "lease_id", "storage_format", "keys",
}

// taken are the parameters of each operation that changes something, with those in its path.
var taken = map[string]string{
	"config update":                   "default_prefix",
	"roles/{role} update":             "role prefix ttl rotation_period metadata bound_cidrs disabled",
	"roles/{new_role} create":         "prefix ttl rotation_period metadata bound_cidrs disabled",
	"issue update":                    "role owner name scopes metadata bound_cidrs ttl",
	"issue/{role} update":             "role owner name scopes metadata bound_cidrs ttl",
	"rotate update":                   "key ttl",
	"revoke update":                   "key",
	"keys/{key_id} update":            "key_id name scopes metadata bound_cidrs disabled disabled_reason",
	"rotate/{key_id} update":          "key_id ttl",
	"rotate/{key_id}/rollback update": "key_id",
	"rotate/{key_id}/finish update":   "key_id",
	"owners/{owner}/keys/{key_id}/rotate/rollback update": "owner key_id",
	"owners/{owner}/keys/{key_id}/rotate/finish update":   "owner key_id",
	"revoke/{key_id} update":                              "key_id",
	"owners/{owner}/keys/{key_id} update":                 "owner key_id name scopes metadata bound_cidrs disabled disabled_reason",
	"owners/{owner}/keys/{key_id}/rotate update":          "owner key_id ttl",
	"owners/{owner}/keys/{key_id}/revoke update":          "owner key_id",
	"verify update":                            "key scopes",
	"verify/{role} update":                     "key scopes role",
	"authorize update":                         "key scopes",
	"authorize/{role} update":                  "key scopes role",
	"delegate update":                          "key name scopes metadata bound_cidrs ttl",
	"stop/owners/{owner} update":               "owner",
	"stop/roles/{role} update":                 "role",
	"static-keys/{new_static} create":          "role owner name scopes metadata bound_cidrs ttl disabled disabled_reason",
	"static-keys/{new_static}/rotate update":   "ttl",
	"static-keys/{new_static}/rollback update": "",
	"static-keys/{new_static}/finish update":   "",
	"honeytokens/{honeytoken} create":          "role",
	"gate/changes update":                      "",
	"gate/reserve/{role} update":               "role",
	"gate/report/{role} update":                "role",
	"gate/resolve update":                      "keys",
	"gate/resolve/{role} update":               "keys role",
	"gate/confirm update":                      "",
	"tidy update":                              "",
}

func TestWhatACallerMayNotSetIsUnknown(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	before := e.Stored(t)
	for _, op := range surface.Operations() {
		if op.Verb != "update" && op.Verb != "create" {
			continue
		}
		takes, listed := taken[op.Path+" "+op.Verb]
		if !listed {
			t.Errorf("%s %s is not in the table", op.Path, op.Verb)
		}
		for _, name := range answered {
			switch {
			case contains(takes, name):
			case op.Path == "roles/{new_role}" && name == "role":
				wantRefused(t, e, 400, "roles/fresh", fields{"role": "x"}, "role stands in the path")
			default:
				wantUnknown(t, e, op, k, name)
			}
		}
	}
	e.WantStored(t, before)
}

func contains(names, name string) bool { return strings.Contains(" "+names+" ", " "+name+" ") }

func wantUnknown(t *testing.T, e surface.Engine, op surface.Operation, k surface.Key, name string) {
	t.Helper()
	for _, m := range surface.Methods() {
		if !m.Does(op) {
			continue
		}
		r := e.Try(t, m, op, k, fields{name: "x"})
		if r.Status != 400 || !strings.Contains(r.Errors(), fmt.Sprintf("unknown parameter %q", name)) {
			t.Errorf("%s %s with %s: %d: %s", m.Name, op.Path, name, r.Status, shown(r))
		}
	}
}

// captured are the names that stand in paths.
var captured = []string{"role", "owner", "key_id"}

func TestANameInThePathAndDifferentlyInTheDataIsRefused(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	before := e.Stored(t)
	everyRequest(func(op surface.Operation, m surface.Method) {
		for _, name := range captured {
			if !strings.Contains(op.Path, "{"+name+"}") {
				continue
			}
			values := []any{"other", "", "WEB"}
			if m.Verb == "update" {
				values = append(values, nil, 7, true, []string{k.Fill("{" + name + "}")}, fields{})
			}
			for _, value := range values {
				r := e.Try(t, m, op, k, fields{name: value})
				if r.Status != 400 || !strings.Contains(r.Errors(), name+" stands in the path and, differently, in the data") {
					t.Errorf("%s %s%s with %s=%v: %d: %s", m.Name, op.Path, m.Query, name, value, r.Status, shown(r))
				}
			}
		}
	})
	e.WantStored(t, before)
}

func TestTheNameOfThePathMayBeRepeatedInTheData(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	everyRequest(func(op surface.Operation, m surface.Method) {
		for _, name := range captured {
			if !strings.Contains(op.Path, "{"+name+"}") {
				continue
			}
			fresh := k
			if op.Consumes() {
				fresh = e.Issue(t, "web", "acme")
			}
			r := e.Try(t, m, op, fresh, fields{name: fresh.Fill("{" + name + "}")})
			if r.Status != op.Status {
				t.Errorf("%s %s%s with %s: %d, wanted %d: %s", m.Name, op.Path, m.Query, name, r.Status, op.Status, shown(r))
			}
		}
	})
}

func TestAHundredParametersAreRefused(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	many := fields{}
	for i := range 100 {
		many[fmt.Sprintf("parameter_%d", i)] = "x"
	}
	before := e.Stored(t)
	everyRequest(func(op surface.Operation, m surface.Method) {
		if r := e.Try(t, m, op, k, many); r.Status != 400 {
			t.Errorf("%s %s%s: %d: %s", m.Name, op.Path, m.Query, r.Status, shown(r))
		}
	})
	e.WantStored(t, before)
}
