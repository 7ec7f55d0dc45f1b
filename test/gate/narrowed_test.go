package gate

import (
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// narrowing is something that ends or narrows a key.
type narrowing struct {
	name string
	code string // what it is refused with from then on
	do   func(e surface.Engine, k surface.Key)
}

// TestWhatEndsOrNarrowsAKeyDoesSoAtAGate does to keys, their ancestors, owners and roles whatever narrows them, and asks a
// gate about each all the time: a second after Vault's answer it is as narrow there.
func TestWhatEndsOrNarrowsAKeyDoesSoAtAGate(t *testing.T) {
	t.Parallel()
	e := own(t)
	g := beside(t, e, harness.GateOptions{})
	g.Ready(t)
	write := func(path string, body fields) func(surface.Engine, surface.Key) {
		return func(e surface.Engine, _ surface.Key) { t.Helper(); e.Write(t, path, body) }
	}
	of := func(before, after string, body fields) func(surface.Engine, surface.Key) {
		return func(e surface.Engine, k surface.Key) { t.Helper(); e.Write(t, before+k.ID+after, body) }
	}
	var slowest time.Duration
	for n, tc := range []narrowing{
		{"a revocation", "revoked", of("revoke/", "", nil)},
		{"a key that is disabled", "disabled", of("keys/", "", fields{"disabled": true})},
		{"fewer scopes", "insufficient_scope", of("keys/", "", fields{"scopes": []string{"write:orders"}})},
		{"other networks", "ip_denied", of("keys/", "", fields{"bound_cidrs": "192.0.2.0/24"})},
		{"a rotation without a grace", "superseded", of("rotate/", "", fields{"grace_period": 0})},
		{"a deletion", "invalid", func(e surface.Engine, k surface.Key) { e.Want(t, 204, "DELETE", "keys/"+k.ID, nil) }},
		{"the stop of its owner", "revoked", write("stop/owners/owner-6", nil)},
		{"fewer scopes of its role", "insufficient_scope", func(e surface.Engine, _ surface.Key) {
			e.Write(t, "roles/web", fields{"allowed_scopes": []string{"write:orders"}, "default_scopes": []string{"write:orders"}})
		}},
		{"other networks of its role", "ip_denied", write("roles/web", fields{"bound_cidrs": "192.0.2.0/24"})},
		{"a role that is disabled", "disabled", write("roles/web", fields{"disabled": true})},
		{"the stop of its role", "revoked", write("stop/roles/web", nil)},
	} {
		surface.Roles(t, e)
		e.Write(t, "roles/web", fields{"bound_cidrs": []string{}, "disabled": false})
		k := e.Issue(t, "web", fmt.Sprint("owner-", n))
		child := e.Minted(t, "delegate", fields{"key": k.Text})
		asks := []string{"X-Required-Scopes: read:orders", "X-Client-Ip: 127.0.0.1"}
		texts := map[string]string{"its own": k.Text, "its child's": child.Text}
		answers := make(map[string]func() []answer)
		for whose, text := range texts {
			becomes(t, g, 200, text)
			answers[whose] = hammer(t, g, text, 10*time.Millisecond, 1, asks...)
		}
		time.Sleep(100 * time.Millisecond)
		tc.do(e, k)
		done := time.Now()
		time.Sleep(time.Second)
		for whose, all := range answers {
			if tc.code == "superseded" && whose != "its own" {
				continue // a rotation ends no child
			}
			all := all()
			if last := lastGood(all); last.IsZero() || last.After(done.Add(time.Second-50*time.Millisecond)) {
				t.Errorf("after %s a key is good for another %v (%s)", tc.name, last.Sub(done), whose)
			} else {
				slowest = max(slowest, last.Sub(done))
			}
			if last := all[len(all)-1]; last.Status == 200 || whose == "its own" && last.JSON["code"] != tc.code && last.JSON["error"] != tc.code {
				t.Errorf("after %s a key is %d %s (%s), want %s", tc.name, last.Status, last.Raw, whose, tc.code)
			}
		}
	}
	t.Logf("at the latest a key was good %v after what narrowed it", slowest)
}
