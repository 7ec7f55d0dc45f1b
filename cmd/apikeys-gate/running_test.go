package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

const text = "acme_live_3kTMd9Xq2LwVb7Rc_CANARY"

// engine answers polls, after their wait, and knows no key.
func engine(t *testing.T) *httptest.Server {
	t.Helper()
	cursor := wire.Cursor{Term: 1, Suffix: strings.Repeat("a", wire.SuffixLength), Sequence: 1}.String()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := any(wire.Told{Cursor: cursor, Now: time.Now().UnixMilli()})
		if strings.HasSuffix(r.URL.Path, "/gate/changes") {
			var p wire.Poll
			_ = json.NewDecoder(r.Body).Decode(&p)
			select {
			case <-time.After(time.Duration(p.Wait) * time.Millisecond):
			case <-r.Context().Done():
			}
			answer = wire.Changes{Nonce: p.Nonce, Cursor: cursor, Reset: p.Cursor != cursor, Waited: p.Wait, Now: time.Now().UnixMilli(), Wait: 1000, Gates: 1}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": answer})
	}))
	t.Cleanup(s.Close)
	return s
}

// running is a gate in this process.
type running struct {
	*gate
	dir     string
	signals signals
	ended   chan struct{}
	log     *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, vault, more string) running {
	t.Helper()
	r := running{dir: t.TempDir(), signals: newSignals(), ended: make(chan struct{}), log: new(lockedBuffer)}
	r.configure(t, vault, more)
	for name, value := range map[string]string{"token": "t"} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Read(r.file(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if r.gate, err = newGate(r.file(), c, hclog.New(&hclog.LoggerOptions{Output: r.log, JSONFormat: true})); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		r.serve(r.signals)
	}()
	return r
}

func (r *running) file() string { return filepath.Join(r.dir, "gate.hcl") }

func (r *running) configure(t *testing.T, vault, more string) {
	t.Helper()
	of := fmt.Sprintf(`
name = "edge-1"
mount = "apikeys"
stale_grace = "0s"
vault {
  address = %q
  token_file = "%[2]s/token"
}
listener "tcp" {
  address = "127.0.0.1:0"
}
telemetry {
  address = "127.0.0.1:0"
}
decision_log = "%[2]s/decisions.json"
%[3]s
`, vault, r.dir, more)
	if err := os.WriteFile(r.file(), []byte(of), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *running) ask(t *testing.T, path string) (status int, body string) {
	t.Helper()
	address := r.entries[0].listener.Addr().String()
	if strings.HasPrefix(path, "/ready") || strings.HasPrefix(path, "/metrics") {
		address = r.watched.Addr().String()
	}
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-API-Key", text)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	all, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(all)
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%s did not come", what)
		}
	}
}

func (r *running) ready(t *testing.T) {
	t.Helper()
	await(t, "readiness", func() bool { status, _ := r.ask(t, "/ready"); return status == 200 })
}
