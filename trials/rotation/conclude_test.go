package rotation

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

func TestRollbackAndFinish(t *testing.T) {
	for name, tc := range map[string]struct {
		used     bool
		path     string
		data     map[string]any
		status   int
		old, new string
		shows    []string
	}{
		"rollback while it waits":                  {false, "rollback", map[string]any{"reason": "it broke", "expected_version": 2}, 200, "valid", "invalid", []string{"cancelled", "active"}},
		"rollback in grace":                        {true, "rollback", nil, 200, "valid", "invalid", []string{"cancelled", "active"}},
		"rollback of another version":              {true, "rollback", map[string]any{"expected_version": 1}, 409, "valid", "valid", []string{"active", "superseded"}},
		"finish while it waits":                    {false, "finish", nil, 200, "superseded", "valid", []string{"active", "superseded"}},
		"finish in grace":                          {true, "finish", nil, 200, "superseded", "valid", []string{"active", "superseded"}},
		"finish with a grace":                      {false, "finish", map[string]any{"grace_period": "1m"}, 200, "valid", "valid", []string{"active", "superseded"}},
		"finish with more than the role's maximum": {false, "finish", map[string]any{"grace_period": "200h"}, 400, "valid", "valid", []string{"pending", "active"}},
	} {
		for _, at := range []string{"rotate/", "owners/acme/keys/"} {
			p := rotated(t, nil, nil)
			p.old = p.Must("issue/web", map[string]any{"owner": "acme"})
			p.id = p.old.Str("key_id")
			p.new = p.rotate(nil)
			if tc.used {
				p.Code(p.new.Str("key"))
			}
			path := at + p.id + "/" + tc.path
			if at != "rotate/" {
				path = at + p.id + "/rotate/" + tc.path
			}
			a := p.Write(path, tc.data)
			if a.Status != tc.status {
				t.Errorf("%s: %d %s", name, a.Status, a.Text)
			}
			if warned := strings.Contains(strings.Join(a.Warnings, "\n"), "old secret"); warned != (a.OK() && tc.path == "rollback") {
				t.Errorf("%s: it warns %q", name, a.Warnings)
			}
			p.shows(map[bool]float64{true: 1, false: 2}[tc.old == "valid" && tc.shows[1] == "active"], tc.shows...)
			p.codes(tc.old, tc.new)
			if tc.shows[0] == "cancelled" {
				v := a.Data["versions"].([]any)[0].(map[string]any)
				if want, _ := tc.data["reason"].(string); v["reason"] != want || v["cancelled_at"] == "" {
					t.Errorf("%s: the cancelled version is %v", name, v)
				}
				if again := p.Write(path, nil); again.Status != 409 {
					t.Errorf("%s, again: %d", name, again.Status)
				}
				if next := p.rotate(nil); next.Data["version"] != 3.0 {
					t.Errorf("%s: the next version is %v", name, next.Data["version"])
				}
			}
			if a := p.Write("owners/other/keys/"+p.id+"/rotate/"+tc.path, nil); a.Status != 404 {
				t.Errorf("%s, by another owner: %d", name, a.Status)
			}
		}
	}
}

func TestADisabledKeyIsRolledBackAndAnEndedOneIsNot(t *testing.T) {
	p := rotated(t, nil, nil)
	p.Must("keys/"+p.id, map[string]any{"disabled": true})
	if a := p.Write("rotate/"+p.id+"/rollback", nil); !a.OK() {
		t.Errorf("a disabled key: %d %s", a.Status, a.Text)
	}
	p = rotated(t, nil, nil)
	p.Must("revoke/"+p.id, nil)
	for _, path := range []string{"rollback", "finish"} {
		if a := p.Write("rotate/"+p.id+"/"+path, nil); a.Status != 409 {
			t.Errorf("%s of a revoked key: %d", path, a.Status)
		}
	}
	p.codes("revoked", "revoked")
}

func TestLeasesOfAVersionThatWaits(t *testing.T) {
	leased := map[string]any{"generate_lease": true, "ttl": "1h", "max_ttl": "10h"}
	t.Run("both renew", func(t *testing.T) {
		p := rotated(t, leased, nil)
		for _, a := range []mount.Answer{p.old, p.new} {
			if r := p.Renew(a.Secret, 2*time.Hour); !r.OK() || r.Secret.TTL != 2*time.Hour || !r.Secret.Renewable {
				t.Errorf("version %v: %d %s", a.Data["version"], r.Status, r.Text)
			}
		}
		p.shows(1, "pending", "active")
	})
	t.Run("the end of the new one touches nothing else", func(t *testing.T) {
		p := rotated(t, leased, nil)
		p.EndLease(p.new.Secret)
		p.codes("valid", "superseded")
		p.shows(1, "cancelled", "active")
		if r := p.Renew(p.new.Secret, 0); r.OK() {
			t.Error("its lease renews")
		}
		if again := p.EndLease(p.new.Secret); !again.OK() {
			t.Errorf("its end again: %s", again.Text)
		}
	})
	t.Run("the end of the old one is the key's", func(t *testing.T) {
		p := rotated(t, leased, nil)
		p.EndLease(p.old.Secret)
		p.codes("revoked", "revoked")
	})
	t.Run("but not when it ran out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := rotated(t, leased, map[string]any{"ttl": "2h"})
			time.Sleep(time.Hour)
			p.EndLease(p.old.Secret)
			p.codes("superseded", "valid")
			p.shows(2, "active", "superseded")
		})
	})
	t.Run("a withdrawal leaves what was before", func(t *testing.T) {
		p := rotated(t, leased, nil)
		lease := *p.new.Secret
		lease.IssueTime = time.Time{}
		p.EndLease(&lease)
		p.codes("valid", "invalid")
		p.shows(1, "active")
	})
	t.Run("a rollback keeps a lease that was not cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := rotated(t, leased, nil)
			p.Code(p.new.Str("key"))
			p.Must("rotate/"+p.id+"/rollback", nil)
			if r := p.Renew(p.old.Secret, 0); !r.OK() || !r.Secret.Renewable {
				t.Errorf("it renews: %d %s", r.Status, r.Text)
			}
			if r := p.Renew(p.new.Secret, 0); r.OK() {
				t.Error("the lease of what was rolled back renews")
			}
			if end := p.EndLease(p.new.Secret); !end.OK() {
				t.Errorf("and ends: %s", end.Text)
			}
			p.codes("valid", "invalid")
		})
	})
	t.Run("and refuses one that is", func(t *testing.T) {
		p := rotated(t, leased, nil)
		p.Code(p.new.Str("key"))
		if r := p.Renew(p.old.Secret, 0); !r.OK() || r.Secret.Renewable {
			t.Errorf("the old one's renewal: %d %+v", r.Status, r.Secret)
		}
		if a := p.Write("rotate/"+p.id+"/rollback", nil); a.Status != 409 || !strings.Contains(a.Text, "lease") {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	})
}

func TestBadRotationsAreRefused(t *testing.T) {
	p := rotated(t, nil, nil)
	for name, data := range map[string]map[string]any{
		"an activation that there is not":        {"activation": "later"},
		"none":                                   {"activation": ""},
		"a pending period with immediate":        {"activation": "immediate", "pending_period": "1h"},
		"a pending period where that is implied": {"pending_period": "1h"},
		"no pending period":                      {"activation": "first_use", "pending_period": 0},
		"one above the role's":                   {"activation": "first_use", "pending_period": "169h"},
		"a negative one":                         {"activation": "first_use", "pending_period": -1},
	} {
		before := p.Storage.Dump()
		if a := p.Write("rotate/"+p.id, data); a.Status != 400 || !p.Storage.SameAs(before) {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	}
	for name, data := range map[string]map[string]any{
		"an activation that there is not": {"activation": "later"},
		"none":                            {"activation": ""},
		"no pending period":               {"max_pending_period": 0},
		"one above 90 days":               {"max_pending_period": "2161h"},
	} {
		if a := p.Write("roles/web", data); a.Status != 400 {
			t.Errorf("a role with %s: %d", name, a.Status)
		}
	}
	if a := p.Do(logical.UpdateOperation, "rotate/"+p.id+"/rollback", map[string]any{"reason": strings.Repeat("x", 257)}); a.Status != 400 {
		t.Errorf("a long reason: %d", a.Status)
	}
}
