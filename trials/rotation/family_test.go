package rotation

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// A child is of the key and not of a version: it lives on when its parent's pending
// version takes the place of the one that expires, whose life bounds it, and its
// verifications are no use of that version.
func TestAChildOutlivesNoVersionThatItWasMadeBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, map[string]any{"ttl": "2h"}, map[string]any{"ttl": "5h", "pending_period": "4h"})
		child := p.Must("delegate", map[string]any{"key": p.old.Str("key"), "ttl": "9h"})
		if child.Str("expires_at") != p.old.Str("expires_at") {
			t.Errorf("a child of the current version ends at %s, that at %s", child.Str("expires_at"), p.old.Str("expires_at"))
		}
		if got := p.Code(child.Str("key")); got != "valid" {
			t.Errorf("the child is %s", got)
		}
		p.codes("valid", "valid")
		p.shows(1, "pending", "active")
		time.Sleep(2*time.Hour - time.Second)
		next := p.Must("rotate/"+child.Str("key_id"), map[string]any{"activation": "immediate"})
		if next.Str("expires_at") != p.old.Str("expires_at") {
			t.Errorf("rotated before its parent's version ends it lives until %s", next.Str("expires_at"))
		}
		time.Sleep(time.Second)
		p.codes("superseded", "valid")
		if got := p.Code(child.Str("key")); got != "expired" {
			t.Errorf("with the version that it was made by the child is %s", got)
		}
		late := p.Must("delegate", map[string]any{"key": p.new.Str("key")})
		if got := p.Code(late.Str("key")); got != "valid" {
			t.Errorf("a child of the version that took effect by time is %s", got)
		}
	})
}

// A use of any version keeps a key from its idle end, also one that costs nothing and so
// makes no version take effect; and the end is that of the version that waits, too.
func TestAnIdleEndIsOfAllVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, map[string]any{"idle_timeout": "2h"}, map[string]any{"pending_period": "30h"})
		time.Sleep(90 * time.Minute)
		p.codes("valid", "valid")
		time.Sleep(90 * time.Minute)
		p.codes("valid", "valid")
		time.Sleep(2 * time.Hour)
		p.codes("expired", "expired")
		time.Sleep(time.Minute)
		p.Tidy()
		p.codes("expired", "expired") // by its record as well
		for _, path := range []string{"rotate/" + p.id, "rotate/" + p.id + "/rollback", "rotate/" + p.id + "/finish"} {
			if a := p.Write(path, nil); a.Status != http.StatusConflict {
				t.Errorf("%s answers %d", path, a.Status)
			}
		}
		time.Sleep(30 * time.Hour)
		p.codes("expired", "expired")
	})
}

// The hints of a key whose pending version lives longer than the current one last as
// long: its role is not deleted, and its owner's limit counts it.
func TestAKeyThatAPendingVersionCarriesOnCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "1h", "max_keys_per_owner": 1})
		k := m.Must("issue/web", map[string]any{"owner": "acme"})
		m.Must("rotate/"+k.Str("key_id"), map[string]any{"ttl": "9h", "activation": "first_use", "pending_period": "8h"})
		time.Sleep(3 * time.Hour)
		for range 2 {
			if a := m.Write("issue/web", map[string]any{"owner": "acme"}); a.Status != http.StatusConflict {
				t.Errorf("a second key: %d", a.Status)
			}
			if a := m.Do("delete", "roles/web", nil); a.Status != http.StatusConflict {
				t.Errorf("the role's deletion: %d", a.Status)
			}
			m.Restart()
			m.Tidy()
		}
		time.Sleep(6 * time.Hour)
		if a := m.Write("issue/web", map[string]any{"owner": "acme"}); !a.OK() {
			t.Errorf("once it has ended: %d %s", a.Status, a.Text)
		}
	})
}
