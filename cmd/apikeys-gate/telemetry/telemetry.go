// Package telemetry is how a gate is watched: whether it lives, whether it answers, and
// figures for Prometheus. None of it names a key.
package telemetry

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/doors"
)

// Mirror is what is watched.
type Mirror interface {
	Status() edge.Status
	Measure(tell func(figure string, value float64, labels ...string))
}

// Telemetry counts what doors answer, and shows it.
type Telemetry struct {
	mirror   Mirror
	counters map[string]map[verify.Code]*counters // by door, as finding one by its labels takes longer than counting
	registry *prometheus.Registry
	decided  *prometheus.CounterVec
	failed   *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

const namespace = "apikeys_gate"

// New makes the telemetry of a gate. lost is how many lines the decision log lost.
func New(mirror Mirror, version, commit string, lost func() uint64) *Telemetry {
	t := &Telemetry{
		mirror: mirror, registry: prometheus.NewRegistry(),
		decided: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "decisions_total", Help: "Decisions by door and code."}, []string{"door", "code"}),
		failed:  prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "undecided_total", Help: "Requests that were not decided, by door and reason: busy, stale, closed, gone where who asked has hung up, or the text of a status."}, []string{"door", "reason"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "decision_seconds", Help: "How long decisions took, by door.",
			Buckets: []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5, 2},
		}, []string{"door"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": version, "commit": commit}}, func() float64 { return 1 })
	logged := prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: "decision_log_lost_total", Help: "Lines of the decision log that could not be written."}, func() float64 { return float64(lost()) })
	t.registry.MustRegister(t.decided, t.failed, t.took, build, logged, mirrored{mirror}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	t.count()
	return t
}

// counters are those of a door's decisions of one code.
type counters struct {
	decided prometheus.Counter
	took    prometheus.Observer
}

// count makes the counters of all doors, so that a figure is there before it counts.
func (t *Telemetry) count() {
	t.counters = make(map[string]map[verify.Code]*counters)
	for _, door := range doors.Names() {
		t.counters[door] = make(map[verify.Code]*counters)
		for _, code := range verify.Codes() {
			t.counters[door][code] = &counters{t.decided.WithLabelValues(door, string(code)), t.took.WithLabelValues(door)}
		}
	}
}

// Decided counts a decision.
func (t *Telemetry) Decided(d doors.Decided) {
	c := t.counters[d.Door][d.Code]
	c.decided.Inc()
	c.took.Observe(d.Took.Seconds())
}

// Failed counts a request that was not decided.
func (t *Telemetry) Failed(door, why string) { t.failed.WithLabelValues(door, why).Inc() }

// Handler answers /health, /ready and /metrics.
func (t *Telemetry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"alive":true}` + "\n"))
	})
	mux.HandleFunc("GET /ready", t.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{}))
	return mux
}

// readiness is what /ready says. Times are seconds.
type readiness struct {
	Ready    bool    `json:"ready"`
	Reason   string  `json:"reason"`
	Degraded bool    `json:"degraded"`
	Age      float64 `json:"age"`
	Cursor   string  `json:"cursor"`
}

func (t *Telemetry) ready(w http.ResponseWriter, _ *http.Request) {
	s := t.mirror.Status()
	w.Header().Set("Content-Type", "application/json")
	if !s.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	body, _ := json.Marshal(readiness{s.Ready, s.Reason, s.Degraded, s.Age.Seconds(), s.Cursor}) // texts and numbers
	_, _ = w.Write(append(body, '\n'))
}

// mirrored are the figures of a mirror.
type mirrored struct{ Mirror }

// labels are those of figures that have some, by the beginning of their names.
var labels = map[string][]string{
	"cache_":           {"cache"},
	"upstream_calls":   {"path", "outcome"},
	"upstream_seconds": {"path"},
	"upstream_denied":  {"path"},
	"unknown_keys":     {"result"},
}

// Describe tells nothing: which figures there are is the mirror's to say.
func (mirrored) Describe(chan<- *prometheus.Desc) {}

// Collect tells of this moment.
func (m mirrored) Collect(out chan<- prometheus.Metric) {
	m.Measure(func(figure string, value float64, with ...string) {
		var names []string
		for prefix, of := range labels {
			if strings.HasPrefix(figure, prefix) {
				names = of
			}
		}
		kind := prometheus.GaugeValue
		if strings.HasSuffix(figure, "_total") {
			kind = prometheus.CounterValue
		}
		desc := prometheus.NewDesc(namespace+"_"+figure, "Of what the gate holds and asks: "+strings.ReplaceAll(figure, "_", " ")+".", names, nil)
		metric, err := prometheus.NewConstMetric(desc, kind, value, with...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(desc, err)
		}
		out <- metric
	})
}
