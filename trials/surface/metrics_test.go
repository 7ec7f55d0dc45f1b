package surface

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// scrape is what Prometheus reads: each series, by its name and labels, and its value.
type scrape struct {
	text   string
	series map[string]float64
}

func scraped(t *testing.T, m *mount.Mount) scrape {
	t.Helper()
	resp, err := m.Backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.ReadOperation, Path: "metrics", Storage: m.Storage})
	if err != nil || resp.Data[logical.HTTPStatusCode] != 200 || resp.Data[logical.HTTPContentType] != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatal(resp, err)
	}
	text := resp.Data[logical.HTTPRawBody].([]byte)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	s := scrape{string(text), map[string]float64{}}
	for name, family := range families {
		if !strings.HasPrefix(name, "apikeys_") || family.GetHelp() == "" {
			t.Errorf("%s has no help, or another beginning", name)
		}
		for _, of := range family.Metric {
			s.series[name+labels(of.Label)] = value(of)
		}
	}
	return s
}

func labels(pairs []*dto.LabelPair) string {
	var all []string
	for _, p := range pairs {
		all = append(all, p.GetName()+"="+p.GetValue())
	}
	slices.Sort(all)
	return "{" + strings.Join(all, ",") + "}"
}

func value(m *dto.Metric) float64 {
	if m.Histogram != nil {
		return float64(m.Histogram.GetSampleCount())
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func (s scrape) want(t *testing.T, series string, want float64) {
	t.Helper()
	if got, there := s.series[series]; !there || got != want {
		t.Errorf("%s is %v (%t), want %v", series, got, there, want)
	}
}

func TestTheMetricsAreRightAfterAKnownSequence(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false, "rotation_period": 1, "allowed_scopes": []string{"read"}})
	m.Must("roles/bounded", map[string]any{"generate_lease": false, "quota": 5})
	web, bounded := m.Must("issue/web", map[string]any{"owner": "acme"}), m.Must("issue/bounded", nil)
	m.Must("issue/web", nil)
	for range 3 {
		m.Must("verify/web", map[string]any{"key": web.Key()})
	}
	m.Must("verify/web", map[string]any{"key": web.Key(), "scopes": []string{"read"}})
	m.Must("verify/web", map[string]any{"key": bounded.Key()})
	m.Must("verify", map[string]any{"key": bounded.Key()})
	m.Must("verify", map[string]any{"key": "nonsense"})
	m.Must("rotate/"+bounded.Str("key_id"), map[string]any{"activation": "first_use"})
	m.Must("gate/report/bounded", map[string]any{"gate": "edge-1", "run": "r1", "sequence": 1, "uses": []any{
		map[string]any{"key_id": bounded.Str("key_id"), "version": 1, "code": "ip_denied", "count": 7, "at": 1},
	}})
	m.Must("revoke/"+web.Str("key_id"), nil)
	m.Must("verify/web", map[string]any{"key": web.Key()})
	m.Tidy()
	m.Storage.Intercept(memory.Before(func(string, string) error { return errors.New("storage is away") }))
	m.Backend.InvalidateKey(t.Context(), "key/"+bounded.Str("key_id")[:2]+"/"+bounded.Str("key_id"))
	if a := m.Write("verify", map[string]any{"key": bounded.Key()}); a.Status != 500 {
		t.Error(a)
	}
	m.Storage.Intercept(nil)

	s := scraped(t, m)
	for series, want := range map[string]float64{
		"apikeys_decisions_total{code=valid,role=web}":              3,
		"apikeys_decisions_total{code=insufficient_scope,role=web}": 1,
		"apikeys_decisions_total{code=ip_denied,role=bounded}":      7,
		"apikeys_decisions_total{code=invalid,role=web}":            1,
		"apikeys_decisions_total{code=revoked,role=web}":            1,
		"apikeys_decisions_total{code=valid,role=bounded}":          1,
		"apikeys_decisions_total{code=invalid,role=bounded}":        0,
		"apikeys_decisions_total{code=invalid,role=}":               1,
		"apikeys_undecided_total{http_status=500}":                  1,
		"apikeys_undecided_total{http_status=503}":                  0,
		"apikeys_decision_duration_seconds{kind=cold}":              2,
		"apikeys_decision_duration_seconds{kind=warm}":              6,
		"apikeys_cache_entries{cache=proofs}":                       2,
		"apikeys_cache_misses_total{cache=proofs}":                  2,
		"apikeys_argon2_runs_total{kind=mint}":                      3,
		"apikeys_argon2_runs_total{kind=verify}":                    2,
		"apikeys_argon2_waiting{kind=verify}":                       0,
		"apikeys_argon2_slots{}":                                    1,
		"apikeys_keys{role=web}":                                    1,
		"apikeys_keys{role=bounded}":                                1,
		"apikeys_versions_pending{role=bounded}":                    1,
		"apikeys_versions_pending{role=web}":                        0,
		"apikeys_keys_unreadable{}":                                 0,
		"apikeys_tidy_runs_total{state=done}":                       1,
		"apikeys_tidy_keys_removed_total{}":                         0,
		"apikeys_quota_reservations_total{}":                        1,
		"apikeys_limit_counters{}":                                  1,
	} {
		s.want(t, series, want)
	}
	m.Must("stop/roles/web", nil)
	if a := m.Do(logical.DeleteOperation, "roles/web", nil); !a.OK() {
		t.Fatal(a)
	}
	s = scraped(t, m)
	for series := range s.series {
		if strings.Contains(series, "role=web") {
			t.Errorf("the role is gone, %s is not", series)
		}
	}
	m.Must("roles/web", nil)
	scraped(t, m).want(t, "apikeys_decisions_total{code=valid,role=web}", 0)
}

// Whatever is asked, and whoever asks it, there are as many series as before; and none
// tells whose key it was.
func TestNothingThatIsAskedMakesASeries(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false})
	k := m.Must("issue/web", map[string]any{"owner": "canaryowner", "name": "canaryname"})
	before := scraped(t, m)
	for i := range 500 {
		for _, path := range []string{"verify", "verify/web", fmt.Sprintf("verify/canaryrole%d", i), fmt.Sprintf("authorize/canaryrole%d", i)} {
			m.Write(path, map[string]any{"key": k.Key()})
			m.Write(path, map[string]any{"key": fmt.Sprintf("%s%d", k.Key()[:40], i)})
		}
		m.Write(fmt.Sprintf("issue/canaryrole%d", i), nil)
	}
	m.Tidy()
	after := scraped(t, m)
	for series := range after.series {
		if _, was := before.series[series]; !was && !strings.Contains(series, "role=web") && !strings.HasPrefix(series, "apikeys_tidy") && !strings.HasPrefix(series, "apikeys_keys_") {
			t.Errorf("%s is new", series)
		}
	}
	if got := len(after.series) - len(before.series); got > 10 {
		t.Errorf("there are %d more series", got)
	}
	for what, text := range map[string]string{"the key": k.Key(), "its id": k.Str("key_id"), "its owner": "canary"} {
		if strings.Contains(after.text, text) {
			t.Errorf("%s shows", what)
		}
	}
	m.Secrets.MustNotAppear(t, "the metrics", after.text)
	after.want(t, "apikeys_decisions_total{code=invalid,role=}", 2500)
}

func TestTheMetricsAreAnsweredWhileStorageIsInTrouble(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", nil)
	m.Storage.Intercept((&memory.Fault{Kind: memory.Outage}).Around)
	scraped(t, m).want(t, "apikeys_decisions_total{code=valid,role=web}", 0)
}
