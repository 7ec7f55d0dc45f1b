package gate

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// own is a mount of the test's own on the shared server.
func own(t *testing.T) surface.Engine {
	t.Helper()
	return surface.New(t, servers.Server(t))
}

// beside starts a gate of the role web beside a mount, with a token of the policy that it needs.
func beside(t *testing.T, e surface.Engine, o harness.GateOptions) *harness.Gate {
	t.Helper()
	if o.Token == "" {
		o.Token = e.TokenWith(t, policyOf(t, e.Mount), nil)
	}
	if !strings.Contains(o.Config, "stale_grace") {
		o.Config += "\nstale_grace = \"0s\""
	}
	o.Mount, o.Config = e.Mount, "roles = [\"web\"]\n"+o.Config
	return harness.StartGate(t, e.Server, o)
}

// policyOf is the one that the README shows, for another mount.
func policyOf(t *testing.T, mount string) string {
	t.Helper()
	policy, err := os.ReadFile("../recipes/policies/gate.hcl")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(policy), `"apikeys/`, `"`+mount+`/`)
}

// ask is one question at the door forward.
func ask(t *testing.T, g *harness.Gate, key string) harness.Response {
	t.Helper()
	return g.Ask(t, http.MethodGet, "/forward/web", nil, "X-API-Key: "+key)
}

// becomes waits until a key is answered so, and answers how long that took.
func becomes(t *testing.T, g *harness.Gate, status int, key string) time.Duration {
	t.Helper()
	begun := time.Now()
	harness.Eventually(t, 30*time.Second, fmt.Sprintf("a key is answered %d", status), func() error {
		r, err := g.Try(http.MethodGet, "/forward/web", nil, "X-API-Key: "+key)
		if err == nil && r.Status != status {
			err = fmt.Errorf("it is %d: %s", r.Status, r.Raw)
		}
		return err
	})
	return time.Since(begun)
}

// answer is what one question was answered with. A status of 0 is none, for a reason.
type answer struct {
	sent, got time.Time
	harness.Response
	err error
}

// hammer asks about a key again and again, by so many at once, until the answers are called for.
func hammer(t *testing.T, g *harness.Gate, key string, every time.Duration, many int, headers ...string) (answers func() []answer) {
	t.Helper()
	var mu sync.Mutex
	var all []answer
	var asking sync.WaitGroup
	end := make(chan struct{})
	var once sync.Once
	stop := func() { once.Do(func() { close(end) }); asking.Wait() }
	t.Cleanup(stop)
	for range many {
		asking.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				a := answer{sent: time.Now()}
				a.Response, a.err = g.Try(http.MethodGet, "/forward/web", nil, append([]string{"X-API-Key: " + key}, headers...)...)
				a.got = time.Now()
				mu.Lock()
				all = append(all, a)
				mu.Unlock()
			}
		})
	}
	return func() []answer {
		stop()
		return all
	}
}

// lastGood is when the last question was sent that was answered 200: a gate decided no earlier.
func lastGood(all []answer) (at time.Time) {
	for _, a := range all {
		if a.Status == http.StatusOK && a.sent.After(at) {
			at = a.sent
		}
	}
	return at
}

// closedProperly fails the test where a 503 from before a moment is none of a gate that is closed, and where there is none.
func closedProperly(t *testing.T, all []answer, before time.Time) {
	t.Helper()
	n := 0
	for _, a := range all {
		if a.Status != http.StatusServiceUnavailable || a.got.After(before) {
			continue
		}
		if n++; a.JSON["error"] != "closed" || a.Header.Get("Retry-After") != "1" {
			t.Errorf("a 503 is %v %s", a.Header, a.Raw)
			return
		}
	}
	if n == 0 {
		t.Errorf("none of %d answers is 503", len(all))
	}
}
