package watch

import (
	"context"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// alert is one that is open.
type alert struct {
	record.Alert
	behind
	stored bool            // or it was tried
	told   record.Severity // to the event system

	// From where an ended key was used since the last write, and which version is in
	// effect instead.
	network netip.Prefix
	several bool
	current int
}

// Alerts are the names of the alerts that are open, in byte order.
func (w *Watch) Alerts(ctx context.Context) ([]string, error) {
	if err := w.current(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.alerts)), nil
}

// Alert is an open alert.
func (w *Watch) Alert(ctx context.Context, name string) (record.Alert, bool, error) {
	if err := w.current(ctx); err != nil {
		return record.Alert{}, false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.alerts[name]; a != nil {
		return a.Clone(), true, nil
	}
	return record.Alert{}, false, nil
}

// Measure tells how many alerts of each kind and severity are open.
func (w *Watch) Measure(tell Tell) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range record.AlertKinds() {
		open := map[record.Severity]int{record.Warning: 0, record.Critical: 0}
		for _, a := range w.alerts {
			if a.Kind == kind {
				open[a.Severity]++
			}
		}
		for severity, n := range open {
			tell("alerts_open", float64(n), string(kind), string(severity))
		}
	}
}

// alertName is what an alert may be called.
var alertName = regexp.MustCompile(`^[a-z_]+(?:\.[A-Za-z0-9._@-]+)?$`)

// Acknowledge removes an alert, whether or not there is one. What it is about is counted
// from the beginning, which is before storage is asked: what is seen meanwhile nobody
// has acknowledged.
func (w *Watch) Acknowledge(ctx context.Context, name string) error {
	if !alertName.MatchString(name) || strings.Contains(name, "..") {
		return nil
	}
	if err := w.current(ctx); err != nil {
		return err
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	before, removed := w.takeOut(name), false
	defer func() {
		if before != nil && !removed { // also where that panicked
			w.putBack(name, before)
		}
	}()
	err := w.Store.Alerts().Remove(ctx, name)
	removed = err == nil
	return err
}

func (w *Watch) takeOut(name string) *alert {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.alerts[name]
	if a != nil {
		w.rates.reset(&a.Alert)
		delete(w.alerts, name)
	}
	return a
}

// putBack has an alert written again that may have been removed, or not.
func (w *Watch) putBack(name string, before *alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.alerts[name]; now != nil {
		now.goOn(before.Alert)
		return
	}
	before.changed++
	w.alerts[name] = before
	w.wake()
}

// raise counts n sightings for the alert of this kind and subject, and opens it where
// there is none. One that finds no room among those of its kind is returned and not
// kept: who looks at a thousand of them knows enough.
func (w *Watch) raise(of record.Alert, n int64, now record.Time, from netip.Addr) *alert {
	a := w.alerts[of.Name()]
	if a == nil {
		a = &alert{Alert: of}
		if of.Kind == record.HoneytokenUsed || w.count(of.Kind) < record.MaxAlerts {
			w.alerts[of.Name()] = a
		}
	}
	a.See(n, now, from)
	a.rise(of.Severity)
	a.changed++
	w.wake()
	return a
}

func (w *Watch) count(kind record.AlertKind) (n int) {
	for _, a := range w.alerts {
		if a.Kind == kind {
			n++
		}
	}
	return n
}

// rise makes an alert more severe, never less.
func (a *alert) rise(s record.Severity) {
	if a.Severity != record.Critical {
		a.Severity = s
	}
}

// goOn makes an alert the continuation of the one that is stored.
func (a *alert) goOn(before record.Alert) {
	since := a.Sightings
	a.Sightings, a.Actions, a.stored, a.told = before.Sightings, before.Actions, true, before.Severity
	a.See(since.Count, since.Last, since.ClientIP)
	a.rise(before.Severity)
}

// above counts n more, and raises an alert when there are too many in an hour. One
// that is open counts on whatever the rate.
func (w *Watch) above(r *rate, of record.Alert, more int64, now record.Time, from netip.Addr) {
	n, since := r.add(more, now)
	of.Severity = record.Warning
	if n > w.rates.critical {
		of.Severity = record.Critical
	}
	switch open := w.alerts[of.Name()]; {
	case open != nil:
		w.raise(of, more, now, from)
	case n > w.rates.warning:
		w.raise(of, n, now, from).First = since
	}
}

// lies notes from which network an ended key was used. Two in a second are told from
// none by what they are compared with: one of them is another.
func (a *alert) lies(from netip.Addr, current int) {
	network := networkOf(from)
	if !network.IsValid() {
		return
	}
	a.several = a.several || a.network.IsValid() && a.network != network
	a.network, a.current = network, current
}

// networkOf is the network that one customer's addresses lie in.
func networkOf(a netip.Addr) netip.Prefix {
	bits := 48
	if a = a.Unmap(); a.Is4() {
		bits = 24
	}
	network, _ := a.Prefix(bits)
	return network
}

// elsewhere tells whether an ended key was used from another network than that from
// which the version in effect was used last. Where that is not known, nobody can tell.
func (a *alert) elsewhere(u *record.Usage) bool {
	home := networkOf(u.ClientIP)
	for _, v := range u.Versions {
		if v.At > u.Of(a.current) {
			return false // the address is another version's
		}
	}
	return home.IsValid() && (a.several || a.network != home)
}
