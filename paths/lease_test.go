package paths

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var grid = []record.Seconds{0, 1, 59, 3600, 86400, 30 * 86400, 365 * 86400}

// The lease and the record begin with the same lifetime: what core computes from
// an answer is what the engine granted.
func TestALifetimeIsWhatVaultComputes(t *testing.T) {
	t.Parallel()
	for _, byDefault := range grid[1:] {
		for _, most := range grid[1:] {
			system := systemView(byDefault.Std(), most.Std())
			caps := record.Caps{Default: byDefault, Max: most}
			for _, asked := range grid {
				for _, ttl := range grid {
					for _, maxTTL := range grid {
						role := record.Role{TTL: ttl, MaxTTL: maxTTL}
						got, _ := role.Lifetime(asked, caps)
						want, _, err := framework.CalculateTTL(system, asked.Std(), ttl.Std(), 0, maxTTL.Std(), 0, time.Time{})
						if err != nil || got.Std() != want {
							t.Fatalf("asked %d, ttl %d, max_ttl %d under %d and %d: %s, Vault says %s, %v", asked, ttl, maxTTL, byDefault, most, got.Std(), want, err)
						}
					}
				}
			}
		}
	}
}

// renewal is one renewal as core does it: what the engine answers, and when the
// lease then ends by core's own sum over that answer.
func renewal(t *testing.T, sv *Services, secret *logical.Secret) (record.Time, time.Time) {
	t.Helper()
	resp, err := sv.renewLease(t.Context(), &logical.Request{Secret: secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Data != nil {
		t.Error("a renewal answers with data, which core would keep in the lease")
	}
	ttl, _, err := framework.CalculateTTL(sv.System(), secret.Increment, resp.Secret.TTL, 0, resp.Secret.MaxTTL, 0, secret.IssueTime)
	if err != nil {
		t.Fatal(err)
	}
	id, version, err := leased(&logical.Request{Secret: resp.Secret})
	if err != nil {
		t.Fatal(err)
	}
	k, _, err := sv.Store.Key(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	end := k.Find(version).ExpiresAt
	if version != k.Newest().Number {
		end = k.Find(version).ValidUntil
	}
	return end, time.Now().Add(ttl)
}

func secretOf(resp *logical.Response, increment record.Seconds, issued time.Time) *logical.Secret {
	return &logical.Secret{
		LeaseOptions: logical.LeaseOptions{Increment: increment.Std(), IssueTime: issued, Renewable: true},
		InternalData: resp.Secret.InternalData,
	}
}

func TestARenewalIsWhatVaultComputes(t *testing.T) {
	t.Parallel()
	for _, superseded := range []bool{false, true} {
		for _, maxTTL := range []record.Seconds{0, 3600, 86400} {
			for _, increment := range []record.Seconds{0, 1, 600, 3600, 86400, 30 * 86400} {
				for _, age := range []time.Duration{0, 700 * time.Millisecond, 30 * time.Second, 1100*time.Second + 950*time.Millisecond} {
					name := fmt.Sprintf("superseded %v, max_ttl %d, increment %d, after %s", superseded, maxTTL, increment, age)
					synctest.Test(t, func(t *testing.T) {
						sv := newServices(t, systemView(time.Hour/2, 48*time.Hour))
						sv.role(t, "web", func(r *record.Role) { r.MaxTTL, r.GracePeriod = maxTTL, 1200 })
						time.Sleep(330 * time.Millisecond) // nothing happens at a full second
						resp := sv.must(t, logical.UpdateOperation, "issue/web", nil)
						issued := time.Now()
						if superseded {
							sv.must(t, logical.UpdateOperation, "rotate/"+resp.Data["key_id"].(string), nil)
						}
						time.Sleep(age)
						end, lease := renewal(t, sv, secretOf(resp, increment, issued))
						if late := lease.Sub(end.Std()); late < -time.Second || late > time.Second {
							t.Errorf("%s: the lease ends %s after the record", name, late)
						} else if late < 0 {
							t.Errorf("%s: the record ends %s after the lease", name, -late)
						}
					})
				}
			}
		}
	}
}

func TestASupersededVersionsRenewalIsTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sv := newServices(t, systemView(time.Hour, 48*time.Hour))
		resp := sv.must(t, logical.UpdateOperation, "issue/web", nil)
		issued := time.Now()
		sv.must(t, logical.UpdateOperation, "rotate/"+resp.Data["key_id"].(string), map[string]any{"grace_period": "10m"})
		time.Sleep(time.Minute)
		got, err := sv.renewLease(t.Context(), &logical.Request{Secret: secretOf(resp, 0, issued)}, nil)
		if err != nil || got.Secret.Renewable || got.Secret.TTL != 9*time.Minute || got.Secret.MaxTTL != 10*time.Minute {
			t.Errorf("it answered %+v, %v", got.Secret, err)
		}
		time.Sleep(9 * time.Minute)
		if _, err := sv.renewLease(t.Context(), &logical.Request{Secret: secretOf(resp, 0, issued)}, nil); err == nil || err.Error() != "the key has ended" {
			t.Errorf("after its grace it answered %v", err)
		}
	})
}

func TestALeaseThatNamesNoKeyIsAnErrorAndNoPanic(t *testing.T) {
	t.Parallel()
	sv := newServices(t, systemView(time.Hour, time.Hour))
	for _, data := range []map[string]any{nil, {}, {"key_id": "x"}, {"key_id": 7, "version": "1"}, {"key_id": "x", "version": 1.0}, {"key_id": "x", "version": "one"}} {
		req := &logical.Request{Secret: &logical.Secret{InternalData: data}}
		if _, err := sv.renewLease(t.Context(), req, nil); err == nil {
			t.Errorf("%v was renewed", data)
		}
		if _, err := sv.revokeLease(t.Context(), req, nil); err == nil {
			t.Errorf("%v was revoked", data)
		}
	}
}

func TestTheEndOfALeaseNeverWedgesTheMount(t *testing.T) {
	t.Parallel()
	system := systemView(time.Hour, time.Hour)
	sv := newServices(t, system)
	gone := &logical.Request{Secret: &logical.Secret{InternalData: leaseData(strings.Repeat("0", 16), 1)}}
	if resp, err := sv.revokeLease(t.Context(), gone, nil); resp != nil || err != nil {
		t.Errorf("of a key that is gone it answered %v, %v", resp, err)
	}
	system.TaintedVal = true
	if resp, err := sv.revokeLease(t.Context(), &logical.Request{Secret: &logical.Secret{}}, nil); resp != nil || err != nil {
		t.Errorf("on a mount that goes away it answered %v, %v", resp, err)
	}
}
