package edge

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"time"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

const (
	// confirmWithin is how long it takes at most until everything was confirmed once.
	confirmWithin = 10 * time.Minute
	// fewKnown is how many keys are confirmed at a time at least.
	fewKnown = 64
	// rounds are how often in that time it is looked what to confirm.
	rounds = 16
)

// confirm sees to it, until ctx ends, that what is held is what the engine has: after a
// reset all of it, and always everything once in a while, as a net under our own
// mistakes.
func (m *Mirror) confirm(ctx context.Context) {
	tick := time.NewTicker(confirmWithin / rounds)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.drift.woken:
			for pause := minPause; !m.confirmAll(ctx) && ctx.Err() == nil; pause = min(2*pause, maxPause) {
				m.rest(ctx, pause)
			}
		case <-tick.C:
			m.confirmSome(ctx)
		}
	}
}

// confirmAll confirms what was not confirmed since the last reset, the hottest first, and
// tells whether nothing of it is left.
func (m *Mirror) confirmAll(ctx context.Context) bool {
	epoch := m.feed.epoch.Load()
	old := func(s *state) bool { return s.epoch.Load() < epoch }
	m.drift.begin()
	ok := refresh(ctx, m, wire.RoleKind, collect(m.held.roles, old))
	ok = refresh(ctx, m, wire.OwnerKind, collect(m.held.owners, old)) && ok
	keys := collect(m.held.keys, old)
	slices.SortFunc(keys, func(a, b known[record.Key]) int { return cmp.Compare(b.uses, a.uses) })
	return m.confirmEach(ctx, keys) && ok
}

// confirmSome confirms a part of what was not confirmed for half of the time.
func (m *Mirror) confirmSome(ctx context.Context) {
	before := int64(m.now() - confirmWithin/2)
	old := func(s *state) bool { return s.confirmed.Load() < before }
	m.drift.begin()
	refresh(ctx, m, wire.RoleKind, part(m.held.roles, old, wire.MaxNames))
	refresh(ctx, m, wire.OwnerKind, part(m.held.owners, old, wire.MaxNames))
	m.confirmEach(ctx, part(m.held.keys, old, wire.MaxKnown))
}

// known is what is held of a name, as it was when it was looked for.
type known[T any] struct {
	name      string
	entry     *entry[T]
	uses      uint32
	confirmed int64
	epoch     uint64
}

func collect[T any](of *cache.Cache[string, *entry[T]], which func(*state) bool) (all []known[T]) {
	of.Each(func(name string, e *entry[T]) {
		if which(&e.state) {
			all = append(all, known[T]{name, e, e.uses.Load(), e.confirmed.Load(), e.epoch.Load()})
		}
	})
	return all
}

// part is what one round confirms, that of which this is longest ago first: as much that
// all is confirmed by the end of the other half of the time, with a round to spare, though
// it became due at once; and whole calls, so that there are few.
func part[T any](of *cache.Cache[string, *entry[T]], which func(*state) bool, call int) []known[T] {
	all := collect(of, which)
	slices.SortFunc(all, func(a, b known[T]) int { return cmp.Compare(a.confirmed, b.confirmed) })
	const left = rounds/2 - 1
	calls := (of.Len() + left*call - 1) / (left * call)
	return all[:min(len(all), calls*call)]
}

// refresh asks for roles or owners anew, each at the door at which it was asked for.
func refresh[T any](ctx context.Context, m *Mirror, kind wire.Kind, all []known[T]) bool {
	ok := true
	slices.SortFunc(all, func(a, b known[T]) int { return cmp.Compare(a.entry.door, b.entry.door) })
	for len(all) > 0 {
		door := all[0].entry.door
		n := 1
		for n < len(all) && n < wire.MaxNames && all[n].entry.door == door {
			n++
		}
		ok = refreshAt(ctx, m, kind, door, all[:n]) && ok
		all = all[n:]
	}
	return ok
}

func refreshAt[T any](ctx context.Context, m *Mirror, kind wire.Kind, door string, batch []known[T]) bool {
	var a wire.Ask
	names := &a.Roles
	if kind == wire.OwnerKind {
		names = &a.Owners
	}
	for _, k := range batch {
		*names = append(*names, k.name)
	}
	told, at, err := m.tell(ctx, door, a)
	if err != nil {
		return false
	}
	for _, k := range batch {
		now, ok := fingerprintOf(told, kind, k.name)
		forgotten := kind == wire.OwnerKind && now == unstopped // as one is without keys
		if ok && now != k.entry.fingerprint && !forgotten && k.epoch == at.epoch {
			m.drift.suspect(wire.Name(kind, k.name), m.now())
		}
	}
	return true
}

func fingerprintOf(told *wire.Told, kind wire.Kind, name string) (fingerprint string, ok bool) {
	if kind == wire.RoleKind {
		w, ok := told.Roles[name]
		if w != nil {
			fingerprint = w.Fingerprint
		}
		return fingerprint, ok
	}
	w, ok := told.Owners[name]
	return ownerFingerprint(w), ok
}

// unstopped is the fingerprint of an owner that was never stopped. One of whom there is
// no record is that, and the two take each other's place without a word.
var unstopped = wire.ShowOwner(&record.Owner{}).Fingerprint

func ownerFingerprint(w *wire.Owner) string {
	if w == nil {
		return unstopped
	}
	return w.Fingerprint
}

// confirmEach confirms keys until an answer fails, as many at a time as are answered about
// in time: where the engine has to read each of them, fewer than it may be asked about.
func (m *Mirror) confirmEach(ctx context.Context, keys []known[record.Key]) bool {
	size := &m.drift.batch
	for len(keys) > 0 {
		n := min(len(keys), *size)
		if !m.confirmKeys(ctx, keys[:n]) {
			*size = max(fewKnown, n/4)
			return false
		}
		*size = min(wire.MaxKnown, 2**size)
		keys = keys[n:]
	}
	return true
}

// confirmKeys asks which of these keys are not what is held, and drops them.
func (m *Mirror) confirmKeys(ctx context.Context, batch []known[record.Key]) bool {
	held := make([]wire.Held, len(batch))
	for i, k := range batch {
		held[i] = wire.Held{ID: k.name, Fingerprint: k.entry.fingerprint}
	}
	ctx, cancel := context.WithTimeout(ctx, m.settings.Load().ColdTimeout)
	defer cancel()
	at := m.mark()
	nonce := rand.Text()
	a, err := m.up.Confirm(ctx, wire.Confirm{Nonce: nonce, Known: wire.Join(held)})
	if err == nil {
		err = own(a.Nonce, nonce)
	}
	if err == nil {
		err = m.admit(a.Cursor, a.Now, &at)
	}
	m.count(confirmPath, "", at.at, err)
	if err != nil {
		return false
	}
	changed := make(map[string]bool, len(a.Changed))
	for _, id := range a.Changed {
		changed[id] = true
	}
	for _, k := range batch {
		if !changed[k.name] {
			k.entry.confirm(&at)
			continue
		}
		m.held.keys.Drop(k.name)
		if k.epoch == at.epoch && m.lives(&k.entry.value) {
			m.drift.suspect(wire.Name(wire.KeyKind, k.name), m.now())
		}
	}
	return true
}

// lives tells whether a key has not ended, as far as is held of what it depends on. The
// record of one that has goes without a word.
func (m *Mirror) lives(k *record.Key) bool {
	s := record.Standing{AncestorsActive: true}
	role, ok := m.held.roles.Peek(k.Role)
	if !ok || !role.found {
		return false
	}
	s.Role = k.IssuedUnder(&role.value)
	if owner, ok := m.held.owners.Peek(k.Owner); ok {
		s.Owner = owner.value
	}
	return !k.Ended(s, m.clock.Now())
}
