package recipes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// panel is one of the dashboard, as far as it is held against anything.
type panel struct {
	Title, Description, Type string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds struct {
				Steps []struct {
					Color string
					Value float64
				}
			}
		}
	}
	Targets []struct{ Expr, LegendFormat string }
}

func dashboard(t testing.TB, file string) []panel {
	t.Helper()
	var shown struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, "monitoring/"+file)), &shown); err != nil {
		t.Fatal(err)
	}
	return shown.Panels
}

// rule is an alert with the lines that it stands in.
type rule struct{ name, expr string }

var ruleLines = regexp.MustCompile(`(?m)^ +- alert: (\w+)\n +expr: (.*)\n`)

func rules(t testing.TB, file string) (found []rule) {
	t.Helper()
	for _, m := range ruleLines.FindAllStringSubmatch(read(t, "monitoring/"+file), -1) {
		found = append(found, rule{m[1], m[2]})
	}
	return found
}

// watched is a mount whose every figure has a value: it was tidied and flushed, and a key was refused.
func watched(t testing.TB, s *harness.Server) surface.Engine {
	t.Helper()
	e := surface.New(t, s)
	e.Write(t, "config", fields{"usage_flush_interval": "1s"})
	return e
}

// exported are the labels of each metric in what is scraped, and the values of each label.
func exported(t testing.TB, scraped []byte) map[string]map[string][]string {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(scraped))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]string{}
	for name, family := range families {
		names := []string{name}
		if family.GetType().String() == "HISTOGRAM" {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, name := range names {
			all[name] = map[string][]string{}
			for _, m := range family.Metric {
				for _, pair := range m.Label {
					all[name][pair.GetName()] = append(all[name][pair.GetName()], pair.GetValue())
				}
			}
		}
	}
	return all
}

var (
	selector = regexp.MustCompile(`(apikeys_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`by \(([^)]*)\)`)
	// ofScrapes are labels that Prometheus adds, by the configuration or by itself.
	ofScrapes = []string{"mount", "job", "instance", "le"}
)

// wrongs are what an expression uses and nothing exports.
func wrongs(expr string, all map[string]map[string][]string) (found []string) {
	labels := map[string]bool{}
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		of, there := all[m[1]]
		if !there {
			found = append(found, m[1])
		}
		for label := range of {
			labels[label] = true
		}
		for _, match := range matcher.FindAllStringSubmatch(m[2], -1) {
			values, has := of[match[1]]
			if slices.Contains(ofScrapes, match[1]) {
				continue
			}
			plain := match[2] == "=" || match[2] == "!="
			if !has || plain && !slices.Contains(values, match[3]) {
				found = append(found, m[1]+match[0])
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, label := range strings.Split(m[1], ", ") {
			if !labels[label] && !slices.Contains(ofScrapes, label) {
				found = append(found, m[0])
			}
		}
	}
	return found
}

// figured are the metrics of a mount that has flushed and was tidied.
func figured(t testing.TB) map[string]map[string][]string {
	t.Helper()
	e := watched(t, servers.Server(t))
	k := e.Issue(t, "web", "acme")
	e.WantCode(t, "valid", k.Text)
	e.Want(t, 200, "POST", "tidy", nil)
	var all map[string]map[string][]string
	eventually(t, "tidy and a flush", func() error {
		if all = exported(t, e.Want(t, 200, "GET", "metrics", nil).Raw); all["apikeys_keys"] == nil || all["apikeys_tidy_last_success_timestamp_seconds"] == nil || all["apikeys_flush_last_success_timestamp_seconds"] == nil {
			return fmt.Errorf("the figures are %v", slices.Sorted(maps.Keys(all)))
		}
		return nil
	})
	return all
}

// wantUsed holds each metric, label and value in a dashboard and in rules against what is exported.
func wantUsed(t *testing.T, dashboardFile, rulesFile string, all map[string]map[string][]string, least int) {
	t.Helper()
	used := 0
	check := func(what, expr string) {
		if found := wrongs(expr, all); found != nil {
			t.Errorf("%s: nothing exports %q", what, found)
		}
		used += len(selector.FindAllString(expr, -1))
	}
	for _, r := range rules(t, rulesFile) {
		check(r.name, r.expr)
	}
	for _, p := range dashboard(t, dashboardFile) {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("the panel %q says too little", p.Title)
		}
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	if used < least {
		t.Errorf("they use only %d metrics", used)
	}
}

// TestDashboardAndRulesUseWhatThereIs holds them to what a mount exports, and the reference's table as well.
func TestDashboardAndRulesUseWhatThereIs(t *testing.T) {
	t.Parallel()
	all := figured(t)
	wantUsed(t, "dashboard.json", "rules.yml", all, 40)
	if found := wrongs(`sum by (owner) (apikeys_nothing{role="x"}) + apikeys_keys{role="nobody"}`, all); len(found) != 4 {
		t.Errorf("what is wrong is found as %q", found)
	}

	told := map[string]bool{}
	for _, line := range regexp.MustCompile("(?m)^\\| (`apikeys_[^|]*)\\|([^|]*)\\|").FindAllStringSubmatch(read(t, "../../paths/README.md"), -1) {
		for _, name := range regexp.MustCompile(`\w+`).FindAllString(line[1], -1) {
			told[name] = true
			of, there := all[name]
			if !there {
				if of, there = all[name+"_count"]; !there {
					t.Errorf("the reference tells of %s, which nothing exports", name)
				}
			}
			if labels := regexp.MustCompile(`\w+`).FindAllString(line[2], -1); fmt.Sprint(slices.Sorted(maps.Keys(of))) != fmt.Sprint(slices.Sorted(slices.Values(labels))) {
				t.Errorf("the reference tells of %s with the labels %v, it has %v", name, labels, slices.Sorted(maps.Keys(of)))
			}
		}
	}
	for name := range all {
		if name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count"); !told[name] {
			t.Errorf("the reference does not tell of %s", name)
		}
	}
}

// TestEachRuleFiresAndIsSilentWhereNothingIsWrong has promtool run the rules over made-up series, in their own times.
func TestEachRuleFiresAndIsSilentWhereNothingIsWrong(t *testing.T) {
	t.Parallel()
	program(t, "prometheus")
	for _, of := range []string{"rules", "gate-rules"} {
		tested := read(t, "monitoring/"+of+"_test.yml")
		for _, r := range rules(t, of+".yml") {
			if strings.Count(tested, r.name) != 2 {
				t.Errorf("%s is not tested both ways", r.name)
			}
		}
		run(t, "promtool", "test", "rules", "monitoring/"+of+"_test.yml")
	}
}

// TestAlertsReachWhoTheyAreFor has amtool route them: what a stranger did to security, the rest to operators.
func TestAlertsReachWhoTheyAreFor(t *testing.T) {
	t.Parallel()
	amtool := program(t, "amtool")
	run(t, amtool, "check-config", "monitoring/alertmanager.yml")
	for _, r := range append(rules(t, "rules.yml"), rules(t, "gate-rules.yml")...) {
		for _, severity := range []string{"warning", "critical"} {
			receiver := "operators"
			if r.name == "ApikeysAlertOpen" && severity == "critical" {
				receiver = "security"
			}
			run(t, amtool, "config", "routes", "test", "--config.file=monitoring/alertmanager.yml", "--verify.receivers="+receiver, "alertname="+r.name, "severity="+severity)
		}
	}
}
