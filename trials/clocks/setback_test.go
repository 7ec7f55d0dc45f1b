package clocks

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

func TestAClockThatIsSetBackRevivesNothing(t *testing.T) {
	for _, back := range []time.Duration{-time.Second, -time.Hour, -tenYears} {
		synctest.Test(t, func(t *testing.T) {
			m := mount.New(t)
			m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "10d", "grace_period": 60})
			m.Must("roles/svc", map[string]any{"ttl": 60})
			short := m.Must("issue/web", map[string]any{"ttl": 60})
			leased := m.Must("issue/svc", nil)
			leased.Secret.IssueTime = time.Now()
			old := m.Must("issue/web", nil)
			m.Must("rotate/"+old.Str("key_id"), nil)
			time.Sleep(60 * time.Second)
			ended(t, m, short, old, leased)
			m.Wrong.Store(int64(back))
			for range 20 {
				ended(t, m, short, old, leased)
				m.Pass(time.Minute)
			}
			fresh := m.Must("issue/web", nil)
			if code := m.Code(fresh.Str("key")); code != "valid" {
				t.Errorf("a new key is %s", code)
			}
		})
	}
}

func ended(t *testing.T, m *mount.Mount, short, old, leased mount.Answer) {
	t.Helper()
	for want, a := range map[string]mount.Answer{"expired": short, "superseded": old} {
		if code := m.Code(a.Str("key")); code != want {
			t.Errorf("%s is %s", want, code)
		}
	}
	for _, id := range []string{short.Str("key_id"), leased.Str("key_id")} {
		for _, path := range []string{"rotate/" + id, "keys/" + id} {
			if a := m.Write(path, map[string]any{}); a.Status != http.StatusConflict {
				t.Errorf("%s of an ended key: %d %s", path, a.Status, a.Text)
			}
		}
	}
	if a := m.Renew(leased.Secret, 0); a.OK() {
		t.Error("the lease of an ended key was renewed")
	}
}
