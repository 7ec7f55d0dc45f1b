package recipes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/picture"
	"vault-plugin-secrets-apikeys/test/surface"
)

// program is one of Prometheus's.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not there: scripts/packages.sh installs it", name)
	}
	return path
}

func run(t testing.TB, name string, arguments ...string) {
	t.Helper()
	if output, err := exec.CommandContext(t.Context(), name, arguments...).CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, arguments, err, output)
	}
}

func eventually(t testing.TB, what string, try func() error) {
	t.Helper()
	harness.Eventually(t, 40*time.Second, what, try)
}

// prometheus is one that runs with the recipe's files, but by the second.
type prometheus struct{ address, token string }

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

func quick(text string) string {
	return spans.ReplaceAllStringFunc(hasten.Replace(text), func(s string) string {
		if s[0] == '[' {
			return "[5s]"
		}
		return "for: 0s"
	})
}

func startPrometheus(t *testing.T, e surface.Engine) prometheus {
	t.Helper()
	path, dir := program(t, "prometheus"), t.TempDir()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	policy := strings.ReplaceAll(read(t, "policies/prometheus.hcl"), `"apikeys/`, `"`+e.Mount+`/`)
	p := prometheus{fmt.Sprintf("127.0.0.1:%d", port), e.TokenWith(t, policy, map[string]any{"no_default_policy": true})}
	write := func(file, text string) string {
		file = filepath.Join(dir, file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	config := read(t, "monitoring/prometheus.yml")
	for before, after := range map[string]string{
		"scheme: https": "scheme: http", "/v1/apikeys/": "/v1/" + e.Mount + "/", "/etc/prometheus/vault-token": write("token", p.token),
		"vault.example.com:8200": strings.TrimPrefix(e.Address(), "http://"),
		"127.0.0.1:9093":         "127.0.0.1:1", "rule_files:": "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n\nrule_files:",
	} {
		if !strings.Contains(config, before) {
			t.Fatalf("the configuration has no %s", before)
		}
		config = strings.Replace(config, before, after, 1)
	}
	write("rules.yml", quick(read(t, "monitoring/rules.yml")))
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, path, "--config.file="+write("prometheus.yml", config), "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+p.address)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end()
		_ = command.Wait()
		if t.Failed() {
			t.Log(read(t, log.Name()))
		}
	})
	eventually(t, "Prometheus is ready", func() error { return p.ask("/-/ready", nil, nil) })
	return p
}

// ask is a question to Prometheus's own API.
func (p prometheus) ask(path string, query url.Values, answer any) error {
	r, err := http.Get("http://" + p.address + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return errors.New(r.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(r.Body).Decode(answer)
}

// firing adds the alerts that fire now.
func (p prometheus) firing(seen map[string]bool) error {
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	if err := p.ask("/api/v1/alerts", nil, &answer); err != nil {
		return err
	}
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" && a.Labels["severity"] != "" {
			seen[a.Labels["alertname"]] = true
		}
	}
	return nil
}

// TestPrometheusScrapesVaultAndEachRuleFires lets a mount live through half a minute with a bit of everything: what
// Prometheus makes of it is drawn as the dashboard, whose picture the README shows (DASHBOARD_SVG=file keeps it).
func TestPrometheusScrapesVaultAndEachRuleFires(t *testing.T) {
	t.Parallel()
	// A server of its own: it fills all slots for hashes, and others' keys are renewed to the second.
	e := watched(t, harness.Start(t, harness.Options{Plugin: true}))
	p := startPrometheus(t, e)
	traffic(t, e)
	begun := time.Now()
	seen := map[string]bool{}
	wait := func(except string) {
		t.Helper()
		eventually(t, "all rules fire", func() error {
			var left []string
			if err := p.firing(seen); err != nil {
				return err
			}
			for _, r := range rules(t) {
				if !seen[r.name] && r.name != except {
					left = append(left, r.name)
				}
			}
			if left != nil {
				return fmt.Errorf("%v do not", left)
			}
			return nil
		})
	}
	wait("ApikeysNotScraped")
	const shown = 24 * time.Second
	time.Sleep(time.Until(begun.Add(shown + 4*time.Second))) // for a picture of more than a moment
	panels := p.panels(t, time.Now().Add(-shown), time.Now())
	e.Expect(t, 204, "POST", "auth/token/revoke", fields{"token": p.token})
	wait("")
	svg := picture.Draw(panels)
	if file := os.Getenv("DASHBOARD_SVG"); file != "" {
		if err := os.WriteFile(file, svg, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// panels are the dashboard's, with what their expressions came to.
func (p prometheus) panels(t *testing.T, from, to time.Time) (drawn []picture.Panel) {
	t.Helper()
	for _, shown := range dashboard(t) {
		d := picture.Panel{Title: shown.Title, Unit: shown.FieldConfig.Defaults.Unit, Stat: shown.Type == "stat",
			X: shown.GridPos.X, Y: shown.GridPos.Y, W: shown.GridPos.W, H: shown.GridPos.H}
		for _, target := range shown.Targets {
			d.Lines = append(d.Lines, p.lines(t, target.Expr, target.LegendFormat, from, to)...)
		}
		if len(d.Lines) == 0 {
			t.Errorf("the panel %s is empty", shown.Title)
		}
		d.Colour = colour(shown, d)
		drawn = append(drawn, d)
	}
	return drawn
}

// colour is what the thresholds of a number make of its last value.
func colour(shown panel, d picture.Panel) (now string) {
	for _, step := range shown.FieldConfig.Defaults.Thresholds.Steps {
		if values := d.Lines[0].Values; values[len(values)-1] >= step.Value {
			now = map[string]string{"green": "#3a9d5d", "orange": "#d9822b", "red": "#c0392b"}[step.Color]
		}
	}
	return now
}

var legend = regexp.MustCompile(`\{\{(\w+)\}\}`)

func (p prometheus) lines(t *testing.T, expr, name string, from, to time.Time) (lines []picture.Line) {
	t.Helper()
	expr = strings.NewReplacer("$__rate_interval", "4s", "$mount", ".*").Replace(expr)
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	query := url.Values{"query": {expr}, "start": {fmt.Sprint(from.Unix())}, "end": {fmt.Sprint(to.Unix())}, "step": {"1"}}
	if err := p.ask("/api/v1/query_range", query, &answer); err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	for _, r := range answer.Data.Result {
		line := picture.Line{Values: make([]float64, to.Unix()-from.Unix()+1), Name: legend.ReplaceAllStringFunc(name, func(of string) string {
			return r.Metric[strings.Trim(of, "{}")]
		})}
		for i := range line.Values {
			line.Values[i] = math.NaN()
		}
		for _, pair := range r.Values {
			at := int64(pair[0].(float64)) - from.Unix()
			line.Values[at], _ = strconv.ParseFloat(pair[1].(string), 64)
		}
		lines = append(lines, line)
	}
	return lines
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
