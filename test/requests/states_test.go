package requests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

const noID = "0000000000000000"

func TestWhatDoesNotExistIsNotFound(t *testing.T) {
	e := mounted(t)
	before := e.Stored(t)
	wantRefused(t, e, 404, "issue", fields{"role": "absent"}, "role not found")
	wantRefused(t, e, 404, "issue/absent", fields{"owner": "acme"}, "role not found")
	for _, id := range []string{noID, "x", strings.Repeat("0", 17)} {
		for _, path := range []string{"rotate/" + id, "revoke/" + id, "keys/" + id, "owners/acme/keys/" + id, "owners/acme/keys/" + id + "/rotate", "owners/acme/keys/" + id + "/revoke"} {
			wantRefused(t, e, 404, path, fields{}, "key not found")
		}
		for _, path := range []string{"keys/" + id, "owners/acme/keys/" + id} {
			if r := e.Want(t, 404, "GET", path, nil); !strings.Contains(r.Errors(), "key not found") {
				t.Errorf("GET %s: %s", path, shown(r))
			}
			e.Want(t, 204, "DELETE", path, nil)
		}
	}
	e.Want(t, 404, "GET", "roles/absent", nil)
	e.Want(t, 204, "DELETE", "roles/absent", nil)
	for _, path := range []string{"keys", "owners", "owners/acme/keys"} {
		e.Want(t, 404, "LIST", path, nil)
	}
	for _, path := range []string{"", "absent", "keys/a/b", "verify/a/b", "info/x", "owners/acme", "owners/acme/keys/" + noID + "/verify"} {
		e.Want(t, 404, "GET", path, nil)
	}
	e.WantStored(t, before)
}

// conflict is a request that the state of things forbids.
func conflict(t *testing.T, e surface.Engine, path string, body fields, text string) {
	t.Helper()
	before := e.Stored(t)
	wantRefused(t, e, 409, path, body, text)
	e.WantStored(t, before)
}

func TestOnlyAnActiveKeyIsRotated(t *testing.T) {
	e := mounted(t)
	const notActive = "the key is not active"
	revoked, disabled := e.Issue(t, "web", "acme"), e.Issue(t, "web", "acme")
	e.Write(t, "revoke/"+revoked.ID, nil)
	e.Write(t, "keys/"+disabled.ID, fields{"disabled": true})
	for _, k := range []surface.Key{revoked, disabled} {
		conflict(t, e, "rotate", fields{"key": k.Text}, notActive)
		conflict(t, e, "rotate/"+k.ID, fields{}, notActive)
		conflict(t, e, "owners/acme/keys/"+k.ID+"/rotate", fields{}, notActive)
		conflict(t, e, "rotate/"+k.ID, fields{"expected_version": 1}, notActive)
	}
	e.Write(t, "keys/"+disabled.ID, fields{"disabled": false})
	e.Write(t, "rotate/"+disabled.ID, nil)
}

func TestARotationRefusesAnotherVersionThanExpected(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	for _, version := range []any{0, 2, "7", 4294967297, 9007199254740992} {
		conflict(t, e, "rotate", fields{"key": k.Text, "expected_version": version}, "expected_version")
		conflict(t, e, "rotate/"+k.ID, fields{"expected_version": version}, "expected_version")
		conflict(t, e, "owners/acme/keys/"+k.ID+"/rotate", fields{"expected_version": version}, "expected_version")
	}
	e.Write(t, "rotate/"+k.ID, fields{"expected_version": 1})
	conflict(t, e, "rotate/"+k.ID, fields{"expected_version": 1}, "expected_version")
	wantRefused(t, e, 400, "rotate/"+k.ID, fields{"grace_period": 604801}, "max_grace_period")
	wantRefused(t, e, 400, "rotate/"+k.ID, fields{"key": k.Text}, `unknown parameter "key"`)
}

func TestASupersededVersionNeitherRotatesNorRevokesAfterItsGrace(t *testing.T) {
	e := mounted(t)
	const superseded = "superseded"
	inGrace, old := e.Issue(t, "web", "acme"), e.Issue(t, "web", "acme")
	e.Write(t, "rotate/"+inGrace.ID, nil)
	e.Write(t, "rotate/"+old.ID, fields{"grace_period": 0})
	for _, k := range []surface.Key{inGrace, old} {
		conflict(t, e, "rotate", fields{"key": k.Text}, superseded)
		conflict(t, e, "rotate", fields{"key": k.Text, "expected_version": 2}, superseded)
	}
	conflict(t, e, "revoke", fields{"key": old.Text}, superseded)
	e.WantCode(t, "valid", inGrace.Text)
	e.WantCode(t, "superseded", old.Text)
	e.Write(t, "revoke", fields{"key": inGrace.Text})
	e.WantCode(t, "revoked", inGrace.Text)
}

func TestAKeyThatHasEndedIsNotChanged(t *testing.T) {
	e := mounted(t)
	revoked := e.Issue(t, "web", "acme")
	expired := e.Minted(t, "issue/web", fields{"owner": "acme", "ttl": 1})
	e.Write(t, "revoke/"+revoked.ID, fields{"reason": "first"})
	harness.Eventually(t, 10*time.Second, "wait for the key to expire", func() error {
		if code := e.Code(t, expired.Text); code != "expired" {
			return fmt.Errorf("it is %v", code)
		}
		return nil
	})
	for _, k := range []surface.Key{revoked, expired} {
		for _, body := range []fields{{"name": "x"}, {"disabled": false}, {"scopes": []string{}}, {}} {
			conflict(t, e, "keys/"+k.ID, body, "the key has ended")
			conflict(t, e, "owners/acme/keys/"+k.ID, body, "the key has ended")
		}
		conflict(t, e, "rotate/"+k.ID, fields{}, "the key is not active")
	}
	before := e.Stored(t)
	for path, body := range map[string]fields{"revoke/" + revoked.ID: {"reason": "second"}, "revoke": {"key": revoked.Text}, "owners/acme/keys/" + revoked.ID + "/revoke": {}} {
		if got := e.Write(t, path, body)["revoke_reason"]; got != "first" {
			t.Errorf("%s repeated answers the reason %v", path, got)
		}
	}
	e.WantStored(t, before)
}

func TestADisabledRoleNeitherIssuesNorRotates(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	e.Write(t, "roles/web", fields{"disabled": true})
	for path, body := range map[string]fields{
		"issue": {"role": "web"}, "issue/web": {}, "rotate": {"key": k.Text}, "rotate/" + k.ID: {}, "owners/acme/keys/" + k.ID + "/rotate": {},
	} {
		conflict(t, e, path, body, "the role is disabled")
	}
	e.WantCode(t, "disabled", k.Text)
	e.Write(t, "keys/"+k.ID, fields{"name": "a key of a disabled role can be changed"})
	e.Write(t, "roles/web", fields{"disabled": false})
	e.WantCode(t, "valid", k.Text)
}

func TestARoleWithKeysIsNotDeleted(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	before := e.Stored(t)
	r := e.Want(t, 409, "DELETE", "roles/web", nil)
	if !strings.Contains(r.Errors(), "still has keys") {
		t.Errorf("the error is %q", r.Errors())
	}
	e.WantStored(t, before)
	e.Write(t, "revoke/"+k.ID, nil)
	e.Want(t, 204, "DELETE", "roles/web", nil)
	e.Want(t, 404, "GET", "roles/web", nil)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	e.WantCode(t, "revoked", k.Text)
}

func TestARolesWriteIsRefusedWhereItContradictsItself(t *testing.T) {
	e := mounted(t)
	before := e.Stored(t)
	wantRefused(t, e, 400, "roles/web", fields{"grace_period": "169h"}, "grace_period exceeds max_grace_period")
	wantRefused(t, e, 400, "roles/web", fields{"max_grace_period": "23h"}, "grace_period exceeds max_grace_period")
	wantRefused(t, e, 400, "roles/web", fields{"ttl": 61, "max_ttl": 60}, "ttl exceeds max_ttl")
	wantRefused(t, e, 400, "roles/web", fields{"default_scopes": "write:all"}, "default_scopes")
	wantRefused(t, e, 400, "roles/fresh", fields{"default_scopes": "read:x"}, "default_scopes")
	wantRefused(t, e, 400, "issue/web", fields{"scopes": "write:all"}, "scopes must lie within")
	wantRefused(t, e, 400, "issue/web", fields{"scopes": "read"}, "scopes must lie within")
	e.WantStored(t, before)
	e.Write(t, "roles/web", fields{"bound_cidrs": "10.0.0.0/8", "require_owner": true})
	wantRefused(t, e, 400, "issue/web", fields{"owner": "acme", "bound_cidrs": "0.0.0.0/0"}, "bound_cidrs must lie within")
	wantRefused(t, e, 400, "issue/web", fields{}, "owner")
	e.Write(t, "roles/web", fields{"allowed_scopes": []string{}})
}

func TestHashingCostsHaveAFloorAndACeiling(t *testing.T) {
	e := mounted(t)
	before := e.Stored(t)
	for _, cost := range [][3]int{{47103, 1, 1}, {19455, 2, 1}, {12287, 3, 1}, {9215, 4, 1}, {7167, 5, 1}, {262145, 1, 1}, {19456, 11, 1}, {19456, 2, 5}, {19456, 2, 0}, {19456, 0, 1}, {0, 2, 1}, {19456, 2, 257}, {19456, 2, 4294967297}, {4294986752, 2, 1}} {
		wantRefused(t, e, 400, "config", fields{"argon2_memory_kib": cost[0], "argon2_iterations": cost[1], "argon2_parallelism": cost[2]}, "argon2")
	}
	wantRefused(t, e, 400, "config", fields{"verify_cache_size": 0}, "verify_cache_size")
	e.WantStored(t, before)
}
