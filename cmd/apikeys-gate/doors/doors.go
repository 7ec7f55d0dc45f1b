// Package doors is how a gate is asked: by Vault's own paths, so that moving from Vault
// to a gate is a change of address; by paths for gateways that pass an answer on to their
// client; and as Envoy asks. What is asked and what is answered is the engine's own code
// (backend/question, backend/verdict); here is what HTTP and gRPC make of it.
//
// A door decides nothing, and keeps no text of a key. Whatever is no decision is a
// mistake of whoever asked, 400, or a 503 with one word; never a refusal of the key. No
// answer, log line or figure shows what a client sent.
package doors

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// Names are those of all doors, as an observer is told of them.
func Names() []string { return []string{"verify", "authorize", "forward", "ext-authz", "grpc"} }

// Decider decides about keys.
type Decider interface {
	Verify(ctx context.Context, q edge.Question) (edge.Answer, error)
}

// Settings are what doors are told. They may change while requests are answered.
type Settings struct {
	Roles      []string // none for any
	KeyHeaders []config.KeyHeader
}

// Doors are all doors to one mount.
type Doors struct {
	mount    string
	decider  Decider
	observer Observer
	log      hclog.Logger
	settings atomic.Pointer[Settings]
	batches  question.Batches
	bodies   atomic.Int64 // bytes of large bodies that are being read
	envoy    *grpc.Server
}

// New makes the doors to the engine that is mounted at a path. The observer is told of
// whatever is answered.
func New(mount string, decider Decider, observer Observer, s Settings, log hclog.Logger) *Doors {
	d := &Doors{mount: mount, decider: decider, observer: observer, log: log}
	d.batches.Tell = d.tell
	d.envoy = newEnvoy(d)
	d.Configure(s)
	return d
}

// Configure changes the settings.
func (d *Doors) Configure(s Settings) { d.settings.Store(&s) }

// Handler answers requests of one listener, where caller tells how to find the client's
// address.
//
// It routes by itself: what net/http's own multiplexer takes for an untidy path it
// redirects, and behind Envoy's prefix stands whatever a client asked for.
func (d *Doors) Handler(caller func() Caller) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{doors: d, settings: d.settings.Load(), w: w, r: r, caller: caller()}
		defer v.recovered()
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			v.door = "grpc"
			d.envoy.ServeHTTP(w, r)
			return
		}
		v.answer()
	})
}

// recovered ends a request that met a fault, and nothing else with it. What was panicked
// with may hold a secret and is not logged.
func (v *visit) recovered() {
	if recover() != nil {
		v.doors.log.Error("a fault ended a request", "door", v.door)
		clear(v.w.Header()) // of a decision that was not told
		v.fail(http.StatusInternalServerError, "internal error")
	}
}

// json is the head of an answer, each of which is one moment's and JSON.
func (v *visit) json() {
	h := v.w.Header()
	h["Content-Type"], h["Cache-Control"] = applicationJSON, noStore
}

var (
	applicationJSON = []string{"application/json"}
	noStore         = []string{"no-store"}
)

// answer finds the door and goes through it.
func (v *visit) answer() {
	path := v.r.URL.EscapedPath()
	if below, ok := strings.CutPrefix(path, "/v1/"+v.doors.mount+"/"); ok {
		v.vault(below)
		return
	}
	door, below, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	role, _, further := strings.Cut(below, "/")
	switch {
	case door == "forward":
		v.door = "forward"
	case door == "ext-authz" && role != "":
		v.door = "ext-authz"
	default:
		v.fail(http.StatusNotFound, "there is no door at this path")
		return
	}
	v.passedOn(role, further)
}

// admits tells whether keys of a role may be good here. Without one it is for the
// decider to say. What is no role's name goes no further: to Vault it would be another
// path.
func (s *Settings) admits(role string) bool {
	if role == "" || slices.Contains(s.Roles, role) {
		return true
	}
	return len(s.Roles) == 0 && record.CheckName("role", role) == nil
}
