package recipes

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// gatePolicy is that of the recipe, for a mount.
func gatePolicy(t testing.TB, mount string) string {
	t.Helper()
	return strings.ReplaceAll(read(t, "policies/gate.hcl"), `"apikeys/`, `"`+mount+`/`)
}

// gateBeside starts a gate of the role web, that listens to whoever asks.
func gateBeside(t *testing.T, e surface.Engine, policy, config string) *harness.Gate {
	t.Helper()
	return harness.StartGate(t, e.Server, harness.GateOptions{
		Mount: e.Mount, Token: e.TokenWith(t, policy, nil), Config: "roles = [\"web\"]\nmax_staleness = \"3s\"\n" + config,
	})
}

func askGate(t testing.TB, g *harness.Gate, key string) int {
	t.Helper()
	r, err := g.Try("GET", "/forward/web", nil, "X-API-Key: "+key)
	if err != nil {
		t.Error(err)
	}
	return r.Status
}

func figuresOf(t testing.TB, g *harness.Gate) map[string]map[string][]string {
	t.Helper()
	r, err := g.Watch("/metrics")
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("its figures are %d, %v", r.Status, err)
	}
	return exported(t, r.Raw)
}

func TestDashboardAndRulesOfGatesUseWhatThereIs(t *testing.T) {
	t.Parallel()
	e := watched(t, servers.Server(t))
	g := gateBeside(t, e, gatePolicy(t, e.Mount), `stale_grace = "0s"`)
	g.Ready(t)
	if status := askGate(t, g, e.Issue(t, "web", "acme").Text); status != http.StatusOK {
		t.Errorf("a key is %d", status)
	}
	if r := g.Ask(t, "GET", "/forward/web?key=x", nil); r.Status != http.StatusBadRequest {
		t.Errorf("a key in a query is %d", r.Status)
	}
	all := figuresOf(t, g)
	reasons := all["apikeys_gate_undecided_total"]
	reasons["reason"] = append(reasons["reason"], http.StatusText(http.StatusInternalServerError)) // which no test can bring about
	wantUsed(t, "gate-dashboard.json", "gate-rules.yml", all, 50)
	// What a figure is told apart by is never whose it is.
	allowed := []string{"door", "code", "reason", "cache", "path", "outcome", "result", "version", "commit"}
	for name, labels := range all {
		for label, values := range labels {
			if strings.HasPrefix(name, "apikeys_gate_") && !slices.Contains(allowed, label) || slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "web") || strings.Contains(v, "acme") }) {
				t.Errorf("%s has the label %s with the values %q", name, label, values)
			}
		}
	}
}

// feigned are rules that fire only on faults that nobody can bring about here, or take too long: on a gate in use they
// are let fire on less. What they say by themselves is tried by promtool.
var feigned = map[string][2]string{
	"ApikeysGateDrift":            {"drift_total[1h]) > 0", "drift_total[1h]) >= 0"},
	"ApikeysGateUsesDropped":      {"uses_dropped_total[15m]) > 0", "uses_dropped_total[15m]) >= 0"},
	"ApikeysGateVaultSlow":        {"> 0.5", "> 0"},
	"ApikeysGateSlow":             {"> 0.1", "> 0"},
	"ApikeysGateCacheFull":        {`cache=~"keys|proofs"}[15m])) > 1`, `cache=~"keys|proofs"}[15m])) >= 0`},
	"ApikeysGateLimitsNearlyFull": {"> 0.8", ">= 0"},
}

// TestPrometheusScrapesGatesAndRulesFire has four gates live through a flood of forged keys, a policy that lacks a path,
// a full disk, a kill, and a Vault that is sealed. Before that no rule may fire.
func TestPrometheusScrapesGatesAndRulesFire(t *testing.T) {
	t.Parallel()
	e := watched(t, harness.Start(t, harness.Options{Plugin: true})) // it is sealed
	policy := gatePolicy(t, e.Mount)
	closing := gateBeside(t, e, policy, "stale_grace = \"0s\"\ndecision_log = \"/dev/full\"")
	lenient := gateBeside(t, e, policy, `stale_grace = "1m"`)
	denied := gateBeside(t, e, strings.Replace(policy, "gate/resolve/web", "gate/resolve/nothing", 1), `stale_grace = "1m"`)
	killed := gateBeside(t, e, policy, `stale_grace = "0s"`)
	gates, targets := []*harness.Gate{closing, lenient, denied, killed}, []string{}
	for _, g := range gates {
		g.Ready(t)
		targets = append(targets, fmt.Sprintf("%q", g.Telemetry))
	}
	var changes []string
	var tried []rule
	for _, r := range rules(t, "gate-rules.yml") {
		if change, found := feigned[r.name]; found {
			if !strings.Contains(r.expr, change[0]) {
				t.Fatalf("the rule %s has no %s", r.name, change[0])
			}
			changes = append(changes, change[0], change[1])
		}
		if r.name != "ApikeysGateFails" {
			tried = append(tried, r)
		}
	}
	p := startPrometheus(t, map[string]string{"gate-rules.yml": quick(read(t, "monitoring/gate-rules.yml"), strings.NewReplacer(changes...), "15s")}, map[string]string{
		`"gate-1.example.com:9102", "gate-2.example.com:9102"`: strings.Join(targets, ", "), "/etc/prometheus/vault-token": "/dev/null",
	})
	begun := time.Now()
	warm, limited := e.Issue(t, "web", "acme").Text, e.Minted(t, "issue/web", fields{"owner": "acme", "quota": 3200}).Text
	p.wantQuiet(t, func() { askGate(t, lenient, warm); askGate(t, killed, warm) })

	over := make(chan struct{})
	var all sync.WaitGroup
	defer func() { close(over); all.Wait() }()
	every := func(pause time.Duration, g *harness.Gate, key func() string) {
		all.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(pause):
					_, _ = g.Try("GET", "/forward/web", nil, "X-API-Key: "+key(), "X-Client-Ip: 192.0.2.7")
				}
			}
		})
	}
	every(100*time.Millisecond, closing, func() string { return warm })
	every(100*time.Millisecond, denied, func() string { return warm })
	for range 4 {
		every(5*time.Millisecond, lenient, func() string { return forged(t) })
	}
	killed.Kill()
	seen := map[string]bool{}
	p.fire(t, seen, named(tried, "ApikeysGateFlood", "ApikeysGateDenied", "ApikeysGateLogLost", "ApikeysGateDown"))
	for range 40 { // so that it borrows more than it needs at once
		askGate(t, lenient, limited)
	}
	t.Cleanup(func() { e.Server.Unseal(t); e.AwaitPlugin(t) }) // for those that clean up
	e.Server.Seal(t)
	p.fire(t, seen, tried)
	p.panels(t, "gate-dashboard.json", begun, time.Now())
}

func named(all []rule, names ...string) []rule {
	return slices.DeleteFunc(slices.Clone(all), func(r rule) bool { return !slices.Contains(names, r.name) })
}

// wantQuiet wants no rule to fire, but what is let fire, while gates are in use for some seconds.
func (p prometheus) wantQuiet(t *testing.T, use func()) {
	t.Helper()
	var scraped struct{ Data struct{ Result []any } }
	for begun := time.Now(); time.Since(begun) < 6*time.Second; time.Sleep(200 * time.Millisecond) {
		use()
		seen := map[string]bool{}
		if err := p.firing(seen); err != nil {
			t.Fatal(err)
		}
		for name := range seen {
			if _, may := feigned[name]; !may {
				t.Errorf("%s fires where nothing is wrong", name)
			}
		}
	}
	if err := p.ask("/api/v1/query", map[string][]string{"query": {`up{job="apikeys-gate"} == 1`}}, &scraped); err != nil || len(scraped.Data.Result) != 4 {
		t.Errorf("scraped are %v, %v", scraped, err)
	}
}

// forged is what has the form of a key and is none.
func forged(t testing.TB) string {
	t.Helper()
	tagKey, err := apikey.NewTagKey(make([]byte, apikey.TagKeyLength))
	if err != nil {
		t.Fatal(err)
	}
	id, err := apikey.NewID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := apikey.Generate(rand.Reader, tagKey, "vak", id, 1)
	if err != nil {
		t.Fatal(err)
	}
	return key.Reveal()
}
