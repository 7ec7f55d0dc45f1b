package backend_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
)

// Vault truncates to seconds when it caps an increment, and dates a lease a moment after the record was dated.
func TestAnIncrementIsCappedToTheRecordsEndWhereverInItsSecondALeaseWasIssued(t *testing.T) {
	const tenYears = 10 * 365 * 24 * time.Hour
	for _, c := range []struct{ made, issued, renewed time.Duration }{
		{0, 0, 0},
		{850 * time.Millisecond, 850 * time.Millisecond, 0},
		{100 * time.Millisecond, 999 * time.Millisecond, 10 * time.Millisecond},
		{850 * time.Millisecond, 1010 * time.Millisecond, 800 * time.Millisecond}, // the next second
	} {
		for _, increment := range []time.Duration{0, tenYears} {
			synctest.Test(t, func(t *testing.T) {
				m := newMount(t)
				m.must("roles/web", map[string]any{"ttl": "1h", "max_ttl": "1h"})
				begin := time.Now().Truncate(time.Second).Add(time.Second)
				at := func(moment time.Duration) { time.Sleep(time.Until(begin.Add(moment))) }
				at(c.made)
				newest, replaced := m.must("issue/web", nil), m.must("issue/web", nil)
				at(c.issued)
				newest.secret.IssueTime, replaced.secret.IssueTime = time.Now(), time.Now()
				m.must("rotate/"+replaced.str("key_id"), map[string]any{"grace_period": "10m"})

				at(5*time.Minute + c.renewed)
				m.wantLeaseEnd(newest, increment, 0, "expires_at")
				m.wantLeaseEnd(replaced, increment, 1, "valid_until")
			})
		}
	}
}

// wantLeaseEnd renews a key's lease and computes, as core does, when it ends then: with the version, newest first.
func (m *mount) wantLeaseEnd(key answer, increment time.Duration, version int, name string) {
	m.t.Helper()
	a := m.renew(key.secret, increment)
	if !a.ok() {
		m.t.Fatalf("the renewal answers %d %s", a.status, a.text)
	}
	ttl, _, err := framework.CalculateTTL(m.system, increment, a.secret.TTL, 0, a.secret.MaxTTL, 0, key.secret.IssueTime)
	if err != nil {
		m.t.Fatal(err)
	}
	read, _ := m.read("keys/" + key.str("key_id")).data["versions"].([]any)[version].(map[string]any)
	end, err := time.Parse(time.RFC3339, read[name].(string))
	if err != nil {
		m.t.Fatal(err)
	}
	if late := time.Now().Add(ttl).Sub(end); late < 0 || late > time.Second {
		m.t.Errorf("with an increment of %v the lease ends %v after %s", increment, late, name)
	}
}
