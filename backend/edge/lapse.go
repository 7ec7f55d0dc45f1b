package edge

import (
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// lapsed is the key or the ancestor that a decision refuses as expired, nil for none.
func lapsed(o *verify.Observation) *lineage.Lineage {
	switch o.Decision.Code {
	case verify.Expired:
		return &o.Lineage
	case verify.ParentEnded:
		for i := range o.Lineage.Ancestors {
			if a := &o.Lineage.Ancestors[i]; a.State(o.At) == record.Expired {
				return a
			}
		}
	}
	return nil
}

// renewable tells whether a key that has expired may have been renewed or used by now. It
// is so once a second, counted from when its record was asked for, and for all who come
// while Vault is asked.
func (w *walk) renewable(id string) bool {
	e, ok := w.m.held.keys.Peek(id)
	if !ok {
		return false
	}
	now, asked := w.m.now(), e.asked.Load()
	if now-e.at < time.Second || w.m.calls.silent(resolvePath, w.door) {
		return false
	}
	if asked != 0 && now-time.Duration(asked) < time.Second {
		return w.m.asks.underway(about{name: name{w.door, wire.KeyKind, id}})
	}
	e.asked.CompareAndSwap(asked, int64(now)) // who lost asks the same question
	return true
}

// askedLately tells whether a key's record is no older than what the gate knows may be.
func (w *walk) askedLately(id string) bool {
	e, ok := w.m.held.keys.Peek(id)
	return ok && w.m.now()-e.at <= w.m.settings.Load().MaxStaleness
}

// askBehind asks for a key's record, for those who come next: where Vault was silent,
// whether it is so still is known only by asking.
func (w *walk) askBehind(id string) {
	until := w.m.now() + w.m.settings.Load().ColdTimeout
	_, _ = w.m.asks.put(about{name: name{w.door, wire.KeyKind, id}}, apikey.Presented{}, clientOf(w.client), w.m.now(), until)
}
