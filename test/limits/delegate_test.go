package limits

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// children is a role whose keys may have two generations below them.
func (e engine) children(t *testing.T, more fields) {
	t.Helper()
	e.setRole(t, surface.With(fields{"max_delegation_depth": 2, "ttl": "2h"}, more))
}

func TestAChildHasItsParentsRoleOwnerAndPrefixAndWhatWasAsked(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, fields{"prefix": "acme_live"})
	parent := e.issue(t, fields{"owner": "acme", "name": "gateway", "scopes": []string{"read:*", "write:orders"}, "metadata": fields{"a": "b"}})
	child := e.delegate(t, parent, fields{
		"scopes": []string{"read:users"}, "ttl": "10m", "bound_cidrs": []string{"10.0.0.0/8"}, "name": "job", "metadata": fields{"c": "d"},
		"rate_limit": 5, "rate_limit_period": "1m", "quota": 7, "quota_period": "1h",
	})
	issued := maps.Clone(parent.Data)
	for _, name := range []string{"ttl", "rotation_period"} { // how to keep a key fresh is told by issue and rotate alone
		delete(issued, name)
	}
	wantNames(t, "delegate answers as issue does", child.Data, slices.Collect(maps.Keys(issued))...)
	surface.WantFields(t, "delegate", child.Data, fields{
		"role": e.web, "owner": "acme", "name": "job", "version": 1, "hint": "acme_live_" + child.ID + "_…", "scopes": []string{"read:users"},
		"metadata": fields{"c": "d"}, "bound_cidrs": []string{"10.0.0.0/8"}, "rate_limit": 5, "rate_limit_period": 60, "quota": 7,
		"quota_period": 3600, "status": "active", "parent_key_id": parent.ID,
	})
	if child.ID == parent.ID || child.Warnings != "" {
		t.Errorf("the child has id %s and warnings %v", child.ID, child.Warnings)
	}
	if life := surface.Moment(t, child.Data, "expires_at").Sub(surface.Moment(t, child.Data, "created_at")); life != 10*time.Minute {
		t.Errorf("it lives for %s", life)
	}
	surface.WantFields(t, "a read", e.Read(t, "keys/"+child.ID), fields{"parent_key_id": parent.ID, "ttl": 600, "last_used_at": ""})
	surface.WantFields(t, "the parent", e.Read(t, "keys/"+parent.ID), fields{"parent_key_id": ""})
	d := e.WantCode(t, "valid", child.Text, fields{"client_ip": "10.0.0.1", "scopes": []string{"read:users"}})
	surface.WantFields(t, "verify", d, fields{"parent_key_id": parent.ID, "owner": "acme"})
	surface.WantFields(t, "without scopes, the parent's", e.delegate(t, parent, nil).Data, fields{"scopes": []string{"read:*", "write:orders"}, "metadata": fields{}})
	surface.WantFields(t, "with none", e.delegate(t, parent, fields{"scopes": []string{}}).Data, fields{"scopes": []string{}})
}

func TestAChildIsOnlyEverNarrower(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, fields{"bound_cidrs": []string{"10.0.0.0/8"}})
	parent := e.issue(t, fields{
		"scopes": []string{"read:*"}, "bound_cidrs": []string{"10.1.0.0/16"}, "rate_limit": 10, "rate_limit_period": "1m", "quota": 100, "quota_period": "1h",
	})
	// A child without networks or limits of its own is under its parent's all the same, and so is what is below it.
	middle := e.delegate(t, parent, nil)
	for _, above := range []key{parent, middle} {
		for _, c := range []struct {
			wider fields
			word  string
		}{
			{fields{"scopes": []string{"*"}}, "scopes"},
			{fields{"scopes": []string{"read:users", "write"}}, "scopes"},
			{fields{"scopes": []string{"read"}}, "scopes"},
			{fields{"scopes": ""}, "scopes"},
			{fields{"bound_cidrs": []string{"10.2.0.0/16"}}, "bound_cidrs"},
			{fields{"bound_cidrs": []string{"10.0.0.0/8"}}, "bound_cidrs"},
			{fields{"bound_cidrs": []string{"10.1.2.3", "0.0.0.0/0"}}, "bound_cidrs"},
			{fields{"bound_cidrs": ""}, "bound_cidrs"},
			{fields{"rate_limit": 11}, "rate_limit"},
			{fields{"rate_limit": 1, "rate_limit_period": "1s"}, "rate_limit"},
			{fields{"quota": 101}, "quota"},
			{fields{"quota": 1, "quota_period": "2h"}, "quota"},
			{fields{"quota": 1, "quota_period": 0}, "quota"},
			{fields{"ttl": "-1s"}, "ttl"},
			{fields{"owner": "other"}, "owner"},
			{fields{"role": e.web}, "role"},
			{fields{"parent_key_id": parent.ID}, "parent_key_id"},
			{fields{"generate_lease": true}, "generate_lease"},
		} {
			e.Refused(t, 400, "delegate", surface.With(fields{"key": above.Text}, c.wider), c.word)
		}
		child := e.delegate(t, above, fields{
			"scopes": []string{"read:a:b"}, "bound_cidrs": []string{"10.1.2.0/24"}, "rate_limit": 10, "rate_limit_period": "1m", "quota": 100, "quota_period": "1h",
		})
		e.WantCode(t, "ip_denied", child.Text, fields{"client_ip": "10.1.3.1"})
		for _, wider := range []fields{{"scopes": []string{"*"}}, {"bound_cidrs": []string{"10.0.0.0/8"}}, {"quota": 101}, {"rate_limit": 11}} {
			e.Refused(t, 400, "keys/"+child.ID, wider)
		}
	}
	e.WantCode(t, "ip_denied", middle.Text, fields{"client_ip": "10.2.0.1"})
	e.WantCode(t, "valid", middle.Text, fields{"client_ip": "10.1.0.1"})
}

func TestAChildsLifeIsShortenedToThePresentedVersions(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	parent := e.issue(t, fields{"ttl": "10m"})
	child := e.delegate(t, parent, fields{"ttl": "1h"})
	if child.Data["expires_at"] != parent.Data["expires_at"] || child.Warnings == "" || strings.Contains(child.Warnings, "\n") {
		t.Errorf("the child expires at %v with warnings %v, its parent at %v", child.Data["expires_at"], child.Warnings, parent.Data["expires_at"])
	}
	surface.WantFields(t, "no ttl given", e.delegate(t, parent, nil).Data, fields{"expires_at": parent.Data["expires_at"]})

	// A rotation gives the parent a new life, and a rotation of the child as much of it as it asks for.
	longer := e.rotate(t, parent, fields{"ttl": "90m"})
	if again := e.rotate(t, child, nil); again.Data["expires_at"].(string) > longer.Data["expires_at"].(string) || again.Data["expires_at"] == child.Data["expires_at"] {
		t.Errorf("after its parent's rotation the child rotates until %v", again.Data["expires_at"])
	}
	shorter := e.rotate(t, parent, fields{"ttl": "5m"})
	last := e.rotate(t, child, fields{"ttl": "1h"})
	if last.Data["expires_at"] != shorter.Data["expires_at"] || last.Warnings == "" {
		t.Errorf("a child of a parent until %v rotates until %v with warnings %v", shorter.Data["expires_at"], last.Data["expires_at"], last.Warnings)
	}
	surface.WantFields(t, "a rotated child", last.Data, fields{"parent_key_id": parent.ID, "version": 3})
}

func TestDelegationEndsAtTheRolesDepth(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	parent := e.issue(t, nil)
	e.Refused(t, 400, "delegate", fields{"key": parent.Text}, "max_delegation_depth")
	e.children(t, nil)
	child := e.delegate(t, parent, nil)
	below := e.delegate(t, child, nil)
	e.Refused(t, 400, "delegate", fields{"key": below.Text}, "max_delegation_depth")
	e.children(t, fields{"max_delegation_depth": 0})
	e.Refused(t, 400, "delegate", fields{"key": child.Text}, "max_delegation_depth")
	e.WantCode(t, "valid", below.Text)
	for _, bad := range []any{9, -1, "x"} {
		e.Refused(t, 400, "roles/"+e.web, fields{"max_delegation_depth": bad}, "max_delegation_depth")
	}
}

func TestOnlyTheNewestVersionOfAnActiveKeyDelegates(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	superseded := e.issue(t, nil)
	newest := e.rotate(t, superseded, nil)
	e.WantCode(t, "valid", superseded.Text)
	disabled, revoked, expired, parent := e.issue(t, nil), e.issue(t, nil), e.issue(t, fields{"ttl": 1}), e.issue(t, nil)
	orphan := e.delegate(t, parent, nil)
	e.change(t, disabled, fields{"disabled": true})
	e.change(t, parent, fields{"disabled": true})
	e.Write(t, "revoke/"+revoked.ID, nil)
	sleepUntil(surface.Moment(t, expired.Data, "expires_at"))
	for what, k := range map[string]key{"superseded": superseded, "disabled": disabled, "revoked": revoked, "expired": expired, "below a disabled one": orphan} {
		if r := e.try(t, "delegate", fields{"key": k.Text}); r.Status != http.StatusConflict {
			t.Errorf("a key that is %s: %d: %s", what, r.Status, r.Raw)
		}
	}
	e.delegate(t, newest, nil)
	e.children(t, fields{"disabled": true})
	e.Refused(t, 409, "delegate", fields{"key": newest.Text}, "role is disabled")
}

func TestAnUnprovenKeyIsNotFoundWhateverIsAsked(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	k := e.issue(t, nil)
	gone := e.issue(t, nil)
	e.Want(t, 204, "DELETE", "keys/"+gone.ID, nil)
	var first string
	for _, text := range []string{gone.Text, k.Text + "x", k.Text[:len(k.Text)-1], "x", k.ID} {
		for _, more := range []fields{nil, {"scopes": []string{"*"}}, {"ttl": "80000h"}} {
			r := e.Want(t, 404, "POST", "delegate", surface.With(fields{"key": text}, more))
			if first == "" {
				first = r.Errors()
			}
			if r.Errors() != first || !strings.Contains(first, "key not found") {
				t.Errorf("the refusal is %q", r.Errors())
			}
		}
	}
	for _, body := range []fields{{}, {"key": ""}, {"key": nil}, {"key": 1}, {"key": []string{k.Text}}, {"key": " " + k.Text}, {"key": k.Text + "\n"}} {
		e.Refused(t, 400, "delegate", body, "key")
	}
}

func TestAChildIsNeverLeased(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, fields{"generate_lease": true, "ttl": "1h"})
	holder := e.as(e.TokenWith(t, `path "`+e.Mount+`/*" { capabilities = ["update"] }`, nil))
	parent := holder.issue(t, nil)
	child := holder.delegate(t, parent, nil)
	rotated := holder.rotate(t, child, nil)
	if parent.Lease == "" || child.Lease != "" || rotated.Lease != "" {
		t.Errorf("the leases are %q, %q and %q", parent.Lease, child.Lease, rotated.Lease)
	}
	// The parent's life is its lease, and takes the child along.
	e.Expect(t, http.StatusNoContent, "PUT", "sys/leases/revoke", fields{"lease_id": parent.Lease, "sync": true})
	e.WantCode(t, "revoked", parent.Text)
	e.WantCode(t, "parent_ended", rotated.Text)
}
