package vaultside

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

func TestCallsAreWhatTheEngineTakes(t *testing.T) {
	t.Parallel()
	s := newServer(t, data(`{"cursor":"c","nonce":"n","changed":["i"],"grants":[{"granted":3}],"results":[{"key_id":"i","version":2}]}`))
	v, _ := loggedIn(t, config.Vault{Address: s.URL, Namespace: "ns"})
	changes, err := v.Changes(t.Context(), wire.Poll{Cursor: "c", Wait: 1000, Nonce: "n", Gate: "g"})
	if err != nil || changes.Cursor != "c" || changes.Nonce != "n" {
		t.Errorf("%+v, %v", changes, err)
	}
	told, err := v.Resolve(t.Context(), "web", wire.Ask{Keys: []string{secret}})
	if err != nil || len(told.Results) != 1 || told.Results[0].Version != 2 {
		t.Errorf("%+v, %v", told, err)
	}
	if _, err := v.Resolve(t.Context(), "", wire.Ask{}); err != nil {
		t.Error(err)
	}
	if confirmed, err := v.Confirm(t.Context(), wire.Confirm{Known: "k"}); err != nil || !slices.Equal(confirmed.Changed, []string{"i"}) {
		t.Errorf("%+v, %v", confirmed, err)
	}
	if grants, err := v.Reserve(t.Context(), "web", wire.Reserve{}); err != nil || len(grants.Grants) != 1 || grants.Grants[0].Granted != 3 {
		t.Errorf("%+v, %v", grants, err)
	}
	s.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if err := v.Report(t.Context(), "web", wire.Report{Sequence: 1}); err != nil {
		t.Error(err)
	}
	var paths []string
	for _, a := range s.all() {
		paths = append(paths, strings.TrimPrefix(a.path, "/v1/team/apikeys/"))
		polls := a.path == "/v1/team/apikeys/gate/changes"
		if a.header.Get("X-Vault-Token") != "t" || a.header.Get("X-Vault-Namespace") != "ns" || (a.header.Get("X-Vault-No-Request-Forwarding") == "true") != polls || !json.Valid([]byte(a.body)) {
			t.Errorf("it asks %+v", a)
		}
	}
	if want := []string{"gate/changes", "gate/resolve/web", "gate/resolve", "gate/confirm", "gate/reserve/web", "gate/report/web"}; !slices.Equal(paths, want) {
		t.Errorf("it asks at %v", paths)
	}
}

func TestOneRedirectIsFollowedWithTheBody(t *testing.T) {
	t.Parallel()
	active := newServer(t, data(`{"nonce":"n"}`))
	standby := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, active.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	v, _ := loggedIn(t, config.Vault{Address: standby.URL})
	if changes, err := v.Changes(t.Context(), wire.Poll{Nonce: "n"}); err != nil || changes.Nonce != "n" {
		t.Errorf("%+v, %v", changes, err)
	}
	first, then := standby.all(), active.all()
	if len(first) != 1 || len(then) != 1 || first[0].body != then[0].body || !strings.Contains(then[0].body, `"nonce":"n"`) || then[0].header.Get("X-Vault-No-Request-Forwarding") != "true" {
		t.Errorf("it asks %+v, then %+v", first, then)
	}
	active.answers(standby.answer)
	if _, err := v.Changes(t.Context(), wire.Poll{}); err == nil || len(active.all()) != 2 {
		t.Errorf("of a second redirect: %v", err)
	}
}

func TestNoRedirectLeadsIntoTheClear(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1:8200"+r.URL.Path, http.StatusTemporaryRedirect)
	})
	v, _ := loggedIn(t, config.Vault{Address: s.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := v.Resolve(ctx, "web", wire.Ask{Keys: []string{secret}}); !errors.Is(err, errInClear) {
		t.Errorf("it says %v", err)
	}
}

func TestWhatIsSilence(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		denied bool
		says   string
	}{
		"no permission":            {status(403, "permission denied "+secret), true, "denied by vault: team/apikeys/gate/resolve/web"},
		"no such path":             {status(404, secret), false, "no engine, or an older one"},
		"a sealed Vault":           {status(503, "Vault is sealed "+secret), false, "status 503"},
		"a limit of Vault's":       {status(429, secret), false, "status 429"},
		"a fault":                  {status(500, secret), false, "status 500"},
		"a mistake":                {status(400, secret), false, "status 400"},
		"another program":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>"+secret) }, false, "none of this engine"},
		"an answer without data":   {data("null"), false, "none of this engine"},
		"an answer of other types": {data(`{"results":"` + secret + `"}`), false, "none of this engine"},
		"a broken connection":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "no answer at gate/resolve/web"},
	} {
		s := newServer(t, tc.answer)
		v, log := loggedIn(t, config.Vault{Address: s.URL})
		_, err := v.Resolve(t.Context(), "web", wire.Ask{Keys: []string{secret}})
		if err == nil || errors.Is(err, edge.ErrDenied) != tc.denied || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprint(err, log), "CANARY") {
			t.Errorf("%s: it shows a key: %v, %s", name, err, log)
		}
		if n := len(s.all()); n != 1 {
			t.Errorf("%s: it was asked %d times", name, n)
		}
		_, _ = v.Resolve(t.Context(), "web", wire.Ask{Keys: []string{secret}})
		if said := strings.Count(log.String(), "gate/resolve/web"); said == 0 || strings.Count(log.String(), "what the gate asks") != 1 {
			t.Errorf("%s: twice silent it says %s", name, log)
		}
	}
}

func TestAReportThatIsRefusedIsNotToldForEver(t *testing.T) {
	t.Parallel()
	s := newServer(t, status(400, "unknown parameter"))
	v, _ := loggedIn(t, config.Vault{Address: s.URL})
	uses := edge.NewUses(v, "edge-1", slog.New(slog.DiscardHandler))
	uses.Observe(&verify.Observation{Role: "web"})
	for range 2 {
		if err := uses.Flush(t.Context()); err != nil {
			t.Errorf("what is hopeless is tried again: %v", err)
		}
	}
	if n := len(s.all()); n != 1 || uses.Dropped() != 1 {
		t.Errorf("it was told %d times, and %d decisions are not counted", n, uses.Dropped())
	}
}

func TestWhyVaultDoesNotAnswerAPollIsSaid(t *testing.T) {
	t.Parallel()
	for code, text := range map[int]string{503: "Vault is sealed", 400: "unknown parameter of_a_newer_gate"} {
		s := newServer(t, status(code, text))
		v, _ := loggedIn(t, config.Vault{Address: s.URL})
		if _, err := v.Changes(t.Context(), wire.Poll{}); err == nil || err.Error() != fmt.Sprintf("status %d at gate/changes: %s", code, text) {
			t.Errorf("it says %v", err)
		}
	}
}

// What a newer engine says beside what this gate knows changes nothing.
func TestFieldsOfANewerEngineAreIgnored(t *testing.T) {
	t.Parallel()
	const later = `"later":{"a":[1]}`
	s := newServer(t, data(`{"cursor":"c","nonce":"n","changes":["key:i","later:x"],"changed":["i"],"grants":[{"granted":3,`+later+`}],"results":[{"key_id":"i","version":2,`+later+`}],"records":{"i":{"role":"web",`+later+`}},`+later+`}`))
	v, _ := loggedIn(t, config.Vault{Address: s.URL})
	if changes, err := v.Changes(t.Context(), wire.Poll{}); err != nil || changes.Cursor != "c" || !slices.Equal(changes.Changes, []string{"key:i", "later:x"}) {
		t.Errorf("%+v, %v", changes, err)
	}
	if told, err := v.Resolve(t.Context(), "web", wire.Ask{}); err != nil || told.Results[0].Version != 2 || told.Records["i"].Role != "web" {
		t.Errorf("%+v, %v", told, err)
	}
	if confirmed, err := v.Confirm(t.Context(), wire.Confirm{}); err != nil || !slices.Equal(confirmed.Changed, []string{"i"}) {
		t.Errorf("%+v, %v", confirmed, err)
	}
	if grants, err := v.Reserve(t.Context(), "web", wire.Reserve{}); err != nil || grants.Grants[0].Granted != 3 {
		t.Errorf("%+v, %v", grants, err)
	}
}

func TestAHalfOpenConnectionIsGivenUpWithItsCall(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	s := &server{answer: func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(func() { close(hang); s.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	v, _ := loggedIn(t, config.Vault{Address: s.URL, CACert: ca})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := v.Changes(ctx, wire.Poll{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it says %v", err)
	}
	s.answers(data(`{"nonce":"n"}`))
	if changes, err := v.Changes(t.Context(), wire.Poll{}); err != nil || changes.Nonce != "n" {
		t.Errorf("afterwards %+v, %v", changes, err)
	}
	for _, a := range s.all() {
		if a.proto != "HTTP/1.1" {
			t.Errorf("it asks by %s, which shares one connection among all", a.proto)
		}
	}
}

// TestAnAnswerWithoutEndIsNotKept has a server say without end what the gate asks for, or that it is in trouble. It is
// read as far as an answer may go, and no further, be it ever so fast.
func TestAnAnswerWithoutEndIsNotKept(t *testing.T) {
	t.Parallel()
	for code, most := range map[int]int64{http.StatusOK: maxAnswer, http.StatusServiceUnavailable: maxTrouble, http.StatusForbidden: maxTrouble} {
		var sent atomic.Int64
		s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, err := io.WriteString(w, `{"errors":["`)
			for line := bytes.Repeat([]byte("x"), 64<<10); err == nil; sent.Add(int64(len(line))) {
				_, err = w.Write(line)
			}
		})
		v, _ := loggedIn(t, config.Vault{Address: s.URL})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := v.Changes(ctx, wire.Poll{}); err == nil || ctx.Err() != nil || len(err.Error()) > 1000 {
			t.Errorf("%d without end is %.100v", code, err)
		}
		if n := sent.Load(); n > most+16<<20 { // what lies in the buffers of a connection
			t.Errorf("of %d without end %d bytes were read", code, n)
		}
	}
}
