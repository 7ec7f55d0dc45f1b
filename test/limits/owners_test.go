package limits

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// issuedAtOnce sends so many requests at once and answers the keys. Others must be refused because the owner is full.
func (e engine) issuedAtOnce(t *testing.T, times int, path string, body fields) (keys []key) {
	t.Helper()
	var refused atomic.Int64
	var mu sync.Mutex
	together(times, func(int) {
		switch r := e.try(t, path, body); r.Status {
		case http.StatusOK:
			mu.Lock()
			defer mu.Unlock()
			keys = append(keys, surface.KeyOf(t, r))
		case http.StatusConflict:
			refused.Add(1)
		default:
			t.Errorf("%s: %d: %s", path, r.Status, r.Raw)
		}
	})
	if len(keys)+int(refused.Load()) != times {
		t.Errorf("%d keys and %d refusals of %d requests", len(keys), refused.Load(), times)
	}
	return keys
}

func TestAnOwnerGetsExactlyAsManyKeysAsTheRoleAllows(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, fields{"max_keys_per_owner": 10})
	owner := fields{"owner": e.web}
	keys := e.issuedAtOnce(t, 50, "issue/"+e.web, owner)
	if len(keys) != 10 {
		t.Fatalf("50 requests at once made %d keys, wanted 10", len(keys))
	}
	e.Refused(t, 409, "issue/"+e.web, owner, "max_keys_per_owner")
	e.Refused(t, 409, "delegate", fields{"key": keys[0].Text}, "max_keys_per_owner")
	for _, k := range keys {
		e.WantCode(t, "valid", k.Text)
	}
	// Rotations need no room.
	e.rotate(t, keys[0], nil)

	// Others have room of their own.
	e.issue(t, fields{"owner": e.web + "-other"})
	e.setRoleNamed(t, e.web+"-other", fields{"max_keys_per_owner": 10})
	e.issueOf(t, e.web+"-other", owner)
	for range 12 {
		e.issue(t, nil)
	}
	// What has ended makes room, what is disabled does not.
	e.Write(t, "revoke/"+keys[1].ID, nil)
	e.Want(t, 204, "DELETE", "keys/"+keys[2].ID, nil)
	e.change(t, keys[3], fields{"disabled": true})
	again := e.issuedAtOnce(t, 20, "issue/"+e.web, owner)
	if len(again) != 2 {
		t.Fatalf("with room for two, %d keys were issued", len(again))
	}
	// A child is a key like any other.
	e.Write(t, "revoke/"+again[0].ID, nil)
	if children := e.issuedAtOnce(t, 10, "delegate", fields{"key": again[1].Text}); len(children) != 1 {
		t.Errorf("with room for one, %d were delegated", len(children))
	}
	// So does a stop, of all of them.
	e.Write(t, "stop/owners/"+e.web, nil)
	if fresh := e.issuedAtOnce(t, 25, "issue/"+e.web, owner); len(fresh) != 10 {
		t.Errorf("after a stop, %d keys were issued, wanted 10", len(fresh))
	}
}

func TestAnExpiredKeyMakesRoom(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"max_keys_per_owner": 2})
	owner := fields{"owner": e.web}
	short := e.issue(t, surface.With(owner, fields{"ttl": 2}))
	e.issue(t, owner)
	e.Refused(t, 409, "issue/"+e.web, owner, "max_keys_per_owner")
	sleepUntil(surface.Moment(t, short.Data, "expires_at"))
	e.issue(t, owner)
	e.Refused(t, 409, "issue/"+e.web, owner, "max_keys_per_owner")
}

func TestALowerLimitEndsNoKeyAndAHigherOneMakesRoom(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	owner := fields{"owner": e.web}
	var keys []key
	for range 4 {
		keys = append(keys, e.issue(t, owner))
	}
	e.setRole(t, fields{"max_keys_per_owner": 2})
	for _, k := range keys {
		e.WantCode(t, "valid", k.Text)
	}
	e.Refused(t, 409, "issue/"+e.web, owner, "max_keys_per_owner")
	e.rotate(t, keys[0], nil)
	e.setRole(t, fields{"max_keys_per_owner": 5})
	e.issue(t, owner)
	e.Refused(t, 409, "issue/"+e.web, owner, "max_keys_per_owner")
	e.setRole(t, fields{"max_keys_per_owner": 0})
	e.issue(t, owner)
	for _, bad := range []any{1001, -1, "x", 1.5} {
		e.Refused(t, 400, "roles/"+e.web, fields{"max_keys_per_owner": bad}, "max_keys_per_owner")
	}
	surface.WantFields(t, "the most", e.Write(t, "roles/"+e.web, fields{"max_keys_per_owner": 1000}), fields{"max_keys_per_owner": 1000})
}
