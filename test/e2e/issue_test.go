package e2e

import (
	"regexp"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

func TestIssueAnswersEveryFieldAndAReadShowsTheSame(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/lease", fields{"prefix": "acme_live", "ttl": "1h", "rotation_period": "30m"})
	e.Write(t, "roles/free", fields{
		"generate_lease": false, "allowed_scopes": []string{"read:*"}, "bound_cidrs": []string{"10.0.0.0/8", "2001:db8::/32"}, "ttl": "90m",
		"rotation_period": "20m", "metadata": fields{"tier": "gold", "env": "prod"},
	})

	leased := e.issue(t, "lease", nil)
	wantShape(t, "leased", leased.Data, leasedShape)
	surface.WantFields(t, "leased", leased.Data, fields{
		"version": 1, "hint": "acme_live_" + leased.ID + "_…", "role": "lease", "owner": "", "name": "", "scopes": []string{},
		"metadata": fields{}, "bound_cidrs": []string{}, "status": "active", "created_by": fields{"display_name": "root", "entity_id": ""},
	})
	if !regexp.MustCompile(`^acme_live_`+leased.ID+`_001[0-9A-Za-z]{60}$`).MatchString(leased.Text) || len(leased.ID) != 16 {
		t.Error("the key has not the form of the contract")
	}
	created := surface.Moment(t, leased.Data, "created_at")
	if age := time.Since(created); age < 0 || age > patience {
		t.Errorf("the key was created %s ago", age)
	}
	if life := surface.Moment(t, leased.Data, "expires_at").Sub(created); life != time.Hour || !about(leased.Seconds, 3600) {
		t.Errorf("the key lives for %s, its lease for %d s", life, leased.Seconds)
	}
	if due := surface.Moment(t, leased.Data, "rotate_by").Sub(created); due != 30*time.Minute {
		t.Errorf("the key is due after %s", due)
	}

	free := e.issue(t, "free", fields{
		"owner": "acme", "name": "a label", "ttl": 3000, "scopes": []string{"read:users"}, "bound_cidrs": []string{"10.1.0.0/16", "2001:db8::1"},
		"metadata": fields{"env": "test"},
	})
	wantShape(t, "unleased", free.Data, unleasedShape)
	surface.WantFields(t, "unleased", free.Data, fields{
		"owner": "acme", "name": "a label", "scopes": []string{"read:users"}, "bound_cidrs": []string{"10.1.0.0/16", "2001:db8::1"},
		"metadata": fields{"env": "test"}, "ttl": 1200, "rotation_period": 1200,
	})
	if free.Lease != "" || free.Seconds != 0 {
		t.Errorf("an unleased key has the lease %q of %d s", free.Lease, free.Seconds)
	}

	for _, k := range []key{leased, free} {
		read := e.Read(t, "keys/"+k.ID)
		wantKeyRead(t, "keys/:key_id", read)
		for name := range keyShape {
			surface.WantFields(t, "keys/:key_id", read, fields{name: k.Data[name]})
		}
		surface.WantFields(t, "keys/:key_id", read, fields{"disabled": false, "revoked_at": "", "revoke_reason": ""})
		surface.WantFields(t, "versions", versions(read)[0], fields{
			"version": 1, "status": "active", "created_at": k.Data["created_at"], "expires_at": k.Data["expires_at"],
			"superseded_at": "", "valid_until": "",
		})
	}
	surface.WantFields(t, "keys/:key_id", e.Read(t, "keys/"+leased.ID), fields{"ttl": 0})
	surface.WantFields(t, "keys/:key_id", e.Read(t, "keys/"+free.ID), fields{"ttl": 3000})
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
		e.Write(t, "roles/web", fields{"generate_lease": false, "ttl": c.ttl, "rotation_period": c.rotation})
		k := e.issue(t, "web", nil)
		if surface.Number(t, k.Data, "ttl") != c.wanted {
			t.Errorf("ttl %s, rotation_period %s: fetch after %v, wanted %d", c.ttl, c.rotation, k.Data["ttl"], c.wanted)
		}
	}
}

func TestIssueGrantsNoMoreThanTheRoleAllows(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{
		"allowed_scopes": []string{"read:users", "write:*"}, "default_scopes": []string{"read:users"}, "bound_cidrs": []string{"10.0.0.0/8"},
		"require_owner": true,
	})
	e.Refused(t, 400, "issue/web", nil, "owner")
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
		e.Refused(t, 400, "issue/web", body)
	}
	e.Refused(t, 404, "issue/nobody", fields{"owner": "acme"}, "role not found")
	e.Refused(t, 400, "issue", fields{"owner": "acme"}, "role")
	e.Refused(t, 400, "issue/web", fields{"role": "other", "owner": "acme"}, "role")
	for _, field := range []string{"key_id", "expires_at", "created_at", "version", "key", "status", "revoked_at"} {
		e.Refused(t, 400, "issue/web", fields{field: "x", "owner": "acme"}, field)
	}
	if r := e.API(t, "LIST", e.path("keys"), nil); r.Status != 404 {
		t.Errorf("after refusals only, there are keys: %s", r.Raw)
	}
	k := e.issue(t, "web", fields{"role": "web", "owner": "acme", "scopes": []string{"write:*"}, "bound_cidrs": "10.1.2.3"})
	surface.WantFields(t, "issue", k.Data, fields{"scopes": []string{"write:*"}, "bound_cidrs": []string{"10.1.2.3"}})
	none := e.issue(t, "web", fields{"owner": "acme", "scopes": []string{}})
	surface.WantFields(t, "issue", none.Data, fields{"scopes": []string{}})
}

func TestAnEmptyRestrictionIsRefusedAndOnlyAJSONListSaysNone(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"allowed_scopes": []string{"read:*"}, "generate_lease": false})
	k := e.issue(t, "web", fields{"scopes": []string{"read:users"}})
	for _, empty := range []any{"", []string{""}, " , ", []string{"read:users", ""}, nil, fields{}, true, 7} {
		for path, names := range map[string][]string{
			"roles/web":    {"allowed_scopes", "default_scopes", "bound_cidrs"},
			"issue/web":    {"scopes", "bound_cidrs"},
			"keys/" + k.ID: {"scopes", "bound_cidrs"},
		} {
			for _, name := range names {
				e.Refused(t, 400, path, fields{name: empty}, name)
			}
		}
		e.Refused(t, 400, "verify", fields{"key": k.Text, "scopes": empty}, "scopes")
	}
	e.Refused(t, 400, "verify", fields{"key": k.Text, "client_ip": ""}, "client_ip")
	e.Refused(t, 400, "verify", fields{"key": k.Text, "client_ip": "10.0.0.256"}, "client_ip")
	e.Refused(t, 400, "verify", fields{"key": "nonsense", "client_ip": "10.0.0.256"}, "client_ip")
	e.WantCode(t, "valid", k.Text, fields{"scopes": []string{}})
	d := e.Write(t, "keys/"+k.ID, fields{"scopes": []string{}})
	surface.WantFields(t, "update", d, fields{"scopes": []string{}})
}

func TestTheOwnerTemplateNamesTheOwnerAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/self", fields{"owner_template": "{{identity.entity.name}}", "generate_lease": false})
	policy := `path "` + e.path("issue/self") + `" { capabilities = ["update"] }
path "` + e.Mount + `/owners/{{identity.entity.name}}/*" { capabilities = ["read", "update", "delete", "list"] }`
	acme := e.as(e.EntityToken(t, e.Mount+".acme", policy))
	k := acme.issue(t, "self", nil)
	surface.WantFields(t, "issue", k.Data, fields{"owner": e.Mount + ".acme"})
	if by, _ := k.Data["created_by"].(fields); by["entity_id"] == "" || by["display_name"] == "" {
		t.Errorf("created_by is %v", by)
	}
	acme.Refused(t, 400, "issue/self", fields{"owner": "umbrella"}, "owner_template")
	e.Refused(t, 400, "issue/self", nil, "owner_template") // root has no entity
	surface.WantFields(t, "owners/…", acme.Read(t, "owners/"+e.Mount+".acme/keys/"+k.ID), fields{"key_id": k.ID})
	acme.Want(t, 403, "GET", "owners/umbrella/keys/"+k.ID, nil)
}
