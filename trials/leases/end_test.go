package leases

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/framework"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// Vault dates a lease when it gets the answer, perhaps long after the record was dated, and truncates to seconds where
// it caps an increment.
func TestALeaseEndsWithItsRecordWhateverTheSecondsInWhichEachWasDated(t *testing.T) {
	const tenYears = 10 * 365 * 24 * time.Hour
	for _, c := range []struct{ made, issued, renewed, late time.Duration }{
		{0, 0, 0, 0},
		{850 * time.Millisecond, 850 * time.Millisecond, 0, 0},
		{100 * time.Millisecond, 999 * time.Millisecond, 10 * time.Millisecond, 990 * time.Millisecond},
		{850 * time.Millisecond, 1010 * time.Millisecond, 800 * time.Millisecond, 0}, // the next second
		{0, 0, 990 * time.Millisecond, 20 * time.Millisecond},
		{0, 0, 500 * time.Millisecond, 3 * time.Second},
	} {
		for _, increment := range []time.Duration{0, time.Minute, tenYears} {
			synctest.Test(t, func(t *testing.T) {
				m := mount.New(t)
				m.Must("roles/web", map[string]any{"ttl": "1h", "max_ttl": "1h"})
				begin := time.Now().Truncate(time.Second).Add(time.Second)
				at := func(moment time.Duration) { time.Sleep(time.Until(begin.Add(moment))) }
				at(c.made)
				newest, replaced := m.Must("issue/web", nil), m.Must("issue/web", nil)
				at(c.issued)
				newest.Secret.IssueTime, replaced.Secret.IssueTime = time.Now(), time.Now()
				m.Must("rotate/"+replaced.Str("key_id"), map[string]any{"grace_period": "10m"})

				at(5*time.Minute + c.renewed)
				wantLeaseEnd(m, newest, increment, c.late, 0, "expires_at")
				at(6*time.Minute + c.renewed)
				wantLeaseEnd(m, replaced, increment, c.late, 1, "valid_until")
			})
		}
	}
}

// wantLeaseEnd renews a key's lease and computes, as core does when it gets the answer, perhaps late, when the lease
// ends: with this version, counted from the newest.
func wantLeaseEnd(m *mount.Mount, key mount.Answer, increment, late time.Duration, version int, name string) {
	m.T.Helper()
	a := m.Renew(key.Secret, increment)
	if !a.OK() {
		m.T.Fatalf("the renewal answers %d %s", a.Status, a.Text)
	}
	time.Sleep(late)
	ttl, _, err := framework.CalculateTTL(m.System, increment, a.Secret.TTL, 0, a.Secret.MaxTTL, 0, key.Secret.IssueTime)
	if err != nil {
		m.T.Fatal(err)
	}
	read, _ := m.Read("keys/" + key.Str("key_id")).Data["versions"].([]any)[version].(map[string]any)
	end, err := time.Parse(time.RFC3339, read[name].(string))
	if err != nil {
		m.T.Fatal(err)
	}
	if after := time.Now().Add(ttl).Sub(end); after < 0 || after > time.Second {
		m.T.Errorf("with an increment of %v the lease ends %v after %s", increment, after, name)
	}
}
