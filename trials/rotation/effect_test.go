package rotation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

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
