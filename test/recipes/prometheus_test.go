package recipes

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/picture"
	"vault-plugin-secrets-apikeys/test/surface"
)

// hasten are the changes to the rules that let each fire within seconds, on what a healthy mount exports. What the rules
// say by themselves is tried by promtool.
var hasten = strings.NewReplacer(
	"apikeys_limit_counters_max > 0.8", "apikeys_limit_counters_max >= 0",
	"> 0.05", "> 0",
	"[15m])) > 0.2", "[15m])) > 0",
	`apikeys_undecided_total{http_status="500"}[5m])) > 0`, `apikeys_undecided_total{http_status="500"}[5m])) >= 0`,
	`apikeys_flushes_total{state="failed"}[15m]) > 0`, `apikeys_flushes_total{state="failed"}[15m]) >= 0`,
	"> 4 * 3600", ">= 0",
)

var spans = regexp.MustCompile(`\[\d+[mh]\]|for: \w+`)

// quick are rules that fire by what was within a span, and at once.
func quick(text string, hasten *strings.Replacer, span string) string {
	return spans.ReplaceAllStringFunc(hasten.Replace(text), func(s string) string {
		if s[0] == '[' {
			return "[" + span + "]"
		}
		return "for: 0s"
	})
}

// scrapeMount starts a Prometheus that scrapes a mount, with a token of its own.
func scrapeMount(t *testing.T, e surface.Engine) (p prometheus, token string) {
	t.Helper()
	policy := strings.ReplaceAll(read(t, "policies/prometheus.hcl"), `"apikeys/`, `"`+e.Mount+`/`)
	token = e.TokenWith(t, policy, map[string]any{"no_default_policy": true})
	return startPrometheus(t, map[string]string{"token": token, "rules.yml": quick(read(t, "monitoring/rules.yml"), hasten, "5s")}, map[string]string{
		"scheme: https": "scheme: http", "/v1/apikeys/": "/v1/" + e.Mount + "/", "/etc/prometheus/vault-token": "token",
		"vault.example.com:8200": strings.TrimPrefix(e.Address(), "http://"),
	}), token
}

// TestPrometheusScrapesVaultAndEachRuleFires lets a mount live through half a minute with a bit of everything: what
// Prometheus makes of it is drawn as the dashboard, whose picture the README shows (DASHBOARD_SVG=file keeps it).
func TestPrometheusScrapesVaultAndEachRuleFires(t *testing.T) {
	t.Parallel()
	// A server of its own: it fills all slots for hashes, and others' keys are renewed to the second.
	e := watched(t, harness.Start(t, harness.Options{Plugin: true}))
	p, token := scrapeMount(t, e)
	traffic(t, e)
	begun := time.Now()
	seen := map[string]bool{}
	wait := func(except string) {
		t.Helper()
		p.fire(t, seen, slices.DeleteFunc(rules(t, "rules.yml"), func(r rule) bool { return r.name == except }))
	}
	wait("ApikeysNotScraped")
	const shown = 24 * time.Second
	time.Sleep(time.Until(begun.Add(shown + 4*time.Second))) // for a picture of more than a moment
	panels := p.panels(t, "dashboard.json", time.Now().Add(-shown), time.Now())
	e.Expect(t, 204, "POST", "auth/token/revoke", fields{"token": token})
	wait("")
	svg := picture.Draw(panels)
	if file := os.Getenv("DASHBOARD_SVG"); file != "" {
		if err := os.WriteFile(file, svg, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// traffic is what a mount lives through until the test ends: customers, a guesser, a narrowed role, a revoked key that
// is still used, a honeytoken, a mass issue, and a damaged record.
func traffic(t *testing.T, e surface.Engine) {
	t.Helper()
	e.Write(t, "roles/web", fields{"rotation_period": "1s"})
	e.Write(t, "roles/partner", fields{"generate_lease": false, "rate_limit": 3, "rate_limit_period": "1s", "quota": 1000000})
	k, limited, revoked := e.Issue(t, "web", "acme"), e.Issue(t, "partner", "ajax"), e.Issue(t, "admin", "acme")
	e.Want(t, 200, "POST", "rotate/"+limited.ID, fields{"activation": "first_use"})
	e.Want(t, 200, "POST", "revoke/"+revoked.ID, nil)
	const damaged = "ZZZZZZZZZZZZZZZZ"
	e.WriteMount(t, e.Mount, "key/ZZ/"+damaged, []byte("{"))
	t.Cleanup(func() { e.DeleteMount(t, e.Mount, "key/ZZ/"+damaged) })

	over := make(chan struct{})
	var all sync.WaitGroup
	t.Cleanup(func() { close(over); all.Wait() })
	every := func(pause time.Duration, path string, body func(i int) fields) {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				case <-time.After(pause):
					e.Ask(t, "POST", path, body(i))
				}
			}
		})
	}
	every(10*time.Millisecond, "verify/web", func(i int) fields { return fields{"key": k.Text} })
	every(100*time.Millisecond, "verify/web", func(i int) fields { return fields{"key": fmt.Sprint("guess", i)} })
	every(20*time.Millisecond, "verify/web", func(i int) fields { return fields{"key": revoked.Text[:60] + fmt.Sprint(i)} })
	every(40*time.Millisecond, "verify/admin", func(i int) fields { return fields{"key": revoked.Text} })
	every(100*time.Millisecond, "verify/partner", func(i int) fields { return fields{"key": limited.Text} })
	trap := e.Write(t, "honeytokens/laptop", fields{"role": "web"})
	every(3*time.Second, "verify/web", func(i int) fields { return fields{"key": trap["key"], "client_ip": "192.0.2.7"} })
	every(200*time.Millisecond, "verify/web", func(i int) fields { return fields{"key": k.Text, "scopes": "admin"} })
	every(4*time.Second, "tidy", func(i int) fields { return nil })
	every(7*time.Second, "issue/web", func(i int) fields {
		for range 90 {
			all.Go(func() { coldOnce(t, e) })
		}
		return fields{}
	})
}

// coldOnce issues a key and has it verified for the first time, as far as there is room for that.
func coldOnce(t *testing.T, e surface.Engine) {
	if r := e.Ask(t, "POST", "issue/web", nil); r.Status == 200 {
		e.Ask(t, "POST", "verify/web", fields{"key": r.Data()["key"]})
	}
}
