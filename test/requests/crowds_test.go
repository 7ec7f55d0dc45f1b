package requests

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// A key that nobody verified since the plugin started has to be hashed before it can be ended by its holder. That must
// not wait behind those who make keys, and must not be refused because of them.

const issuers = 100

func TestACrowdOfIssuersRefusesNoHolder(t *testing.T) {
	s := harness.Start(t, harness.Options{Plugin: true})
	e := surface.New(t, s)
	var cold []surface.Key
	for range 16 {
		cold = append(cold, e.Issue(t, "web", "acme"))
	}
	s.Reload(t)

	ctx, cancel := context.WithCancel(t.Context())
	var crowd, holders sync.WaitGroup
	var busy sync.Once
	crowded := make(chan struct{})
	for range issuers {
		crowd.Go(func() {
			for ctx.Err() == nil {
				r := e.Ask(t, http.MethodPost, "issue/web", fields{"owner": "acme"})
				if r.Status == http.StatusServiceUnavailable {
					busy.Do(func() { close(crowded) })
				}
			}
		})
	}
	<-crowded
	for i, k := range cold {
		path := []string{"revoke", "rotate"}[i%2]
		holders.Go(func() {
			if r := e.Ask(t, http.MethodPost, path, fields{"key": k.Text}); r.Status != http.StatusOK {
				t.Errorf("%s: %d %s", path, r.Status, strings.TrimSpace(r.Errors()))
			}
		})
	}
	holders.Wait()
	cancel()
	crowd.Wait()
	for i := 0; i < len(cold); i += 2 {
		e.WantCode(t, "revoked", cold[i].Text)
	}
}
