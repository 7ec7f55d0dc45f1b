package vaultside

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// appRole are the files of an AppRole, with these words in them.
func appRole(t testing.TB, role, secret string) *config.AppRole {
	t.Helper()
	dir := t.TempDir()
	r := &config.AppRole{RoleIDFile: filepath.Join(dir, "role-id"), SecretIDFile: filepath.Join(dir, "secret-id")}
	for file, text := range map[string]string{r.RoleIDFile: role, r.SecretIDFile: secret} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestARefusedAppRoleIsAskedForOnceUntilItsFilesChange: five refusals have Vault lock out every gate of that AppRole.
func TestARefusedAppRoleIsAskedForOnceUntilItsFilesChange(t *testing.T) {
	t.Parallel()
	s := newServer(t, status(400, "invalid role or secret ID"))
	role, log := appRole(t, "r-1", "s-1"), new(bytes.Buffer)
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, AppRole: role}}, hclog.New(&hclog.LoggerOptions{Output: log, Mutex: new(sync.Mutex)}))
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	time.Sleep(look + look/2)
	if n := len(s.all()); n != 1 {
		t.Errorf("it asked %d times with what was refused", n)
	}
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/login") {
			fmt.Fprint(w, `{"auth":{"client_token":"token","lease_duration":3600,"renewable":false}}`)
			return
		}
		data(`{}`)(w, r)
	})
	if err := os.WriteFile(role.SecretIDFile, []byte("s-2"), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	await(t, "an answer", func() bool {
		_, err := v.Changes(t.Context(), wire.Poll{})
		return err == nil
	})
	if took := time.Since(begun); took > 3*look {
		t.Errorf("with another secret_id it took %v", took)
	}
}

func TestWhatWasRefusedIsAskedForAgainWhenVaultHasForgotten(t *testing.T) {
	t.Parallel()
	role := appRole(t, "r-1", "s-1")
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		otherwise(t.Context(), role, digest(role))
		if took := time.Since(begun).Round(time.Minute); took != lockout {
			t.Errorf("after %v", took)
		}
	})
}
