package doors

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

type always struct{ answer edge.Answer }

func (a always) Verify(context.Context, edge.Question) (edge.Answer, error) { return a.answer, nil }

type nobody struct{}

func (nobody) Decided(Decided)       {}
func (nobody) Failed(string, string) {}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// BenchmarkDoor is what a door adds to a decision.
func BenchmarkDoor(b *testing.B) {
	for name, target := range map[string]string{"forward": "/forward/web", "authorize": "/v1/apikeys/authorize/web", "ext-authz": "/ext-authz/web/orders/7"} {
		b.Run(name, func(b *testing.B) {
			h := New("apikeys", always{edge.Answer{Decision: good}}, nobody{}, Settings{Roles: []string{"web"}, KeyHeaders: []config.KeyHeader{config.APIKey}}, hclog.NewNullLogger()).Handler(func() Caller { return Caller{} })
			r := httptest.NewRequest("GET", target, nil)
			r.Header.Set("X-API-Key", secret)
			r.Header.Set("X-Required-Scopes", "read,write")
			r.Header.Set("X-Client-Ip", "192.0.2.1")
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{make(http.Header, 8)}, r)
			}
		})
	}
}
