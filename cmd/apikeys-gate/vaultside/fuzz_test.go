package vaultside

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// FuzzAnswer answers each of a gate's questions with any status and body. Whatever it is, it is an answer or an error, that
// is short; and of an answer about texts nothing stands in an error or in the log.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"data":{"nonce":"n","cursor":"c","changes":["key:x"],"results":[{"code":"invalid"}],"records":{"x":null},"grants":[{"granted":1}]}}`)
	f.Add(200, `{"data":null}`)
	f.Add(200, `{"data":{"results":"`+secret+strings.Repeat("x", 100)+`"}}`)
	f.Add(204, "")
	f.Add(307, "")
	f.Add(313, `{"data":{}}`)
	f.Add(400, `{"errors":["`+strings.Repeat("long ", 100)+`"]}`)
	f.Add(403, `{"errors":["permission denied"]}`)
	f.Add(503, `{"errors":["`+secret+strings.Repeat("x", 100)+`"]}`)
	f.Add(500, "<html>")
	s := newServer(f, nil)
	var (
		log     bytes.Buffer
		writing sync.Mutex // who logs in logs, too
	)
	v, err := New(&config.Config{Mount: "team/apikeys", Vault: config.Vault{Address: s.URL, Token: "t"}}, hclog.New(&hclog.LoggerOptions{Output: &log, Mutex: &writing}))
	if err != nil {
		f.Fatal(err)
	}
	run(f, v)
	f.Fuzz(func(t *testing.T, code int, body string) {
		if code < 200 || code > 599 {
			return
		}
		s.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		})
		await(t, "a token", func() bool { return v.client.Load().Token() != "" })
		writing.Lock()
		log.Reset()
		writing.Unlock()
		v.silent.end("gate/resolve/web") // so that it is said each time
		_, resolved := v.Resolve(t.Context(), "web", wire.Ask{Keys: []string{secret}})
		writing.Lock()
		shown := log.String() + text(resolved)
		writing.Unlock()
		if len(body) > 30 && strings.Contains(shown, body[len(body)/2:]) || strings.Contains(shown, secret) {
			t.Errorf("it shows the answer: %s", shown)
		}
		_, changes := v.Changes(t.Context(), wire.Poll{})
		_, confirmed := v.Confirm(t.Context(), wire.Confirm{})
		_, reserved := v.Reserve(t.Context(), "web", wire.Reserve{})
		reported := v.Report(t.Context(), "web", wire.Report{})
		for _, err := range []error{resolved, changes, confirmed, reserved, reported} {
			if len(text(err)) > 1000 || err == nil && code != 200 && code != 204 {
				t.Errorf("%d is %v", code, err)
			}
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
