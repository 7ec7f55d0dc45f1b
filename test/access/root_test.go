package access

import (
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

const allButSudo = `path "apikeys/*" {
  capabilities = ["create", "read", "update", "patch", "delete", "list"]
}`

func TestPathsOfTheOperatorNeedSudo(t *testing.T) {
	e := mounted(t)
	asked := e.As(e.TokenWith(t, allButSudo, nil))
	before := prepared(t, e)
	for _, path := range []string{"config", "config/x", "config/x/y", "tidy", "stop/owners/{owner}", "stop/roles/{role}", "stop/x", "honeytokens/x", "alerts/x"} {
		for _, m := range surface.Methods() {
			if path == "tidy" && m.Verb == "list" {
				continue // asks for tidy/, which is no path of the engine
			}
			if r := asked.Try(t, m, surface.Operation{Path: path}, before.own, nil); r.Status != 403 {
				t.Errorf("%s %s%s: %d, wanted 403: %s", m.Name, path, m.Query, r.Status, r.Raw)
			}
		}
	}
	e.WantStored(t, before.stored)
	for _, folder := range []string{"honeytokens", "alerts"} {
		asked.Want(t, 403, "LIST", folder, nil)
	}
	asked.Want(t, 200, "GET", "tidy-status", nil)
	asked.Want(t, 200, "GET", "info", nil)
}

func TestWithoutATokenEverythingIsForbidden(t *testing.T) {
	e := mounted(t)
	before := prepared(t, e)
	for name, asked := range map[string]surface.Engine{"no token": e.As(""), "a wrong token": e.As("hvs.wrong")} {
		each(func(path string, m surface.Method, own bool) {
			op, documented := surface.Find(path, m)
			if !documented {
				op = surface.Operation{Path: path}
			}
			if r := asked.Try(t, m, op, before.key(own), nil); r.Status != 403 {
				t.Errorf("%s %s%s with %s: %d, wanted 403: %s", m.Name, path, m.Query, name, r.Status, r.Raw)
			}
		})
	}
	e.WantStored(t, before.stored)
}

func TestTheDefaultPolicyReachesNothing(t *testing.T) {
	e := mounted(t)
	asked := e.As(e.TokenWith(t, "# nothing", nil))
	before := prepared(t, e)
	each(func(path string, m surface.Method, own bool) {
		if r := asked.Try(t, m, surface.Operation{Path: path}, before.key(own), nil); r.Status != 403 {
			t.Errorf("%s %s%s: %d, wanted 403: %s", m.Name, path, m.Query, r.Status, r.Raw)
		}
	})
	e.WantStored(t, before.stored)
}
