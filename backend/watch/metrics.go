package watch

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Tell takes one figure, which is one of Figures by its name, with a value for each of
// its labels.
type Tell = func(figure string, value float64, labels ...string)

// RoleLister tells which roles there are.
type RoleLister interface {
	Roles(ctx context.Context) ([]string, error)
}

// Metrics are the figures of one mount, in a registry of its own.
//
// Decisions are counted as they are made, by atomic additions to counters that were
// looked up before. All else is measured at a scrape, where it is kept: at a cost that
// follows the roles, never the keys.
//
// A label is never what a request says, but a role that there is, or one of a few
// words of the engine: whatever is asked, the number of series stays. What is asked
// under no role, or under one that there is not, counts for the role "".
type Metrics struct {
	roles    RoleLister
	measure  func(Tell)
	registry *prometheus.Registry

	decisions *prometheus.CounterVec
	undecided map[int]prometheus.Counter // by HTTP status
	cold      prometheus.Observer
	warm      prometheus.Observer

	byRole  atomic.Pointer[map[string]counters]
	mu      sync.Mutex // held while byRole is changed
	changes int        // counts what RoleChanged did
}

// codes are those of the counters of a role.
var codes = verify.Codes()

// counters are of one role, in the order of codes.
type counters []prometheus.Counter

// NewMetrics makes the metrics of a mount. measure is called at each scrape, and tells
// what is kept elsewhere.
func NewMetrics(roles RoleLister, measure func(Tell)) *Metrics {
	m := &Metrics{
		roles: roles, measure: measure, registry: prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apikeys_decisions_total",
			Help: "Decisions that were answered, by the role of the key, or the one that was asked for, and by code.",
		}, []string{"role", "code"}),
	}
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "apikeys_decision_duration_seconds",
		Help:    "How long a decision took in the plugin; cold is one that Argon2 ran for.",
		Buckets: []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"kind"})
	m.cold, m.warm = took.WithLabelValues("cold"), took.WithLabelValues("warm")
	undecided := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "apikeys_undecided_total",
		Help: "Requests for a decision that could not be made, by what was answered: 503 under overload, 500 for a fault that the log names.",
	}, []string{"http_status"})
	m.undecided = make(map[int]prometheus.Counter)
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} {
		m.undecided[status] = undecided.WithLabelValues(strconv.Itoa(status))
	}
	m.registry.MustRegister(m.decisions, undecided, took, figuresOf{m})
	m.byRole.Store(&map[string]counters{"": m.counters("")})
	return m
}

// counters are those of a role, all of which are there from the beginning.
func (m *Metrics) counters(role string) counters {
	of := make(counters, len(codes))
	for i, code := range codes {
		of[i] = m.decisions.WithLabelValues(role, string(code))
	}
	return of
}

// Observe counts a decision. It makes no counters: a name in a request says nothing of
// whether there is such a role.
func (m *Metrics) Observe(o *verify.Observation) {
	role := o.Decision.Key.Role
	if role == "" {
		role = o.Role
	}
	byRole := *m.byRole.Load()
	of, known := byRole[role]
	if !known {
		of = byRole[""]
	}
	if at := slices.Index(codes, o.Decision.Code); at >= 0 {
		of[at].Add(float64(o.Count()))
	}
	switch {
	case o.Reported != nil: // nobody waited here
	case o.Hashed:
		m.cold.Observe(o.Took.Seconds())
	default:
		m.warm.Observe(o.Took.Seconds())
	}
}

// Undecided counts a request that could not be decided, where that is a fault of the mount
// or its overload. It is none that the caller made a mistake, or gave up, or that only
// another node can answer. Without an error it was a panic.
func (m *Metrics) Undecided(why error) {
	if store.Elsewhere(why) || errors.Is(why, context.Canceled) {
		return
	}
	status := http.StatusInternalServerError
	if told := (interface{ HTTPStatus() int })(nil); errors.As(why, &told) {
		status = told.HTTPStatus()
	}
	if counter := m.undecided[status]; counter != nil {
		counter.Inc()
	}
}

// Start looks up which roles there are.
func (m *Metrics) Start(ctx context.Context) error {
	m.mu.Lock()
	seen := m.changes
	m.mu.Unlock()
	names, err := m.roles.Roles(ctx)
	if err == nil {
		m.keep(names, seen)
	}
	return err
}

// keep has counters of these roles, and of no others unless one was written since the
// names were looked up.
func (m *Metrics) keep(names []string, seen int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := *m.byRole.Load()
	after := map[string]counters{"": before[""]}
	if m.changes != seen {
		maps.Copy(after, before)
	}
	for _, name := range names {
		if after[name] = before[name]; after[name] == nil {
			after[name] = m.counters(name)
		}
	}
	m.byRole.Store(&after)
	for name := range before {
		if after[name] == nil {
			m.decisions.DeletePartialMatch(prometheus.Labels{"role": name})
		}
	}
}

// RoleChanged is told of a role that was written, or may have been. Should there be no
// such role, the next scrape does not show it.
func (m *Metrics) RoleChanged(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	if before := *m.byRole.Load(); before[name] == nil {
		after := maps.Clone(before)
		after[name] = m.counters(name)
		m.byRole.Store(&after)
	}
}

// Text is what a scrape is answered, and its media type.
func (m *Metrics) Text(ctx context.Context) (text []byte, media string, err error) {
	// Where storage is in trouble the roles are those that were known: that is when
	// somebody wants to see the figures.
	_ = m.Start(ctx)
	families, err := m.registry.Gather()
	if err != nil {
		return nil, "", err
	}
	var written bytes.Buffer
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	encoder := expfmt.NewEncoder(&written, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, "", err
		}
	}
	return written.Bytes(), string(format), nil
}
