package e2e

import (
	"regexp"
	"testing"
	"time"
)

func TestIssueAnswersEveryFieldAndAReadShowsTheSame(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/lease", fields{"prefix": "acme_live", "ttl": "1h", "rotation_period": "30m"})
	e.write(t, "roles/free", fields{
		"generate_lease": false, "allowed_scopes": []string{"read:*"}, "bound_cidrs": []string{"10.0.0.0/8", "2001:db8::/32"}, "ttl": "90m",
		"rotation_period": "20m", "metadata": fields{"tier": "gold", "env": "prod"},
	})

	leased := e.issue(t, "lease", nil)
	wantShape(t, "leased", leased.data, leasedShape)
	wantFields(t, "leased", leased.data, fields{
		"version": 1, "hint": "acme_live_" + leased.id + "_…", "role": "lease", "owner": "", "name": "", "scopes": []string{},
		"metadata": fields{}, "bound_cidrs": []string{}, "status": "active", "created_by": fields{"display_name": "root", "entity_id": ""},
	})
	if !regexp.MustCompile(`^acme_live_`+leased.id+`_001[0-9A-Za-z]{60}$`).MatchString(leased.text) || len(leased.id) != 16 {
		t.Error("the key has not the form of the contract")
	}
	created := moment(t, leased.data, "created_at")
	if age := time.Since(created); age < 0 || age > patience {
		t.Errorf("the key was created %s ago", age)
	}
	if life := moment(t, leased.data, "expires_at").Sub(created); life != time.Hour || !about(leased.seconds, 3600) {
		t.Errorf("the key lives for %s, its lease for %d s", life, leased.seconds)
	}
	if due := moment(t, leased.data, "rotate_by").Sub(created); due != 30*time.Minute {
		t.Errorf("the key is due after %s", due)
	}

	free := e.issue(t, "free", fields{
		"owner": "acme", "name": "a label", "ttl": 3000, "scopes": []string{"read:users"}, "bound_cidrs": []string{"10.1.0.0/16", "2001:db8::1"},
		"metadata": fields{"env": "test"},
	})
	wantShape(t, "unleased", free.data, unleasedShape)
	wantFields(t, "unleased", free.data, fields{
		"owner": "acme", "name": "a label", "scopes": []string{"read:users"}, "bound_cidrs": []string{"10.1.0.0/16", "2001:db8::1"},
		"metadata": fields{"env": "test"}, "ttl": 1200, "rotation_period": 1200,
	})
	if free.lease != "" || free.seconds != 0 {
		t.Errorf("an unleased key has the lease %q of %d s", free.lease, free.seconds)
	}

	for _, k := range []key{leased, free} {
		read := e.read(t, "keys/"+k.id)
		wantKeyRead(t, "keys/:key_id", read)
		for name := range keyShape {
			wantFields(t, "keys/:key_id", read, fields{name: k.data[name]})
		}
		wantFields(t, "keys/:key_id", read, fields{"disabled": false, "revoked_at": "", "revoke_reason": ""})
		wantFields(t, "versions", versions(read)[0], fields{
			"version": 1, "status": "active", "created_at": k.data["created_at"], "expires_at": k.data["expires_at"],
			"superseded_at": "", "valid_until": "",
		})
	}
	wantFields(t, "keys/:key_id", e.read(t, "keys/"+leased.id), fields{"ttl": 0})
	wantFields(t, "keys/:key_id", e.read(t, "keys/"+free.id), fields{"ttl": 3000})
}

func TestUnleasedAnswersSayWhenToFetchANewKey(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	for _, c := range []struct {
		ttl, rotation string
		wanted        int
	}{
		{"90m", "0", 3600},
		{"90m", "30m", 1800},
		{"90m", "80m", 3600},
		{"1s", "0", 1},
	} {
		e.write(t, "roles/web", fields{"generate_lease": false, "ttl": c.ttl, "rotation_period": c.rotation})
		k := e.issue(t, "web", nil)
		if number(t, k.data, "ttl") != c.wanted {
			t.Errorf("ttl %s, rotation_period %s: fetch after %v, wanted %d", c.ttl, c.rotation, k.data["ttl"], c.wanted)
		}
	}
}

func TestIssueGrantsNoMoreThanTheRoleAllows(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{
		"allowed_scopes": []string{"read:users", "write:*"}, "default_scopes": []string{"read:users"}, "bound_cidrs": []string{"10.0.0.0/8"},
		"require_owner": true,
	})
	e.refused(t, 400, "issue/web", nil, "owner")
	for _, body := range []fields{
		{"scopes": []string{"read:*"}},
		{"scopes": []string{"*"}},
		{"scopes": "delete:users"},
		{"bound_cidrs": []string{"0.0.0.0/0"}},
		{"bound_cidrs": []string{"10.0.0.0/7"}},
		{"bound_cidrs": []string{"10.0.0.1/8"}}, // host bits
		{"ttl": "-1s"}, {"ttl": "1.5s"}, {"ttl": 0.5}, {"ttl": "11y"}, {"ttl": "0x10"}, {"ttl": "87601h"},
		{"owner": "a/b"}, {"owner": "a..b"}, {"owner": ""},
	} {
		if _, chosen := body["owner"]; !chosen {
			body["owner"] = "acme"
		}
		e.refused(t, 400, "issue/web", body)
	}
	e.refused(t, 404, "issue/nobody", fields{"owner": "acme"}, "role not found")
	e.refused(t, 400, "issue", fields{"owner": "acme"}, "role")
	e.refused(t, 400, "issue/web", fields{"role": "other", "owner": "acme"}, "role")
	for _, field := range []string{"key_id", "expires_at", "created_at", "version", "key", "status", "revoked_at"} {
		e.refused(t, 400, "issue/web", fields{field: "x", "owner": "acme"}, field)
	}
	if r := e.API(t, "LIST", e.path("keys"), nil); r.Status != 404 {
		t.Errorf("after refusals only, there are keys: %s", r.Raw)
	}
	k := e.issue(t, "web", fields{"role": "web", "owner": "acme", "scopes": []string{"write:*"}, "bound_cidrs": "10.1.2.3"})
	wantFields(t, "issue", k.data, fields{"scopes": []string{"write:*"}, "bound_cidrs": []string{"10.1.2.3"}})
	none := e.issue(t, "web", fields{"owner": "acme", "scopes": []string{}})
	wantFields(t, "issue", none.data, fields{"scopes": []string{}})
}

func TestAnEmptyRestrictionIsRefusedAndOnlyAJSONListSaysNone(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"allowed_scopes": []string{"read:*"}, "generate_lease": false})
	k := e.issue(t, "web", fields{"scopes": []string{"read:users"}})
	for _, empty := range []any{"", []string{""}, " , ", []string{"read:users", ""}, nil, fields{}, true, 7} {
		for path, names := range map[string][]string{
			"roles/web":    {"allowed_scopes", "default_scopes", "bound_cidrs"},
			"issue/web":    {"scopes", "bound_cidrs"},
			"keys/" + k.id: {"scopes", "bound_cidrs"},
		} {
			for _, name := range names {
				e.refused(t, 400, path, fields{name: empty}, name)
			}
		}
		e.refused(t, 400, "verify", fields{"key": k.text, "scopes": empty}, "scopes")
	}
	e.refused(t, 400, "verify", fields{"key": k.text, "client_ip": ""}, "client_ip")
	e.refused(t, 400, "verify", fields{"key": k.text, "client_ip": "10.0.0.256"}, "client_ip")
	e.refused(t, 400, "verify", fields{"key": "nonsense", "client_ip": "10.0.0.256"}, "client_ip")
	e.wantCode(t, "valid", k.text, fields{"scopes": []string{}})
	d := e.write(t, "keys/"+k.id, fields{"scopes": []string{}})
	wantFields(t, "update", d, fields{"scopes": []string{}})
}

func TestTheOwnerTemplateNamesTheOwnerAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/self", fields{"owner_template": "{{identity.entity.name}}", "generate_lease": false})
	policy := `path "` + e.path("issue/self") + `" { capabilities = ["update"] }
path "` + e.mount + `/owners/{{identity.entity.name}}/*" { capabilities = ["read", "update", "delete", "list"] }`
	acme := e.as(e.EntityToken(t, e.mount+".acme", policy))
	k := acme.issue(t, "self", nil)
	wantFields(t, "issue", k.data, fields{"owner": e.mount + ".acme"})
	if by, _ := k.data["created_by"].(fields); by["entity_id"] == "" || by["display_name"] == "" {
		t.Errorf("created_by is %v", by)
	}
	acme.refused(t, 400, "issue/self", fields{"owner": "umbrella"}, "owner_template")
	e.refused(t, 400, "issue/self", nil, "owner_template") // root has no entity
	wantFields(t, "owners/…", acme.read(t, "owners/"+e.mount+".acme/keys/"+k.id), fields{"key_id": k.id})
	acme.ask(t, 403, "GET", "owners/umbrella/keys/"+k.id, nil)
}
