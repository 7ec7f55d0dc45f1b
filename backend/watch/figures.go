package watch

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// figure is one that is measured at a scrape.
type figure struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// figures are all of them. A part of the mount tells each by its name.
var figures = []figure{
	{"cache_entries", "What is kept in memory: records of keys, and proofs that a text matched a hash.", gauge, []string{"cache"}},
	{"cache_capacity", "How many of the usual size there is room for.", gauge, []string{"cache"}},
	{"cache_hits_total", "Lookups that memory answered.", counter, []string{"cache"}},
	{"cache_misses_total", "Lookups that it did not: storage was read, or Argon2 ran.", counter, []string{"cache"}},
	{"cache_evictions_total", "What was let go of for want of room.", counter, []string{"cache"}},

	{"argon2_slots", "How many Argon2 runs there may be at a time in the process, which all its mounts share.", gauge, nil},
	{"argon2_running", "How many run.", gauge, nil},
	{"argon2_waiting", "Runs that wait for a slot.", gauge, []string{"kind"}},
	{"argon2_runs_total", "Runs that began.", counter, []string{"kind"}},
	{"argon2_wait_seconds_total", "How long they all waited for that.", counter, []string{"kind"}},
	{"argon2_refused_total", "Requests that were answered 503 busy, because too much waited or for too long.", counter, []string{"kind"}},

	{"keys", "Keys that had not ended when tidy last passed all keys.", gauge, []string{"role"}},
	{"keys_rotation_due", "Those of them that were due for rotation.", gauge, []string{"role"}},
	{"versions_pending", "Those of them with a version that waited for its first use.", gauge, []string{"role"}},
	{"keys_unreadable", "Records of keys that tidy could not read; the log names them.", gauge, nil},
	{"keys_counted_timestamp_seconds", "When tidy had last passed all keys.", gauge, nil},

	{"tidy_runs_total", "Runs of tidy, by how they ended.", counter, []string{"state"}},
	{"tidy_last_success_timestamp_seconds", "When the last ended that was done.", gauge, nil},
	{"tidy_last_duration_seconds", "How long that took.", gauge, nil},
	{"tidy_keys_removed_total", "Records of ended keys that it removed.", counter, nil},
	{"tidy_entries_repaired_total", "Index entries that it wrote or removed.", counter, nil},

	{"flushes_total", "Flushes of counters and quotas, by how they ended.", counter, []string{"state"}},
	{"flush_last_success_timestamp_seconds", "When the last ended that was done.", gauge, nil},

	{"quota_reservations_total", "Blocks of quota that were reserved, each by one write.", counter, nil},
	{"limit_counters", "Keys that are partly through a limit on this node.", gauge, nil},
	{"limit_counters_max", "How many there is room for; beyond, verify answers 503 busy.", gauge, nil},

	{"gates", "Gates that asked for changes lately, each process on its own.", gauge, nil},
	{"gate_polls_parked", "Polls that wait for a change.", gauge, nil},
	{"gate_resets_total", "Answers after which a gate confirms all that it holds: to its first poll, after a failover, and where it was left behind.", counter, nil},
	{"gate_changes_total", "Changes that were told since the first poll.", counter, nil},

	{"alerts_open", "Alerts that nobody has deleted.", gauge, []string{"kind", "severity"}},
}

func (f figure) desc() *prometheus.Desc {
	return prometheus.NewDesc("apikeys_"+f.name, f.help, f.labels, nil)
}

// figuresOf are the figures of a mount as the registry takes them.
type figuresOf struct{ *Metrics }

// Describe tells which figures there are.
func (of figuresOf) Describe(to chan<- *prometheus.Desc) {
	for _, f := range figures {
		to <- f.desc()
	}
}

// Collect measures them. What is told of a role that is gone since is not shown.
func (of figuresOf) Collect(to chan<- prometheus.Metric) {
	roles := *of.byRole.Load()
	of.measure(func(name string, value float64, labels ...string) {
		at := slices.IndexFunc(figures, func(f figure) bool { return f.name == name })
		if at < 0 {
			err := fmt.Errorf("the figure %s is not declared", name)
			to <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
			return
		}
		f := figures[at]
		if slices.Equal(f.labels, []string{"role"}) && roles[labels[0]] == nil {
			return
		}
		metric, err := prometheus.NewConstMetric(f.desc(), f.kind, value, labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(f.desc(), err)
		}
		to <- metric
	})
}
