package models

import (
	"maps"
	"slices"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// trap is a honeytoken of the model, which was written without a look at how the engine
// does it.
type trap struct {
	name, text string
	hits       int
	disables   []string        // key ids, as they were written
	armed      map[string]bool // those that the next use disables
	tripped    map[string]bool // those that a use is about to
	alert      *opened
	sure       int // hits that no crash takes back
}

// opened is the alert about a honeytoken that is open.
type opened struct {
	count   int
	sure    int
	actions map[string]string // what became of each key
}

// lying is a key that may lie where a honeytoken does.
type lying struct {
	id                      string
	disabled, ended, absent bool
	reason                  string
}

// planting is a mount with honeytokens, and the model of both.
type planting struct {
	m     *mount.Mount
	traps map[string]*trap
	gone  []string // texts of those that were deleted
	keys  map[string]*lying
	// alerts of honeytokens that are deleted stay until they are, too.
	alerts map[string]*opened
	told   []string
}

// use is what a use of a honeytoken does at once.
func (t *trap) use() {
	t.hits++
	if t.alert == nil {
		t.alert = &opened{actions: map[string]string{}}
	}
	t.alert.count++
	maps.Copy(t.tripped, t.armed)
	clear(t.armed)
}

// settle is what was done a second later.
func (p *planting) settle() {
	for _, name := range sorted(p.traps) {
		p.spring(p.traps[name])
		p.traps[name].written()
	}
}

// written tells that no crash takes back any more what there is.
func (t *trap) written() {
	t.sure = t.hits
	if t.alert != nil {
		t.alert.sure = t.alert.count
	}
}

// spring disables what a use is about to.
func (p *planting) spring(t *trap) {
	for _, id := range t.disables {
		if !t.tripped[id] {
			continue
		}
		k := p.keys[id]
		reason, result := "honeytoken "+t.name, "disabled"
		switch {
		case k.absent:
			result = "not_found"
		case k.ended:
			result = "ended"
		case k.disabled && k.reason != reason:
			result = "already_disabled"
		default:
			k.disabled, k.reason = true, reason
		}
		if t.alert != nil {
			t.alert.actions[id] = result
		}
	}
	clear(t.tripped)
}

// unsettled tells whether something is about to be done to a key.
func (p *planting) unsettled() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(p.traps)), func(t *trap) bool { return len(t.tripped) > 0 })
}

// arm is what a write with these keys does: the next use disables each.
func (t *trap) arm(ids []string) {
	t.disables, t.armed = ids, map[string]bool{}
	for _, id := range ids {
		t.armed[id] = true
	}
}

// crash takes back what storage does not know of: uses since the last second, and with
// them what they were about to do.
func (t *trap) crash(hits int) {
	if lost := t.hits - hits; lost > 0 && hits == t.sure {
		maps.Copy(t.armed, t.tripped)
		clear(t.tripped)
	}
	t.hits = hits
}
