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
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/picture"
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
type prometheus struct{ address string }

// startPrometheus starts one with changes to the configuration, each of which must stand there, and these files beside it.
func startPrometheus(t *testing.T, files, changes map[string]string) prometheus {
	t.Helper()
	path, dir := program(t, "prometheus"), t.TempDir()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	config := read(t, "monitoring/prometheus.yml")
	changes["127.0.0.1:9093"] = "127.0.0.1:1"
	changes["rule_files:"] = "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n\nrule_files:"
	for before, after := range changes {
		if !strings.Contains(config, before) {
			t.Fatalf("the configuration has no %s", before)
		}
		config = strings.Replace(config, before, after, 1)
	}
	files["prometheus.yml"] = config
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	p := prometheus{fmt.Sprintf("127.0.0.1:%d", port)}
	ctx, end := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, path, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address="+p.address)
	command.Dir, command.Stdout, command.Stderr = dir, log, log
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

// fire waits until each of these rules was seen to fire.
func (p prometheus) fire(t *testing.T, seen map[string]bool, all []rule) {
	t.Helper()
	eventually(t, "all rules fire", func() error {
		var left []string
		if err := p.firing(seen); err != nil {
			return err
		}
		for _, r := range all {
			if !seen[r.name] {
				left = append(left, r.name)
			}
		}
		if left != nil {
			return fmt.Errorf("%v do not", left)
		}
		return nil
	})
}

// panels are the dashboard's, with what their expressions came to.
func (p prometheus) panels(t *testing.T, file string, from, to time.Time) (drawn []picture.Panel) {
	t.Helper()
	for _, shown := range dashboard(t, file) {
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
	expr = strings.NewReplacer("$__rate_interval", "4s", "$mount", ".*", "$instance", ".*").Replace(expr)
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
