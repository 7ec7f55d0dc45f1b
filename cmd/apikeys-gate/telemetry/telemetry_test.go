package telemetry

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/doors"
)

type mirror struct{ status edge.Status }

func (m mirror) Status() edge.Status { return m.status }

func (mirror) Measure(tell func(string, float64, ...string)) {
	tell("age_seconds", 1.5)
	tell("resets_total", 2)
	tell("cache_entries", 3, "keys")
	tell("upstream_calls_total", 4, "gate/changes", "silent")
	tell("upstream_seconds_total", 5, "gate/changes")
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	return w
}

func TestWhetherItIsReady(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status edge.Status
		code   int
		says   string
	}{
		"fresh":  {edge.Status{Ready: true, Age: 1200 * time.Millisecond, Cursor: "c"}, 200, `{"ready":true,"reason":"","degraded":false,"age":1.2,"cursor":"c"}`},
		"stale":  {edge.Status{Ready: true, Degraded: true, Reason: "vault is silent", Age: time.Minute, Cursor: "c"}, 200, `{"ready":true,"reason":"vault is silent","degraded":true,"age":60,"cursor":"c"}`},
		"closed": {edge.Status{Reason: "no answer yet"}, 503, `{"ready":false,"reason":"no answer yet","degraded":false,"age":0,"cursor":""}`},
	} {
		h := New(mirror{tc.status}, "v1", "c", func() uint64 { return 0 }).Handler()
		if w := get(t, h, "/ready"); w.Code != tc.code || strings.TrimSpace(w.Body.String()) != tc.says {
			t.Errorf("%s: %d, %s", name, w.Code, w.Body)
		}
		if w := get(t, h, "/health"); w.Code != 200 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: it does not live: %d", name, w.Code)
		}
		if w := get(t, h, "/forward/web"); w.Code != 404 {
			t.Errorf("%s: a door is open: %d", name, w.Code)
		}
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	telemetry := New(mirror{}, "v1.2.3", "abc", func() uint64 { return 9 })
	telemetry.Decided(doors.Decided{Door: "forward", Code: verify.Valid, Took: time.Microsecond})
	telemetry.Failed("grpc", "stale")
	body := get(t, telemetry.Handler(), "/metrics").Body.String()
	for _, want := range []string{
		`apikeys_gate_decisions_total{code="valid",door="forward"} 1`, `apikeys_gate_undecided_total{door="grpc",reason="stale"} 1`, `apikeys_gate_decision_seconds_count{door="forward"} 1`,
		`apikeys_gate_decision_log_lost_total 9`, `apikeys_gate_build_info{commit="abc",version="v1.2.3"} 1`,
		`apikeys_gate_age_seconds 1.5`, "# TYPE apikeys_gate_resets_total counter\napikeys_gate_resets_total 2", `apikeys_gate_cache_entries{cache="keys"} 3`,
		`apikeys_gate_upstream_calls_total{outcome="silent",path="gate/changes"} 4`, `apikeys_gate_upstream_seconds_total{path="gate/changes"} 5`, "process_resident_memory_bytes",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("there is no %s in:\n%s", want, body)
		}
	}
}
