package watch

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"

	"vault-plugin-secrets-apikeys/backend/record"
)

// maxWrites is how many alerts, besides those of honeytokens, one pass writes: however
// many keys are in use that have ended, storage is asked so often a second at the most.
const maxWrites = 16

// Write writes what is to be kept, and disables what honeytokens disable. It tells
// whether there is more to do, or to do again. all is for the end of the process.
//
// The alert of a honeytoken is written before the honeytoken, which says then that keys are
// to be disabled, and only then that is done. Whatever a crash leaves of it, load
// finds what is missing.
func (w *Watch) Write(ctx context.Context, all bool) (left bool, err error) {
	if !w.Writable() {
		return false, nil
	}
	if err := w.load(ctx); err != nil {
		return true, err
	}
	for _, name := range w.unfinished() {
		err = errors.Join(err, w.finish(ctx, name))
	}
	others := w.others()
	if left = !all && len(others) > maxWrites; left {
		others = others[:maxWrites]
	}
	for _, name := range others {
		w.judge(ctx, name)
		_, e := w.put(ctx, name, "")
		err = errors.Join(err, e)
	}
	return left || err != nil, err
}

// others are the alerts that are to be written, besides those of unfinished honeytokens:
// new ones first.
func (w *Watch) others() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, a := range w.alerts {
		if a.dirty() {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(one, other string) int {
		a, b := w.alerts[one], w.alerts[other]
		switch {
		case a.stored == b.stored:
			return cmp.Compare(a.Last, b.Last)
		case a.stored:
			return 1
		default:
			return -1
		}
	})
	return names
}

// unfinished are the honeytokens about which there is something to write or to disable.
func (w *Watch) unfinished() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, t := range w.tokens {
		if t.dirty() || t.tripped() {
			names = append(names, name)
		}
	}
	return names
}

func (t *token) tripped() bool {
	return slices.ContainsFunc(t.Disables, func(d record.Disable) bool { return d.State == record.Tripped })
}

// finish writes a honeytoken and its alert, and disables what it was found to disable.
func (w *Watch) finish(ctx context.Context, name string) error {
	for {
		h, err := w.put(ctx, record.HoneytokenAlert(name), name)
		if err != nil {
			return err
		}
		more := false
		for _, d := range h.Disables {
			if d.State != record.Tripped {
				continue
			}
			more = true
			result, err := w.disable(ctx, name, d.KeyID)
			if err != nil {
				return err
			}
			w.did(name, record.Action{KeyID: d.KeyID, Result: result})
		}
		if !more {
			return nil
		}
	}
}

// put writes an alert and a honeytoken, as far as they are to be written, as they are at
// one moment, and answers the honeytoken.
func (w *Watch) put(ctx context.Context, alertName, tokenName string) (h record.Honeytoken, err error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.mu.Lock()
	a, t := w.alerts[alertName], w.tokens[tokenName]
	if a == nil {
		a = new(alert)
	}
	if t == nil {
		t = new(token)
	}
	now, h, told := a.Clone(), t.Clone(), a.told
	alertAt, tokenAt, writesAlert, writesToken := a.changed, t.changed, a.dirty(), t.dirty()
	a.stored = true
	w.mu.Unlock()
	if writesAlert {
		if err = w.Store.Alerts().Put(ctx, alertName, now); err != nil {
			return h, err
		}
		w.mu.Lock()
		a.written, a.told = alertAt, now.Severity
		w.mu.Unlock()
		if told != now.Severity {
			w.tell(ctx, now)
		}
	}
	if writesToken {
		if err = w.Store.Honeytokens().Put(ctx, tokenName, h); err == nil {
			w.mu.Lock()
			t.written = tokenAt
			w.mu.Unlock()
		}
	}
	return h, err
}

// tell sends an event about an alert that was opened, or is more severe now. It names no
// honeytoken: who may hear of events need not know of any.
func (w *Watch) tell(ctx context.Context, a record.Alert) {
	of := []string{"kind", string(a.Kind), "severity", string(a.Severity)}
	if a.KeyID != "" && a.Honeytoken == "" {
		of = append(of, "key_id", a.KeyID)
	}
	w.Notify(ctx, "alert", of...)
}

// judge makes an alert critical where an ended key is used from elsewhere than the
// version in effect. What cannot be found out now is looked at again.
func (w *Watch) judge(ctx context.Context, name string) {
	w.mu.Lock()
	a := w.alerts[name]
	if a == nil || !a.network.IsValid() || a.Severity == record.Critical {
		w.mu.Unlock()
		return
	}
	seen := *a
	a.network, a.several = netip.Prefix{}, false
	w.mu.Unlock()
	u, err := w.Uses.Usage(ctx, record.OfKey(seen.KeyID))
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		a.network, a.several = seen.network, a.several || seen.several
		w.Logger.Warn("from where a key was used cannot be read", "key_id", seen.KeyID, "error", err)
	case seen.elsewhere(&u):
		a.rise(record.Critical)
	}
}
