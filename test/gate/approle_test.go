package gate

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// byAppRole is how a gate logs in by an AppRole of its own, whose words lie in dir.
func byAppRole(t *testing.T, e surface.Engine) (auth, dir string, o harness.GateOptions) {
	t.Helper()
	s := e.Server
	auth, dir = e.Mount+"-gates", t.TempDir()
	s.Expect(t, 204, "POST", "sys/auth/"+auth, fields{"type": "approle"})
	s.Expect(t, 204, "POST", "auth/"+auth+"/role/gate", fields{"token_policies": []string{s.Policy(t, policyOf(t, e.Mount))}})
	for file, id := range map[string]any{
		"role":   s.Expect(t, 200, "GET", "auth/"+auth+"/role/gate/role-id", nil).Data()["role_id"],
		"secret": s.Expect(t, 200, "POST", "auth/"+auth+"/role/gate/secret-id", nil).Data()["secret_id"],
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(id.(string)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return auth, dir, harness.GateOptions{Token: "none", Login: `auth "approle" {
    mount_path     = "` + auth + `"
    role_id_file   = "` + dir + `/role"
    secret_id_file = "` + dir + `/secret"
  }`, Config: `max_staleness = "6s"`}
}

// TestAnAppRoleLogsInAgain revokes every token that a gate got for itself, and no key is refused for it.
func TestAnAppRoleLogsInAgain(t *testing.T) {
	t.Parallel()
	e := own(t)
	auth, _, o := byAppRole(t, e)
	g := beside(t, e, o)
	g.Ready(t)
	key := e.Issue(t, "web", "acme").Text
	becomes(t, g, 200, key)
	answers := hammer(t, g, key, 10*time.Millisecond, 1)
	for n := 1; n <= 3; n++ {
		e.Expect(t, 204, "POST", "sys/leases/revoke-prefix/auth/"+auth+"/login", fields{"sync": true})
		begun := time.Now()
		loggedIn(t, g, n+1)
		in := time.Since(begun)
		t.Logf("it has logged in after %v and answers a new key after another %v", in, becomes(t, g, 200, e.Issue(t, "web", "acme").Text))
	}
	for _, a := range answers() {
		if a.Status != 200 {
			t.Fatalf("meanwhile a key was %d: %s", a.Status, a.Raw)
		}
	}
	says(t, g, `"path":"gate/changes"`)
}

// TestAWrongSecretLocksNobodyOut starts a gate with a secret id that is none, beside others of its AppRole.
func TestAWrongSecretLocksNobodyOut(t *testing.T) {
	t.Parallel()
	e := own(t)
	auth, dir, o := byAppRole(t, e)
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	role, secret := read("role"), read("secret")
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("none")
	g := beside(t, e, o)
	says(t, g, `"vault refuses this AppRole`)
	time.Sleep(3 * time.Second) // in which it asked six times more, once
	if r := e.API(t, http.MethodPost, "auth/"+auth+"/login", fields{"role_id": role, "secret_id": secret}); r.Status != 200 {
		t.Errorf("another gate logs in and is answered %d: %s", r.Status, r.Raw)
	}
	write(secret)
	begun := time.Now()
	g.Ready(t)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("with the right one it takes %v", took)
	}
}
