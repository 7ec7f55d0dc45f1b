package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

func TestARotationKeepsTheKeyAndHandsOver(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{
		"generate_lease": false, "allowed_scopes": []string{"*"}, "ttl": "2h", "prefix": "acme", "grace_period": "10m", "rotation_period": "30m",
	})
	first := e.issue(t, "web", fields{"owner": "acme", "name": "ci", "scopes": []string{"read:users"}, "metadata": fields{"a": "b"}, "ttl": "1h"})
	e.Write(t, "roles/web", fields{"prefix": "other", "ttl": "3h"})

	second := e.Minted(t, "rotate", fields{"key": first.Text})
	wantShape(t, "rotate", second.Data, unleasedShape.with(previousShape))
	surface.WantFields(t, "rotate", second.Data, fields{
		"key_id": first.ID, "version": 2, "hint": "acme_" + first.ID + "_…", "owner": "acme", "name": "ci", "scopes": []string{"read:users"},
		"metadata": fields{"a": "b"}, "previous_version": 1, "rotation_period": 1800, "ttl": 1800, "created_at": first.Data["created_at"],
	})
	read := e.Read(t, "keys/"+first.ID)
	wantKeyRead(t, "keys/:key_id", read)
	v := versions(read)
	if len(v) != 2 {
		t.Fatalf("there are %d versions", len(v))
	}
	surface.WantFields(t, "the newest version", v[0], fields{"version": 2, "status": "active", "superseded_at": "", "valid_until": "", "expires_at": second.Data["expires_at"]})
	surface.WantFields(t, "the one before", v[1], fields{
		"version": 1, "status": "superseded", "superseded_at": v[0]["created_at"], "valid_until": second.Data["previous_valid_until"],
		"expires_at": first.Data["expires_at"],
	})
	rotated := surface.Moment(t, v[0], "created_at")
	if life := surface.Moment(t, second.Data, "expires_at").Sub(rotated); life != time.Hour {
		t.Errorf("a rotation without ttl lives for %s, wanted the lifetime that the key was issued with", life)
	}
	if grace := surface.Moment(t, second.Data, "previous_valid_until").Sub(rotated); grace != 10*time.Minute {
		t.Errorf("the grace is %s", grace)
	}
	if due := surface.Moment(t, second.Data, "rotate_by").Sub(rotated); due != 30*time.Minute {
		t.Errorf("the new version is due after %s", due)
	}
	d := e.WantCode(t, "valid", first.Text)
	surface.WantFields(t, "in grace", d, fields{"superseded": true, "version": 1, "valid_until": second.Data["previous_valid_until"]})
	d = e.WantCode(t, "valid", second.Text)
	surface.WantFields(t, "the newest", d, fields{"superseded": false, "version": 2, "valid_until": ""})
}

func TestAtMostTwoVersionsWorkAndOnlyTheNewestRotates(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.ID, fields{"grace_period": "1h"})
	e.Refused(t, 409, "rotate", fields{"key": one.Text})
	e.Refused(t, 409, "rotate", fields{"key": two.Text, "expected_version": 1}, "expected_version")
	e.Refused(t, 409, "rotate/"+one.ID, fields{"expected_version": 3}, "expected_version")
	three := e.Minted(t, "rotate", fields{"key": two.Text, "expected_version": 2, "grace_period": "1h"})
	e.WantCode(t, "superseded", one.Text)
	e.WantCode(t, "valid", two.Text)
	e.WantCode(t, "valid", three.Text)
	four := e.rotate(t, one.ID, fields{"grace_period": 0})
	e.WantCode(t, "superseded", two.Text)
	e.WantCode(t, "superseded", three.Text)
	e.WantCode(t, "valid", four.Text)
	surface.WantFields(t, "rotate", four.Data, fields{"previous_version": 3})
	if ended := surface.Moment(t, four.Data, "previous_valid_until"); time.Until(ended) > 0 {
		t.Errorf("without a grace the previous version works until %s", ended)
	}
}

func TestTheGraceEndsAtItsSecond(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.ID, fields{"grace_period": 2})
	end := surface.Moment(t, two.Data, "previous_valid_until")
	harness.Eventually(t, patience, "wait for the end of the grace", func() error {
		before := time.Now()
		d := e.Verify(t, one.Text)
		after := time.Now()
		switch {
		case d["valid"] == true && !before.Before(end):
			t.Fatalf("the version works %s after its grace", before.Sub(end))
		case d["valid"] == true:
			return fmt.Errorf("it works until %s", end)
		case d["code"] != "superseded" || after.Before(end):
			t.Fatalf("the version answers %v, %s before the end of its grace", d["code"], end.Sub(after))
		}
		return nil
	})
	e.WantCode(t, "valid", two.Text)
	// A grace never outlives the version itself.
	short := e.issue(t, "web", fields{"ttl": "1m"})
	next := e.rotate(t, short.ID, fields{"grace_period": "1h", "ttl": "2h"})
	surface.WantFields(t, "rotate", next.Data, fields{"previous_valid_until": short.Data["expires_at"]})
}

func TestARotationRevivesNothingAndRefusesWhatTheRoleDoes(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false, "grace_period": "1h", "max_grace_period": "2h"})
	k, gone := e.issue(t, "web", nil), e.issue(t, "web", nil)
	e.Refused(t, 400, "rotate/"+k.ID, fields{"grace_period": "2h1s"}, "max_grace_period")
	e.Refused(t, 400, "rotate/"+k.ID, fields{"key": k.Text}, "key")
	e.Refused(t, 400, "rotate/"+k.ID, fields{"owner": "acme"}, "owner")
	e.Refused(t, 400, "rotate", nil, "key")
	e.Write(t, "keys/"+k.ID, fields{"disabled": true})
	e.Refused(t, 409, "rotate/"+k.ID, nil)
	e.Write(t, "keys/"+k.ID, fields{"disabled": false})
	e.Write(t, "roles/web", fields{"disabled": true})
	e.Refused(t, 409, "rotate", fields{"key": k.Text}, "role is disabled")
	e.Refused(t, 409, "issue/web", nil, "role is disabled")
	e.Write(t, "roles/web", fields{"disabled": false})
	e.Write(t, "revoke/"+k.ID, nil)
	e.Refused(t, 409, "rotate/"+k.ID, nil)
	e.Refused(t, 409, "rotate", fields{"key": k.Text})
	e.Want(t, 204, "DELETE", "keys/"+gone.ID, nil)
	for _, path := range []string{"rotate/" + gone.ID, "rotate/0000000000000000", "rotate/nonsense", "revoke/" + gone.ID, "keys/" + gone.ID} {
		e.Refused(t, 404, path, nil, "key not found")
	}
	for _, text := range []string{gone.Text, "nonsense", k.Text[:len(k.Text)-1]} {
		e.Refused(t, 404, "rotate", fields{"key": text}, "key not found")
		e.Refused(t, 404, "revoke", fields{"key": text}, "key not found")
	}
	e.WantCode(t, "revoked", k.Text)
}

func TestTheHolderEndsAKeyWithAnyVersionThatWorks(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.ID, fields{"grace_period": 0})
	e.Refused(t, 409, "revoke", fields{"key": one.Text}) // an old leak is no lever on its successor
	three := e.rotate(t, one.ID, fields{"grace_period": "1h"})

	first := e.Write(t, "revoke", fields{"key": two.Text, "reason": "found in a log"})
	wantKeyRead(t, "revoke", first)
	surface.WantFields(t, "revoke", first, fields{"status": "revoked", "revoke_reason": "found in a log", "disabled": false})
	wantSame(t, "a read after the revocation", e.Read(t, "keys/"+one.ID), first)
	for _, k := range []key{one, two, three} {
		e.WantCode(t, "revoked", k.Text)
		// Repeated, by whatever version, it changes nothing.
		again := e.Write(t, "revoke", fields{"key": k.Text, "reason": "another"})
		wantSame(t, "a repeated revocation", again, first)
	}
	wantSame(t, "a repeated revocation by id", e.Write(t, "revoke/"+one.ID, fields{"reason": "another"}), first)
	e.Refused(t, 400, "revoke/"+one.ID, fields{"reason": string(make([]byte, 257))})
	if r := e.API(t, "GET", e.path("revoke/"+one.ID), nil); r.Status != http.StatusMethodNotAllowed {
		t.Errorf("a read of revoke answers %d", r.Status)
	}
}
