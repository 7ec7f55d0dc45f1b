package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

func TestARotationKeepsTheKeyAndHandsOver(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{
		"generate_lease": false, "allowed_scopes": []string{"*"}, "ttl": "2h", "prefix": "acme", "grace_period": "10m", "rotation_period": "30m",
	})
	first := e.issue(t, "web", fields{"owner": "acme", "name": "ci", "scopes": []string{"read:users"}, "metadata": fields{"a": "b"}, "ttl": "1h"})
	e.write(t, "roles/web", fields{"prefix": "other", "ttl": "3h"})

	second := e.minted(t, "rotate", fields{"key": first.text})
	wantShape(t, "rotate", second.data, unleasedShape.with(previousShape))
	wantFields(t, "rotate", second.data, fields{
		"key_id": first.id, "version": 2, "hint": "acme_" + first.id + "_…", "owner": "acme", "name": "ci", "scopes": []string{"read:users"},
		"metadata": fields{"a": "b"}, "previous_version": 1, "rotation_period": 1800, "ttl": 1800, "created_at": first.data["created_at"],
	})
	read := e.read(t, "keys/"+first.id)
	wantKeyRead(t, "keys/:key_id", read)
	v := versions(read)
	if len(v) != 2 {
		t.Fatalf("there are %d versions", len(v))
	}
	wantFields(t, "the newest version", v[0], fields{"version": 2, "status": "active", "superseded_at": "", "valid_until": "", "expires_at": second.data["expires_at"]})
	wantFields(t, "the one before", v[1], fields{
		"version": 1, "status": "superseded", "superseded_at": v[0]["created_at"], "valid_until": second.data["previous_valid_until"],
		"expires_at": first.data["expires_at"],
	})
	rotated := moment(t, v[0], "created_at")
	if life := moment(t, second.data, "expires_at").Sub(rotated); life != time.Hour {
		t.Errorf("a rotation without ttl lives for %s, wanted the lifetime that the key was issued with", life)
	}
	if grace := moment(t, second.data, "previous_valid_until").Sub(rotated); grace != 10*time.Minute {
		t.Errorf("the grace is %s", grace)
	}
	if due := moment(t, second.data, "rotate_by").Sub(rotated); due != 30*time.Minute {
		t.Errorf("the new version is due after %s", due)
	}
	d := e.wantCode(t, "valid", first.text)
	wantFields(t, "in grace", d, fields{"superseded": true, "version": 1, "valid_until": second.data["previous_valid_until"]})
	d = e.wantCode(t, "valid", second.text)
	wantFields(t, "the newest", d, fields{"superseded": false, "version": 2, "valid_until": ""})
}

func TestAtMostTwoVersionsWorkAndOnlyTheNewestRotates(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"generate_lease": false})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.id, fields{"grace_period": "1h"})
	e.refused(t, 409, "rotate", fields{"key": one.text})
	e.refused(t, 409, "rotate", fields{"key": two.text, "expected_version": 1}, "expected_version")
	e.refused(t, 409, "rotate/"+one.id, fields{"expected_version": 3}, "expected_version")
	three := e.minted(t, "rotate", fields{"key": two.text, "expected_version": 2, "grace_period": "1h"})
	e.wantCode(t, "superseded", one.text)
	e.wantCode(t, "valid", two.text)
	e.wantCode(t, "valid", three.text)
	four := e.rotate(t, one.id, fields{"grace_period": 0})
	e.wantCode(t, "superseded", two.text)
	e.wantCode(t, "superseded", three.text)
	e.wantCode(t, "valid", four.text)
	wantFields(t, "rotate", four.data, fields{"previous_version": 3})
	if ended := moment(t, four.data, "previous_valid_until"); time.Until(ended) > 0 {
		t.Errorf("without a grace the previous version works until %s", ended)
	}
}

func TestTheGraceEndsAtItsSecond(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"generate_lease": false})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.id, fields{"grace_period": 2})
	end := moment(t, two.data, "previous_valid_until")
	harness.Eventually(t, patience, "wait for the end of the grace", func() error {
		before := time.Now()
		d := e.verify(t, one.text)
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
	e.wantCode(t, "valid", two.text)
	// A grace never outlives the version itself.
	short := e.issue(t, "web", fields{"ttl": "1m"})
	next := e.rotate(t, short.id, fields{"grace_period": "1h", "ttl": "2h"})
	wantFields(t, "rotate", next.data, fields{"previous_valid_until": short.data["expires_at"]})
}

func TestARotationRevivesNothingAndRefusesWhatTheRoleDoes(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"generate_lease": false, "grace_period": "1h", "max_grace_period": "2h"})
	k, gone := e.issue(t, "web", nil), e.issue(t, "web", nil)
	e.refused(t, 400, "rotate/"+k.id, fields{"grace_period": "2h1s"}, "max_grace_period")
	e.refused(t, 400, "rotate/"+k.id, fields{"key": k.text}, "key")
	e.refused(t, 400, "rotate/"+k.id, fields{"owner": "acme"}, "owner")
	e.refused(t, 400, "rotate", nil, "key")
	e.write(t, "keys/"+k.id, fields{"disabled": true})
	e.refused(t, 409, "rotate/"+k.id, nil)
	e.write(t, "keys/"+k.id, fields{"disabled": false})
	e.write(t, "roles/web", fields{"disabled": true})
	e.refused(t, 409, "rotate", fields{"key": k.text}, "role is disabled")
	e.refused(t, 409, "issue/web", nil, "role is disabled")
	e.write(t, "roles/web", fields{"disabled": false})
	e.write(t, "revoke/"+k.id, nil)
	e.refused(t, 409, "rotate/"+k.id, nil)
	e.refused(t, 409, "rotate", fields{"key": k.text})
	e.ask(t, 204, "DELETE", "keys/"+gone.id, nil)
	for _, path := range []string{"rotate/" + gone.id, "rotate/0000000000000000", "rotate/nonsense", "revoke/" + gone.id, "keys/" + gone.id} {
		e.refused(t, 404, path, nil, "key not found")
	}
	for _, text := range []string{gone.text, "nonsense", k.text[:len(k.text)-1]} {
		e.refused(t, 404, "rotate", fields{"key": text}, "key not found")
		e.refused(t, 404, "revoke", fields{"key": text}, "key not found")
	}
	e.wantCode(t, "revoked", k.text)
}

func TestTheHolderEndsAKeyWithAnyVersionThatWorks(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"generate_lease": false})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.id, fields{"grace_period": 0})
	e.refused(t, 409, "revoke", fields{"key": one.text}) // an old leak is no lever on its successor
	three := e.rotate(t, one.id, fields{"grace_period": "1h"})

	first := e.write(t, "revoke", fields{"key": two.text, "reason": "found in a log"})
	wantKeyRead(t, "revoke", first)
	wantFields(t, "revoke", first, fields{"status": "revoked", "revoke_reason": "found in a log", "disabled": false})
	wantSame(t, "a read after the revocation", e.read(t, "keys/"+one.id), first)
	for _, k := range []key{one, two, three} {
		e.wantCode(t, "revoked", k.text)
		// Repeated, by whatever version, it changes nothing.
		again := e.write(t, "revoke", fields{"key": k.text, "reason": "another"})
		wantSame(t, "a repeated revocation", again, first)
	}
	wantSame(t, "a repeated revocation by id", e.write(t, "revoke/"+one.id, fields{"reason": "another"}), first)
	e.refused(t, 400, "revoke/"+one.id, fields{"reason": string(make([]byte, 257))})
	if r := e.API(t, "GET", e.path("revoke/"+one.id), nil); r.Status != http.StatusMethodNotAllowed {
		t.Errorf("a read of revoke answers %d", r.Status)
	}
}
