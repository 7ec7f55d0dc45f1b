package vaultside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

func TestATokenFileIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	s := newServer(t, data(`{}`))
	log := new(bytes.Buffer)
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, TokenFile: file}}, hclog.New(&hclog.LoggerOptions{Output: log, Mutex: new(sync.Mutex)}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Changes(t.Context(), wire.Poll{}); !errors.Is(err, errNotLoggedIn) || len(s.all()) != 0 {
		t.Errorf("before it is there: %v", err)
	}
	run(t, v)
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		await(t, token, func() bool { return v.client.Load().Token() == token })
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	time.Sleep(look + 100*time.Millisecond)
	if v.client.Load().Token() != "second" {
		t.Error("without the file the token is forgotten")
	}
}

func TestADenialReadsTheTokenFileAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") == "old" {
			status(403, "permission denied")(w, r)
			return
		}
		data(`{}`)(w, r)
	})
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, TokenFile: file}}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	await(t, "the old token", func() bool { return v.client.Load().Token() == "old" })
	write("new")
	begun := time.Now()
	if _, err := v.Changes(t.Context(), wire.Poll{}); err != nil && !errors.Is(err, edge.ErrDenied) {
		t.Error(err)
	}
	await(t, "the new token", func() bool { return v.client.Load().Token() == "new" })
	if took := time.Since(begun); took > look*3/4 {
		t.Errorf("it took %v", took)
	}
}

func TestAppRoleLogsInAgainWhenItsTokenIsDenied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"role": "r-1\n", "secret": "s-1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	logins, revoked := 0, false
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/v1/auth/gates/login":
			logins++
			fmt.Fprintf(w, `{"auth":{"client_token":"token-%d","lease_duration":3600,"renewable":false}}`, logins)
		case r.URL.Path == "/v1/auth/token/revoke-self":
			revoked = true
		case r.Header.Get("X-Vault-Token") == "token-1":
			status(403, "permission denied")(w, r)
		default:
			data(`{}`)(w, r)
		}
	})
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, AppRole: &config.AppRole{
		MountPath: "auth/gates", RoleIDFile: filepath.Join(dir, "role"), SecretIDFile: filepath.Join(dir, "secret"),
	}}}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { v.Run(ctx) })
	await(t, "an answer", func() bool {
		_, err := v.Changes(t.Context(), wire.Poll{})
		return err == nil
	})
	cancel()
	ended.Wait()
	mu.Lock()
	defer mu.Unlock()
	if logins != 2 || !revoked {
		t.Errorf("%d logins, revoked %t", logins, revoked)
	}
	if login := s.all()[0]; !strings.Contains(login.body, `"role_id":"r-1"`) || !strings.Contains(login.body, `"secret_id":"s-1"`) {
		t.Errorf("it logs in with %s", login.body)
	}
}

func TestKubernetesLogsInByItsToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(file, []byte("j.w.t"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/kubernetes/login" {
			fmt.Fprint(w, `{"auth":{"client_token":"k","lease_duration":3600,"renewable":true}}`)
			return
		}
		data(`{}`)(w, r)
	})
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, Kubernetes: &config.Kubernetes{Role: "gate", TokenPath: file}}}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	await(t, "an answer", func() bool {
		_, err := v.Changes(t.Context(), wire.Poll{})
		return err == nil
	})
	if login := s.all()[0]; !strings.Contains(login.body, `"jwt":"j.w.t"`) || !strings.Contains(login.body, `"role":"gate"`) {
		t.Errorf("it logs in with %s", login.body)
	}
}

func TestTheWayToLogInMayChange(t *testing.T) {
	t.Parallel()
	s := newServer(t, data(`{}`))
	v, _ := loggedIn(t, config.Vault{Address: s.URL})
	if err := v.Configure(&config.Vault{Address: s.URL, Token: "u"}); err != nil {
		t.Fatal(err)
	}
	if v.client.Load().Token() == "" {
		t.Error("meanwhile there is no token")
	}
	await(t, "the other token", func() bool { return v.client.Load().Token() == "u" })
	if err := v.Configure(&config.Vault{Address: s.URL, CACert: "/nowhere"}); err == nil || v.client.Load().Token() != "u" {
		t.Errorf("a CA that is not there: %v", err)
	}
}
