package limits

import (
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// family is a key with two generations below it.
type family struct{ root, child, below key }

func (e engine) family(t *testing.T, of fields) family {
	t.Helper()
	f := family{root: e.issue(t, of)}
	f.child = e.delegate(t, f.root, nil)
	f.below = e.delegate(t, f.child, nil)
	f.want(t, e, "valid", "valid")
	return f
}

// want verifies child and grandchild.
func (f family) want(t *testing.T, e engine, child, below string, more ...fields) {
	t.Helper()
	e.WantCode(t, child, f.child.Text, more...)
	e.WantCode(t, below, f.below.Text, more...)
}

func TestWhatEndsAKeyEndsWhatIsBelowItAtOnce(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	for what, c := range map[string]struct {
		end  func(f family)
		root string
	}{
		"revoked by id":  {func(f family) { e.Write(t, "revoke/"+f.root.ID, nil) }, "revoked"},
		"revoked by key": {func(f family) { e.Write(t, "revoke", fields{"key": f.root.Text}) }, "revoked"},
		"deleted":        {func(f family) { e.Want(t, 204, "DELETE", "keys/"+f.root.ID, nil) }, "invalid"},
		"disabled":       {func(f family) { e.change(t, f.root, fields{"disabled": true}) }, "disabled"},
	} {
		f := e.family(t, fields{"quota": 1000})
		c.end(f)
		e.WantCode(t, c.root, f.root.Text)
		f.want(t, e, "parent_ended", "parent_ended")
		for _, k := range []key{f.child, f.below} {
			if what != "deleted" {
				surface.WantFields(t, what, e.Read(t, "keys/"+k.ID), fields{"status": "parent_ended"})
			}
			e.Refused(t, 409, "rotate/"+k.ID, nil)
		}
	}
	// In the middle, the one above is none the worse for it.
	f := e.family(t, nil)
	e.Write(t, "revoke/"+f.child.ID, nil)
	f.want(t, e, "revoked", "parent_ended")
	e.WantCode(t, "valid", f.root.Text)
}

func TestAKeyThatIsEnabledAgainEnablesWhatIsBelowIt(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	f := e.family(t, nil)
	for range 3 {
		e.change(t, f.root, fields{"disabled": true})
		f.want(t, e, "parent_ended", "parent_ended")
		e.change(t, f.root, fields{"disabled": false})
		f.want(t, e, "valid", "valid")
		e.change(t, f.child, fields{"disabled": true})
		f.want(t, e, "disabled", "parent_ended")
		e.change(t, f.child, fields{"disabled": false})
		f.want(t, e, "valid", "valid")
	}
	e.children(t, fields{"disabled": true})
	f.want(t, e, "disabled", "disabled")
	e.children(t, fields{"disabled": false})
	f.want(t, e, "valid", "valid")
}

func TestARotationEndsNoChild(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	f := e.family(t, nil)
	for range 3 {
		e.rotate(t, f.root, fields{"grace_period": 0})
		f.want(t, e, "valid", "valid")
	}
	e.WantCode(t, "superseded", f.root.Text)
	rotated := e.rotate(t, f.child, fields{"grace_period": 0})
	f.want(t, e, "superseded", "valid")
	e.WantCode(t, "valid", rotated.Text)
	e.Write(t, "revoke/"+f.root.ID, nil)
	e.WantCode(t, "parent_ended", rotated.Text)
	f.want(t, e, "superseded", "parent_ended")
}

func TestAnExpiredKeyEndsWhatIsBelowIt(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	root := e.issue(t, fields{"ttl": "1h"})
	child := e.delegate(t, root, fields{"ttl": "1h"})
	below := e.delegate(t, child, fields{"ttl": "1h"})
	// Its new version ends before its children do.
	short := e.rotate(t, root, fields{"ttl": "2s"})
	family{root, child, below}.want(t, e, "valid", "valid")
	sleepUntil(surface.Moment(t, short.Data, "expires_at"))
	e.WantCode(t, "expired", short.Text)
	family{root, child, below}.want(t, e, "parent_ended", "parent_ended")
}

func TestANarrowedKeyNarrowsWhatIsBelowItAtOnce(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	f := e.family(t, fields{"scopes": []string{"read:*", "write"}})
	users := fields{"scopes": []string{"read:users"}}
	f.want(t, e, "valid", "valid", users)
	e.change(t, f.root, fields{"scopes": []string{"read:orders", "write"}})
	f.want(t, e, "insufficient_scope", "insufficient_scope", users)
	surface.WantFields(t, "effective scopes", e.Verify(t, f.below.Text), fields{"scopes": []string{"read:orders", "write"}})
	surface.WantFields(t, "scopes of its own", e.Read(t, "keys/"+f.below.ID), fields{"scopes": []string{"read:*", "write"}})
	e.change(t, f.child, fields{"scopes": []string{"read:orders"}})
	f.want(t, e, "insufficient_scope", "insufficient_scope", fields{"scopes": []string{"write"}})
	f.want(t, e, "valid", "valid", fields{"scopes": []string{"read:orders"}})
	e.change(t, f.root, fields{"scopes": []string{"read:*", "write"}})
	f.want(t, e, "insufficient_scope", "insufficient_scope", users) // the child stays as narrow as it was made

	inside, outside := fields{"client_ip": "10.0.0.1"}, fields{"client_ip": "192.0.2.1"}
	e.change(t, f.root, fields{"bound_cidrs": []string{"10.0.0.0/8"}})
	f.want(t, e, "ip_denied", "ip_denied")
	f.want(t, e, "ip_denied", "ip_denied", outside)
	f.want(t, e, "valid", "valid", inside)
	e.change(t, f.child, fields{"bound_cidrs": []string{"10.0.0.1"}})
	f.want(t, e, "ip_denied", "ip_denied", fields{"client_ip": "10.0.0.2"})
	f.want(t, e, "valid", "valid", inside)
	e.change(t, f.root, fields{"bound_cidrs": []string{"10.0.0.2"}}) // nothing is within both
	f.want(t, e, "ip_denied", "ip_denied", inside)
	e.change(t, f.root, fields{"bound_cidrs": []string{}})
	f.want(t, e, "valid", "valid", inside)

	e.change(t, f.root, fields{"quota": 1, "rate_limit": 1, "rate_limit_period": "24h"})
	e.WantCode(t, "valid", f.below.Text, inside)
	f.want(t, e, "rate_limited", "rate_limited", inside)
	e.change(t, f.root, fields{"rate_limit": 0})
	f.want(t, e, "quota_exceeded", "quota_exceeded", inside)
}

func TestAStoppedOwnersChildrenAreRevoked(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	f := e.family(t, fields{"owner": e.web})
	e.Write(t, "stop/owners/"+e.web, nil)
	e.WantCode(t, "revoked", f.root.Text)
	f.want(t, e, "revoked", "revoked")
}
