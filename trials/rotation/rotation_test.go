// Package rotation tries when a new version takes effect, and how a rotation is
// taken back or completed.
package rotation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// pair is a key with a new version that waits for its first use.
type pair struct {
	*mount.Mount
	id       string
	old, new mount.Answer
}

func rotated(t *testing.T, role, rotation map[string]any) *pair {
	m := mount.New(t)
	data := map[string]any{"generate_lease": false, "ttl": "30d", "allowed_scopes": "*", "max_delegation_depth": 2}
	for name, value := range role {
		data[name] = value
	}
	m.Must("roles/web", data)
	p := &pair{Mount: m, old: m.Must("issue/web", nil)}
	p.id = p.old.Str("key_id")
	m.Registered(leasedOf(p.old)...)
	p.new = p.rotate(rotation)
	return p
}

// leasedOf are those of the answers that have a lease.
func leasedOf(answers ...mount.Answer) []mount.Answer {
	return slices.DeleteFunc(answers, func(a mount.Answer) bool { return a.Secret == nil })
}

func (p *pair) rotate(rotation map[string]any) mount.Answer {
	p.T.Helper()
	data := map[string]any{"activation": "first_use"}
	for name, value := range rotation {
		data[name] = value
	}
	a := p.Must("rotate/"+p.id, data)
	p.Registered(leasedOf(a)...)
	return a
}

func (p *pair) codes(old, new string) {
	p.T.Helper()
	if got := p.Code(p.old.Str("key")); got != old {
		p.T.Errorf("the old version is %s, want %s", got, old)
	}
	if got := p.peek(p.new.Str("key")); got != new {
		p.T.Errorf("the new version is %s, want %s", got, new)
	}
}

// peek is a verification that is no use.
func (p *pair) peek(key string) string {
	p.T.Helper()
	return p.Must("verify", map[string]any{"key": key, "cost": 0}).Str("code")
}

// shows tells a version's status, and of the key which version is current.
func (p *pair) shows(current float64, statuses ...string) {
	p.T.Helper()
	a := p.Read("keys/" + p.id)
	var got []string
	for _, v := range a.Data["versions"].([]any) {
		got = append(got, v.(map[string]any)["status"].(string))
	}
	if a.Data["version"] != current || !slices.Equal(got, statuses) {
		p.T.Errorf("version %v is current, and they are %q, want %v and %q", a.Data["version"], got, current, statuses)
	}
}

func TestAVersionTakesEffectAtItsFirstUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, nil, map[string]any{"grace_period": 0})
		if p.new.Data["version"] != 2.0 || p.new.Data["previous_version"] != 1.0 || p.new.Str("previous_valid_until") != "" || p.new.Str("activation") != "first_use" ||
			p.new.Str("pending_until") != time.Now().Add(168*time.Hour).UTC().Format(time.RFC3339) {
			t.Errorf("the rotation answered %v", p.new.Data)
		}
		p.Pass(time.Hour)
		p.codes("valid", "valid") // to ask what it costs nothing is no use
		p.shows(1, "pending", "active")
		if a := p.Must("verify", map[string]any{"key": p.old.Str("key")}); a.Data["rotation_due"] != true || a.Data["superseded"] != false {
			t.Errorf("of the current version verify says %v", a.Data)
		}
		if a := p.Must("verify", map[string]any{"key": p.new.Str("key"), "scopes": "x"}); a.Str("code") != "insufficient_scope" {
			t.Errorf("without the scope it is %s", a.Str("code"))
		}
		p.codes("valid", "valid") // a refusal is no use
		if a := p.Must("verify", map[string]any{"key": p.new.Str("key")}); a.Str("code") != "valid" || a.Data["rotation_due"] != false {
			t.Errorf("its first use answers %v", a.Data)
		}
		p.codes("superseded", "valid") // with that answer, not a second later
		p.shows(2, "active", "superseded")
		time.Sleep(time.Second)
		p.Restart()
		p.codes("superseded", "valid")
		p.shows(2, "active", "superseded")
		for _, key := range []mount.Answer{p.old, p.new} {
			want := map[bool]int{true: 200, false: 409}[key.Str("key") == p.new.Str("key")]
			if a := p.Write("rotate", map[string]any{"key": key.Str("key")}); a.Status != want {
				t.Errorf("who holds version %v rotates: %d %s", key.Data["version"], a.Status, a.Text)
			}
		}
	})
}

// The note in memory is not storage's: until it is written, a crash forgets it, and the
// next use counts.
func TestAFirstUseIsWrittenUntilStorageHasIt(t *testing.T) {
	for _, died := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := rotated(t, nil, map[string]any{"grace_period": 0})
			p.Faulty = true
			p.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
				if c.Changes() {
					return errors.New("storage is full")
				}
				effect()
				return nil
			})
			if got := p.Code(p.new.Str("key")); got != "valid" {
				t.Errorf("with storage in trouble its first use is %s", got)
			}
			time.Sleep(time.Minute)
			p.codes("superseded", "valid")
			if died {
				p.Restart()
				p.Storage.Intercept(nil)
				p.codes("valid", "valid")
				p.Code(p.new.Str("key"))
			}
			p.Storage.Intercept(nil)
			time.Sleep(2 * time.Second)
			p.Restart()
			p.codes("superseded", "valid")
		})
	}
}

func TestAVersionTakesEffectByTime(t *testing.T) {
	for name, tc := range map[string]struct {
		role, rotation map[string]any
		issue          map[string]any
		before, after  time.Duration // since the rotation
		old            string        // right after
		until          time.Duration // when the old one stops working
	}{
		"when it has waited for long enough": {nil, map[string]any{"pending_period": "2h", "grace_period": "1h"}, nil, 2*time.Hour - time.Second, 2 * time.Hour, "valid", 3 * time.Hour},
		"when the current one expires":       {nil, map[string]any{"pending_period": "2h", "grace_period": "1h", "ttl": "5d"}, map[string]any{"ttl": "90m"}, 90*time.Minute - time.Second, 90 * time.Minute, "superseded", 90 * time.Minute},
	} {
		for _, restarted := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				p := rotated(t, tc.role, nil)
				p.old = p.Must("issue/web", tc.issue)
				p.id = p.old.Str("key_id")
				p.new = p.rotate(tc.rotation)
				began := time.Now()
				time.Sleep(tc.before)
				p.codes("valid", "valid")
				time.Sleep(tc.after - tc.before)
				if restarted {
					p.Restart()
				}
				p.codes(tc.old, "valid")
				p.shows(2, "active", "superseded")
				if got := p.Read("keys/" + p.id).Data["versions"].([]any)[1].(map[string]any); got["valid_until"] != began.Add(tc.until).UTC().Format(time.RFC3339) ||
					got["superseded_at"] != began.Add(tc.after).UTC().Format(time.RFC3339) {
					t.Errorf("%s: the old version is %v", name, got)
				}
				p.Tidy()
				time.Sleep(tc.until - tc.after)
				p.codes("superseded", "valid")
			})
		}
	}
}

// However often an answer is lost, asking again mends it, and the version in use stays.
func TestLostAnswersLeaveTheVersionInUse(t *testing.T) {
	m := rotated(t, nil, nil)
	lost := m.new
	for range 1000 {
		m.new = m.rotate(nil)
		if got := m.Code(m.old.Str("key")); got != "valid" {
			t.Fatalf("with an answer lost, the version in use is %s", got)
		}
	}
	m.codes("valid", "valid")
	if got := m.Code(lost.Str("key")); got != "invalid" {
		t.Errorf("a version that another rotation cancelled is %s", got)
	}
	if a := m.Write("rotate/"+m.id, map[string]any{"expected_version": 1}); a.Status != 409 {
		t.Errorf("expected_version of the current version: %d", a.Status)
	}
	m.Must("rotate/"+m.id, map[string]any{"expected_version": 1002, "activation": "first_use"})
}

func TestWhoHoldsAPendingVersionMakesItTakeEffect(t *testing.T) {
	t.Run("by a rotation", func(t *testing.T) {
		p := rotated(t, nil, nil)
		a := p.Must("rotate", map[string]any{"key": p.new.Str("key")})
		if a.Data["version"] != 3.0 || a.Data["previous_version"] != 2.0 || !strings.Contains(strings.Join(a.Warnings, "\n"), "has taken effect") {
			t.Errorf("it answers %v, %q", a.Data, a.Warnings)
		}
		p.codes("superseded", "valid")
		p.shows(3, "active", "superseded", "superseded")
	})
	t.Run("by a child", func(t *testing.T) {
		p := rotated(t, nil, map[string]any{"grace_period": 0})
		if a := p.Write("delegate", map[string]any{"key": p.new.Str("key"), "ttl": "400d"}); !a.OK() {
			t.Fatalf("%d %s", a.Status, a.Text)
		}
		p.codes("superseded", "valid")
		p.Restart()
		p.codes("superseded", "valid")
		if a := p.Write("delegate", map[string]any{"key": p.old.Str("key")}); a.Status != 409 {
			t.Errorf("who holds the old version delegates: %d", a.Status)
		}
	})
	t.Run("or ends the key", func(t *testing.T) {
		p := rotated(t, nil, nil)
		p.Must("revoke", map[string]any{"key": p.new.Str("key")})
		p.codes("revoked", "revoked")
	})
}

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

func TestABrownoutRefusesForSomeMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, map[string]any{"grace_brownout": true}, map[string]any{"activation": "immediate", "grace_period": "8h"})
		old := map[string]any{"key": p.old.Str("key")}
		time.Sleep(6*time.Hour - time.Second)
		p.codes("valid", "valid")
		time.Sleep(time.Second)
		if a := p.Must("verify", old); a.Str("code") != "superseded" || a.Data["retry_after"] != 300.0 || a.Data["http_status"] != 401.0 || a.Str("valid_until") == "" {
			t.Errorf("verify answers %v", a.Data)
		}
		time.Sleep(299 * time.Second)
		if a := p.Must("verify", old); a.Str("code") != "superseded" || a.Data["retry_after"] != 1.0 {
			t.Errorf("verify answers %v", a.Data)
		}
		// It still works, and so its holder may end the key that it is of.
		if a := p.Write("rotate", old); a.Status != 409 {
			t.Errorf("who holds it rotates: %d", a.Status)
		}
		time.Sleep(time.Second)
		p.codes("valid", "valid")
		time.Sleep(55 * time.Minute)
		p.codes("superseded", "valid")
		p.Must("roles/web", map[string]any{"grace_brownout": false})
		p.codes("valid", "valid")
		p.Must("roles/web", map[string]any{"grace_brownout": true})
		if a := p.Write("revoke", old); !a.OK() {
			t.Errorf("in a brownout its holder revokes: %d %s", a.Status, a.Text)
		}
	})
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
