package usage

import (
	"sync"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
)

// part is some of the tallies, under a lock of their own.
type part struct {
	mu      sync.Mutex
	tallies map[string]*tally // by key id; that of "" is of what is no key
}

// tally is what was counted of one key since it was last handed over. So a decision
// is counted at one place, and owner and mount get their sums when that is done.
type tally struct {
	owner string
	record.Usage
}

// tally needs the lock.
func (p *part) tally(id, owner string) *tally {
	counted := p.tallies[id]
	if counted == nil {
		counted = &tally{owner: owner}
		p.tallies[id] = counted
	}
	return counted
}

// uses are the last uses of a key that were not handed over.
func (p *part) uses(id string) (uses record.Uses) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if counted := p.tallies[id]; counted != nil {
		uses = counted.Uses.Merge(uses)
	}
	return uses
}

// handOver moves what was counted to storage, and to what is known, under the lock:
// whoever asks finds it here or there.
func (p *part) handOver(storage Storage, known *cache.Cache[string, record.Uses]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tallies) == 0 {
		return
	}
	sums := make(map[record.Subject]*record.Usage, len(p.tallies)+2)
	for id, counted := range p.tallies {
		counted.sumUp(sums)
		if id != "" {
			sums[record.OfKey(id)] = &counted.Usage
		}
	}
	storage.AddUsage(sums)
	for id, counted := range p.tallies {
		if before, ok, _ := known.Get(id); ok {
			known.Put(id, before.Merge(counted.Uses))
		} else {
			known.Drop(id) // also from the hands of who reads it now
		}
	}
	p.tallies = make(map[string]*tally)
}

// sumUp adds what was counted to the sums of the owner and of the mount.
func (t *tally) sumUp(sums map[record.Subject]*record.Usage) {
	add := func(of record.Subject) {
		if sums[of] == nil {
			sums[of] = new(record.Usage)
		}
		sums[of].Add(t.Usage, of)
	}
	add(record.Mount)
	if t.owner != "" {
		add(record.OfOwner(t.owner))
	}
}
