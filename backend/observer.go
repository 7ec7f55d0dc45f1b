package backend

import (
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/watch"
)

// Observer is what hears of each decision of a mount: all for whom something follows
// from one. It knows them by their types, and not as a list of observers. What is
// called through an interface may keep what it is handed, so there each of them needs a
// copy of its own, and an observation is large; here the compiler sees that none does.
type Observer struct {
	Flusher   *upkeep.Flusher
	Activator *upkeep.Activator
	Rehasher  *upkeep.Rehasher
	Metrics   *watch.Metrics
	Watch     *watch.Watch
}

// Observe tells one after the other.
func (all *Observer) Observe(o verify.Observation) {
	all.Flusher.Observe(&o)
	all.Activator.Observe(&o)
	all.Rehasher.Observe(&o)
	all.Metrics.Observe(&o)
	all.Watch.Observe(&o)
}
