package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// TestAStaticKeyIsWhatWasDeclared walks through the life of one, under a role that gives out leases.
func TestAStaticKeyIsWhatWasDeclared(t *testing.T) {
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": true, "allowed_scopes": "read:*"})
	const app = "static-keys/app"
	wrote := fields{"role": "web", "owner": "acme", "scopes": []string{"read:a"}, "ttl": 7200, "metadata": fields{"a": "b"}, "quota": 100}
	k := e.Minted(t, app, wrote)
	read := e.Read(t, app)
	if k.Lease != "" {
		t.Error("it is leased")
	}
	delete(k.Data, "key")
	wantSame(t, "the answer and a read", k.Data, read)
	wantSame(t, "by its id", e.Read(t, "keys/"+k.ID), read)
	surface.WantFields(t, "a read", read, wrote)

	e.WantCode(t, "valid", k.Text)
	changed := e.Write(t, app, fields{"scopes": []string{"read:b"}, "role": "web", "owner": "acme"})
	surface.WantFields(t, "a change", changed, fields{"key": surface.Absent, "key_id": k.ID, "version": 1, "scopes": []string{"read:b"}})
	e.Refused(t, 409, app, fields{"owner": "umbrella"}, "owner")
	e.WantCode(t, "valid", k.Text)

	next := e.Minted(t, app+"/rotate", fields{"activation": "first_use"})
	e.Write(t, app+"/rollback", fields{"reason": "the deployment failed"})
	e.WantCode(t, "invalid", next.Text)
	next = e.Minted(t, app+"/rotate", fields{})
	e.Write(t, app+"/finish", fields{})
	e.WantCode(t, "superseded", k.Text)
	e.WantCode(t, "valid", next.Text)

	e.Write(t, "revoke/"+k.ID, fields{"reason": "leaked"})
	e.Want(t, 404, "GET", app, nil)
	surface.WantFields(t, "what ended", e.Read(t, "keys/"+k.ID), fields{"status": "revoked", "static_name": "app"})
	again := e.Minted(t, app, wrote)
	if again.ID == k.ID {
		t.Error("the name has the key that had ended")
	}
	e.Want(t, 204, "DELETE", app, nil)
	e.Want(t, 204, "DELETE", app, nil)
	e.WantCode(t, "invalid", again.Text)
	for path := range e.Stored(t) {
		if path == "static/app" {
			t.Error("the name is still stored")
		}
	}
}

// A policy is asked for create where the name is free, and for update where it has a key.
func TestAPolicyTellsWhoMintsAStaticKeyFromWhoChangesIt(t *testing.T) {
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	with := func(capability string) surface.Engine {
		return e.As(e.TokenWith(t, fmt.Sprintf("path %q { capabilities = [%q] }", e.Mount+"/static-keys/*", capability), nil))
	}
	mints, changes := with("create"), with("update")
	changes.Want(t, 403, "POST", "static-keys/app", fields{"role": "web"})
	k := mints.Minted(t, "static-keys/app", fields{"role": "web"})
	mints.Want(t, 403, "POST", "static-keys/app", fields{"name": "n"})
	changes.Want(t, 200, "POST", "static-keys/app", fields{"name": "n"})
	e.Write(t, "revoke/"+k.ID, fields{})
	changes.Want(t, 403, "POST", "static-keys/app", fields{"role": "web"})
	mints.Minted(t, "static-keys/app", fields{"role": "web"})
}

// TestManyWritersOfANameMakeOneKey at the same time: the others change it, or are told to try again.
func TestManyWritersOfANameMakeOneKey(t *testing.T) {
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	for round := range 5 {
		path := fmt.Sprint("static-keys/app", round)
		answers := make([]harness.Response, 12)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = e.Ask(t, http.MethodPost, path, fields{"role": "web", "name": fmt.Sprint(i)}) })
		}
		all.Wait()
		minted := 0
		for _, r := range answers {
			switch text, _ := r.Data()["key"].(string); {
			case r.Status == 200 && text != "":
				minted++
				e.WantCode(t, "valid", text)
			case r.Status != 200 && r.Status != 409:
				t.Errorf("a write answers %d %s", r.Status, r.Raw)
			}
		}
		if minted != 1 {
			t.Errorf("%d keys were minted for one name", minted)
		}
	}
	if list := e.Want(t, 200, "LIST", "keys", nil).Data()["keys"].([]any); len(list) != 5 {
		t.Errorf("%d keys are stored for 5 names", len(list))
	}
}
