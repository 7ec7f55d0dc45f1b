package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// TestAGateLacksAPath has the policy forget each path that a gate asks at; gate/confirm is asked at after a reset only,
// and is forgotten where Vault is sealed.
func TestAGateLacksAPath(t *testing.T) {
	for name, tc := range map[string]struct {
		path string
		want int // what a key that has a quota is answered
	}{
		"changes": {"gate/changes", 503},
		"resolve": {"gate/resolve/web", 503},
		"reserve": {"gate/reserve/web", 503},
		"report":  {"gate/report/web", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := own(t)
			g := beside(t, e, harness.GateOptions{Token: lacking(t, e, tc.path)})
			limited := e.Minted(t, "issue/web", fields{"owner": "acme", "quota": 1000}).Text
			if name != "changes" {
				g.Ready(t)
			}
			if r := ask(t, g, limited); r.Status != tc.want {
				t.Errorf("a key is %d: %s", r.Status, r.Raw)
			}
			names(t, g, e.Mount, tc.path)
			if r, err := g.Watch("/ready"); err != nil || (r.Status == 200) != (name != "changes") {
				t.Errorf("it is %d %s, %v", r.Status, r.Raw, err)
			}
			if r := ask(t, g, limited); r.Status != tc.want {
				t.Errorf("later a key is %d: %s", r.Status, r.Raw)
			}
		})
	}
}

// TestARevokedTokenRaisesTheAlarmInTime revokes the token of a gate whose token file nobody renews.
func TestARevokedTokenRaisesTheAlarmInTime(t *testing.T) {
	t.Parallel()
	e := own(t)
	g := beside(t, e, harness.GateOptions{Config: `max_staleness = "6s"`})
	g.Ready(t)
	key := e.Issue(t, "web", "acme").Text
	becomes(t, g, 200, key)
	token, err := os.ReadFile(filepath.Join(g.Dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	e.Expect(t, 204, "POST", "auth/token/revoke", fields{"token": string(token)})
	revoked := time.Now()
	names(t, g, e.Mount, "gate/changes")
	says(t, g, `"denied: vault does not let the gate ask`)
	if r := ask(t, g, key); r.Status != 200 || time.Since(revoked) > 5*time.Second {
		t.Errorf("%v after the revocation the alarm is raised, and a key is %d", time.Since(revoked), r.Status)
	}
	t.Logf("the alarm was raised %v after the revocation", time.Since(revoked))
	becomes(t, g, 503, key)
	if took := time.Since(revoked); took > 7500*time.Millisecond { // a poll that was parked already is answered still
		t.Errorf("it closed after %v", took)
	}
	g.Write(t, "token", e.TokenWith(t, policyOf(t, e.Mount), nil))
	t.Logf("with another token it answers after %v", becomes(t, g, 200, key))
}

// TestAnEngineThatIsNone has a gate ask what is another engine, or nothing at all.
func TestAnEngineThatIsNone(t *testing.T) {
	for name, kind := range map[string]string{"none": "", "kv": "kv", "kv-v2": "kv-v2", "transit": "transit"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := own(t)
			e.Mount += "-" + name
			if kind != "" {
				e.Server.Mount(t, e.Mount, harness.Mount{Type: kind})
				t.Cleanup(func() { e.Unmount(t, e.Mount) })
			}
			g := beside(t, e, harness.GateOptions{})
			harness.Eventually(t, 20*time.Second, "it says what is missing", func() error {
				r, err := g.Watch("/ready")
				if reason, _ := r.JSON["reason"].(string); err == nil && (r.Status != 503 || !strings.Contains(reason, "engine") && !strings.Contains(reason, "denies gate/changes")) {
					return os.ErrNotExist
				}
				return err
			})
			r, err := g.Watch("/ready")
			t.Logf("it is %d %s, %v", r.Status, r.Raw, err)
			if r := ask(t, g, "x"); r.Status != 401 {
				t.Errorf("what is no key is %d", r.Status)
			}
		})
	}
}
