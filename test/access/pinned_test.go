package access

import (
	"testing"
)

// What a row's status may be, besides a status.
const (
	either = 0 // 400 of the engine or 403 of Vault
	vaults = 1 // a refusal that Vault gives with a status of its choice
)

func TestAPolicyCanPinTheRoleOfIssue(t *testing.T) {
	e := mounted(t)
	asked := e.As(e.TokenWith(t, recipe(t, "pinned.hcl"), nil))
	for name, row := range map[string]struct {
		path   string
		body   any
		status int
	}{
		"the role":                          {"issue", `{"role": "web", "owner": "acme"}`, 200},
		"the role, and another in a query":  {"issue?role=admin", `{"role": "web"}`, 200},
		"another role":                      {"issue", `{"role": "admin"}`, 403},
		"no role":                           {"issue", `{"owner": "acme"}`, 403},
		"no data":                           {"issue", nil, 403},
		"the role in a query only":          {"issue?role=web", `{}`, 403},
		"another role in a query only":      {"issue?role=admin", `{"owner": "acme"}`, 403},
		"another role in capitals":          {"issue", `{"role": "ADMIN"}`, 403},
		"the role in capitals":              {"issue", `{"role": "WEB"}`, 403},
		"another name of the parameter":     {"issue", `{"Role": "admin"}`, 403},
		"both names, the other role second": {"issue", `{"role": "web", "Role": "admin"}`, 403},
		"both names, the same role":         {"issue", `{"role": "web", "Role": "web"}`, 400},
		"another parameter":                 {"issue", `{"role": "web", "ttl": "1h"}`, 403},
		"a list of the role":                {"issue", `{"role": ["web"]}`, either},
		"a list of both roles":              {"issue", `{"role": ["web", "admin"]}`, either},
		"a list of another role":            {"issue", `{"role": ["admin"]}`, either},
		"an object":                         {"issue", `{"role": {"web": "admin"}}`, either},
		"null":                              {"issue", `{"role": null}`, either},
		"a number":                          {"issue", `{"role": 1}`, either},
		"twice, the other role first":       {"issue", `{"role": "admin", "role": "web"}`, vaults},
		"twice, the other role last":        {"issue", `{"role": "web", "role": "admin"}`, vaults},
		"in the path":                       {"issue/web", `{"role": "web"}`, 403},
		"another role in the path":          {"issue/admin", `{"role": "web"}`, 403},
	} {
		before := e.Stored(t)
		r := asked.Ask(t, "POST", row.path, row.body)
		switch {
		case row.status == vaults && r.Status >= 400, row.status == either && (r.Status == 400 || r.Status == 403):
			e.WantStored(t, before)
		case r.Status != row.status:
			t.Errorf("%s: %d, wanted %d: %s", name, r.Status, row.status, r.Raw)
		case r.Status == 200 && r.Data()["role"] != "web":
			t.Errorf("%s: minted a key of %v", name, r.Data()["role"])
		case r.Status != 200:
			e.WantStored(t, before)
		}
	}
}

func TestTheRoleInThePathCannotBeChangedInTheData(t *testing.T) {
	e := mounted(t)
	asked := e.As(e.TokenWith(t, recipe(t, "issuer.hcl"), nil))
	before := e.Stored(t)
	for _, body := range []string{`{"role": "admin"}`, `{"role": ["web"]}`, `{"role": {}}`, `{"role": null}`, `{"role": ""}`, `{"role": "WEB"}`} {
		if r := asked.Ask(t, "POST", "issue/web", body); r.Status != 400 {
			t.Errorf("%s: %d, wanted 400: %s", body, r.Status, r.Raw)
		}
	}
	e.WantStored(t, before)
	for path, body := range map[string]string{"issue/web": `{"role": "web"}`, "issue/web?role=admin": `{}`} {
		if k := asked.Minted(t, path, body); k.Role != "web" {
			t.Errorf("%s %s: minted a key of %s", path, body, k.Role)
		}
	}
}

func TestADenyOnARoleCannotBeSteppedAround(t *testing.T) {
	e := mounted(t)
	asked := e.As(e.TokenWith(t, `
path "apikeys/issue/*"     { capabilities = ["update"] }
path "apikeys/issue/admin" { capabilities = ["deny"] }`, nil))
	before := e.Stored(t)
	for _, path := range []string{
		"issue/admin", "issue/admin/", "issue//admin", "issue/./admin", "issue/x/../admin", "issue/%61dmin",
		"issue/admin%2F", "issue/admin%00", "issue/admin%0a", "issue/admin%20", "issue/ADMIN", "issue/%EF%BD%81dmin", "issue/admin%2E",
	} {
		if r := asked.Ask(t, "POST", path, `{}`); r.Status < 300 || r.Status > 499 {
			t.Errorf("POST %s: %d, wanted a refusal: %s", path, r.Status, r.Raw)
		}
	}
	e.WantStored(t, before)
}
