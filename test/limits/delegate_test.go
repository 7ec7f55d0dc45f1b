package limits

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// children is a role whose keys may have two generations below them.
func (e engine) children(t *testing.T, more fields) {
	t.Helper()
	e.setRole(t, with(fields{"max_delegation_depth": 2, "ttl": "2h"}, more))
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
	issued := maps.Clone(parent.data)
	for _, name := range []string{"ttl", "rotation_period"} { // how to keep a key fresh is told by issue and rotate alone
		delete(issued, name)
	}
	wantNames(t, "delegate answers as issue does", child.data, slices.Collect(maps.Keys(issued))...)
	wantFields(t, "delegate", child.data, fields{
		"role": e.web, "owner": "acme", "name": "job", "version": 1, "hint": "acme_live_" + child.id + "_…", "scopes": []string{"read:users"},
		"metadata": fields{"c": "d"}, "bound_cidrs": []string{"10.0.0.0/8"}, "rate_limit": 5, "rate_limit_period": 60, "quota": 7,
		"quota_period": 3600, "status": "active", "parent_key_id": parent.id,
	})
	if child.id == parent.id || len(child.warnings) > 0 {
		t.Errorf("the child has id %s and warnings %v", child.id, child.warnings)
	}
	if life := moment(t, child.data, "expires_at").Sub(moment(t, child.data, "created_at")); life != 10*time.Minute {
		t.Errorf("it lives for %s", life)
	}
	wantFields(t, "a read", e.read(t, "keys/"+child.id), fields{"parent_key_id": parent.id, "ttl": 600, "last_used_at": ""})
	wantFields(t, "the parent", e.read(t, "keys/"+parent.id), fields{"parent_key_id": ""})
	d := e.wantCode(t, "valid", child.text, fields{"client_ip": "10.0.0.1", "scopes": []string{"read:users"}})
	wantFields(t, "verify", d, fields{"parent_key_id": parent.id, "owner": "acme"})
	wantFields(t, "without scopes, the parent's", e.delegate(t, parent, nil).data, fields{"scopes": []string{"read:*", "write:orders"}, "metadata": fields{}})
	wantFields(t, "with none", e.delegate(t, parent, fields{"scopes": []string{}}).data, fields{"scopes": []string{}})
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
			{fields{"parent_key_id": parent.id}, "parent_key_id"},
			{fields{"generate_lease": true}, "generate_lease"},
		} {
			e.refused(t, 400, "delegate", with(fields{"key": above.text}, c.wider), c.word)
		}
		child := e.delegate(t, above, fields{
			"scopes": []string{"read:a:b"}, "bound_cidrs": []string{"10.1.2.0/24"}, "rate_limit": 10, "rate_limit_period": "1m", "quota": 100, "quota_period": "1h",
		})
		e.wantCode(t, "ip_denied", child.text, fields{"client_ip": "10.1.3.1"})
		for _, wider := range []fields{{"scopes": []string{"*"}}, {"bound_cidrs": []string{"10.0.0.0/8"}}, {"quota": 101}, {"rate_limit": 11}} {
			e.refused(t, 400, "keys/"+child.id, wider)
		}
	}
	e.wantCode(t, "ip_denied", middle.text, fields{"client_ip": "10.2.0.1"})
	e.wantCode(t, "valid", middle.text, fields{"client_ip": "10.1.0.1"})
}

func TestAChildsLifeIsShortenedToThePresentedVersions(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	parent := e.issue(t, fields{"ttl": "10m"})
	child := e.delegate(t, parent, fields{"ttl": "1h"})
	if child.data["expires_at"] != parent.data["expires_at"] || len(child.warnings) != 1 {
		t.Errorf("the child expires at %v with warnings %v, its parent at %v", child.data["expires_at"], child.warnings, parent.data["expires_at"])
	}
	wantFields(t, "no ttl given", e.delegate(t, parent, nil).data, fields{"expires_at": parent.data["expires_at"]})

	// A rotation gives the parent a new life, and a rotation of the child as much of it as it asks for.
	longer := e.rotate(t, parent, fields{"ttl": "90m"})
	if again := e.rotate(t, child, nil); again.data["expires_at"].(string) > longer.data["expires_at"].(string) || again.data["expires_at"] == child.data["expires_at"] {
		t.Errorf("after its parent's rotation the child rotates until %v", again.data["expires_at"])
	}
	shorter := e.rotate(t, parent, fields{"ttl": "5m"})
	last := e.rotate(t, child, fields{"ttl": "1h"})
	if last.data["expires_at"] != shorter.data["expires_at"] || len(last.warnings) == 0 {
		t.Errorf("a child of a parent until %v rotates until %v with warnings %v", shorter.data["expires_at"], last.data["expires_at"], last.warnings)
	}
	wantFields(t, "a rotated child", last.data, fields{"parent_key_id": parent.id, "version": 3})
}

func TestDelegationEndsAtTheRolesDepth(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	parent := e.issue(t, nil)
	e.refused(t, 400, "delegate", fields{"key": parent.text}, "max_delegation_depth")
	e.children(t, nil)
	child := e.delegate(t, parent, nil)
	below := e.delegate(t, child, nil)
	e.refused(t, 400, "delegate", fields{"key": below.text}, "max_delegation_depth")
	e.children(t, fields{"max_delegation_depth": 0})
	e.refused(t, 400, "delegate", fields{"key": child.text}, "max_delegation_depth")
	e.wantCode(t, "valid", below.text)
	for _, bad := range []any{9, -1, "x"} {
		e.refused(t, 400, "roles/"+e.web, fields{"max_delegation_depth": bad}, "max_delegation_depth")
	}
}

func TestOnlyTheNewestVersionOfAnActiveKeyDelegates(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	superseded := e.issue(t, nil)
	newest := e.rotate(t, superseded, nil)
	e.wantCode(t, "valid", superseded.text)
	disabled, revoked, expired, parent := e.issue(t, nil), e.issue(t, nil), e.issue(t, fields{"ttl": 1}), e.issue(t, nil)
	orphan := e.delegate(t, parent, nil)
	e.change(t, disabled, fields{"disabled": true})
	e.change(t, parent, fields{"disabled": true})
	e.write(t, "revoke/"+revoked.id, nil)
	sleepUntil(moment(t, expired.data, "expires_at"))
	for what, k := range map[string]key{"superseded": superseded, "disabled": disabled, "revoked": revoked, "expired": expired, "below a disabled one": orphan} {
		if r := e.try(t, "delegate", fields{"key": k.text}); r.Status != http.StatusConflict {
			t.Errorf("a key that is %s: %d: %s", what, r.Status, r.Raw)
		}
	}
	e.delegate(t, newest, nil)
	e.children(t, fields{"disabled": true})
	e.refused(t, 409, "delegate", fields{"key": newest.text}, "role is disabled")
}

func TestAnUnprovenKeyIsNotFoundWhateverIsAsked(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	k := e.issue(t, nil)
	gone := e.issue(t, nil)
	e.ask(t, 204, "DELETE", "keys/"+gone.id, nil)
	var first string
	for _, text := range []string{gone.text, k.text + "x", k.text[:len(k.text)-1], "x", k.id} {
		for _, more := range []fields{nil, {"scopes": []string{"*"}}, {"ttl": "80000h"}} {
			r := e.ask(t, 404, "POST", "delegate", with(fields{"key": text}, more))
			if first == "" {
				first = r.Errors()
			}
			if r.Errors() != first || !strings.Contains(first, "key not found") {
				t.Errorf("the refusal is %q", r.Errors())
			}
		}
	}
	for _, body := range []fields{{}, {"key": ""}, {"key": nil}, {"key": 1}, {"key": []string{k.text}}, {"key": " " + k.text}, {"key": k.text + "\n"}} {
		e.refused(t, 400, "delegate", body, "key")
	}
}

func TestAChildIsNeverLeased(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, fields{"generate_lease": true, "ttl": "1h"})
	holder := e.as(e.TokenWith(t, `path "`+e.mount+`/*" { capabilities = ["update"] }`, nil))
	parent := holder.issue(t, nil)
	child := holder.delegate(t, parent, nil)
	rotated := holder.rotate(t, child, nil)
	if parent.lease == "" || child.lease != "" || rotated.lease != "" {
		t.Errorf("the leases are %q, %q and %q", parent.lease, child.lease, rotated.lease)
	}
	// The parent's life is its lease, and takes the child along.
	e.Expect(t, http.StatusNoContent, "PUT", "sys/leases/revoke", fields{"lease_id": parent.lease, "sync": true})
	e.wantCode(t, "revoked", parent.text)
	e.wantCode(t, "parent_ended", rotated.text)
}
