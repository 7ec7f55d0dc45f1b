package access

import (
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// narrowRole is one whose tenants may widen nothing.
func narrowRole(t *testing.T, e surface.Engine) {
	t.Helper()
	e.Write(t, "roles/web", fields{"owner_may_widen": []string{}, "allowed_scopes": []string{"*"}})
}

func TestATenantCannotSpeakForTheIssuer(t *testing.T) {
	e := mounted(t)
	narrowRole(t, e)
	acme := e.As(e.EntityToken(t, "acme", recipe(t, "tenants.hcl")))
	k := e.Minted(t, "issue/web", fields{
		"owner": "acme", "scopes": []string{"read:*"}, "bound_cidrs": []string{"10.0.0.0/8"}, "metadata": fields{"plan": "basic"}, "quota": 1000,
	})
	path := "owners/acme/keys/" + k.ID
	before := e.Stored(t)
	for _, body := range []fields{
		{"scopes": []string{"*"}}, {"bound_cidrs": []string{}}, {"quota": 0}, {"quota": 1001}, {"metadata": fields{"plan": "gold"}},
		{"name": "x", "metadata": fields{}}, {"disabled_reason": "without"},
	} {
		acme.Want(t, 400, "POST", path, body)
	}
	e.WantStored(t, before)
	acme.Want(t, 200, "POST", path, fields{"name": "x", "scopes": []string{"read:a"}, "bound_cidrs": []string{"10.0.0.0/16"}, "quota": 10, "metadata": fields{"plan": "basic"}})
	e.Write(t, "roles/web", fields{"owner_may_widen": []string{"metadata"}})
	acme.Want(t, 200, "POST", path, fields{"metadata": fields{"plan": "gold"}})
	acme.Want(t, 400, "POST", path, fields{"quota": 11})
}

func TestATenantCannotLiftTheOperatorsDisabled(t *testing.T) {
	e := mounted(t)
	acme := e.As(e.EntityToken(t, "acme", recipe(t, "tenants.hcl"))) // its role lists all that can be listed
	k := e.Issue(t, "web", "acme")
	path := "owners/acme/keys/" + k.ID
	acme.Write(t, path, fields{"disabled": true, "disabled_reason": "ours"})
	e.WantCode(t, "disabled", k.Text)
	acme.Write(t, path, fields{"disabled": false})
	e.WantCode(t, "valid", k.Text)
	e.Write(t, "keys/"+k.ID, fields{"disabled": true, "disabled_reason": "not paid"})
	acme.Want(t, 400, "POST", path, fields{"disabled": false})
	acme.Want(t, 400, "POST", path, fields{"disabled": true, "disabled_reason": "ours"})
	e.Reload(t)
	acme.Want(t, 400, "POST", path, fields{"disabled": false})
	e.WantCode(t, "disabled", k.Text)
	if d := acme.Want(t, 200, "GET", path, nil).Data(); d["disabled_reason"] != "not paid" || d["disabled_at"] == "" {
		t.Errorf("it reads %v, %v", d["disabled_reason"], d["disabled_at"])
	}
	e.Write(t, "keys/"+k.ID, fields{"disabled": false})
	e.WantCode(t, "valid", k.Text)
}

func TestAHoldersChildSaysNothingInTheIssuersPlace(t *testing.T) {
	e := mounted(t)
	e.Write(t, "roles/web", fields{"metadata": fields{"env": "live"}})
	k := e.Minted(t, "issue/web", fields{"owner": "acme", "metadata": fields{"plan": "basic"}})
	holder := e.As(e.TokenWith(t, `path "`+e.Mount+`/delegate" { capabilities = ["update"] }`, nil))
	for _, pairs := range []fields{{"plan": "gold"}, {"env": "test"}, {"job": "x", "plan": "gold"}} {
		holder.Want(t, 400, "POST", "delegate", fields{"key": k.Text, "metadata": pairs})
	}
	child := holder.Minted(t, "delegate", fields{"key": k.Text, "metadata": fields{"job": "export"}})
	got, _ := e.Write(t, "verify", fields{"key": child.Text})["metadata"].(fields)
	if len(got) != 3 || got["plan"] != "basic" || got["env"] != "live" || got["job"] != "export" {
		t.Errorf("verify shows %v", got)
	}
}
