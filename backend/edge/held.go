package edge

import (
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// held are the records that a mirror has, as they were told.
type held struct {
	keys   *cache.Cache[string, *entry[record.Key]]
	roles  *cache.Cache[string, *entry[record.Role]]
	owners *cache.Cache[string, *entry[record.Owner]]
	// gone are the keys that are none, or none for those who asked at that door. It is a
	// refusal and no more, so it may be some seconds old; and it is told by the door.
	gone   *cache.Cache[name, time.Duration]
	shares shares
}

// name is what is asked for, and at which door.
type name struct {
	door string
	kind wire.Kind
	name string
}

// entry is a record, role or owner.
type entry[T any] struct {
	value       T
	fingerprint string
	door        string        // at which it was asked for
	active      record.Time   // of a key: from when on idleness counts
	at          time.Duration // when it was asked for
	state
}

// state is what is known of an entry, whatever it is of.
type state struct {
	epoch     atomic.Uint64 // in which it was last confirmed
	confirmed atomic.Int64  // when that was asked
	asked     atomic.Int64  // when it was asked whether the key was renewed
	uses      atomic.Uint32 // the hottest are confirmed first
	// found: an owner or a role that is none is held, too, as its first stop is told. It
	// stands here because behind the value it would take each key into the next size that
	// is allocated.
	found bool
}

// confirm takes down that an entry is still what the engine has, as was asked at a mark.
func (s *state) confirm(k *marks) {
	s.epoch.Store(k.epoch)
	s.confirmed.Store(int64(k.at))
}

// goneFor is for how long a refusal is remembered.
const goneFor = 5 * time.Second

func newHeld(size int) held {
	return held{
		keys:   cache.NewWeighed[string](size, func(e *entry[record.Key]) int { return e.value.Weight() }),
		roles:  cache.NewWeighed[string](size, func(e *entry[record.Role]) int { return e.value.Weight() }),
		owners: cache.New[string, *entry[record.Owner]](size),
		gone:   cache.New[name, time.Duration](size),
		shares: newShares(),
	}
}

func (h *held) resize(size int) {
	h.keys.Resize(size)
	h.roles.Resize(size)
	h.owners.Resize(size)
	h.gone.Resize(size)
}

func (h *held) clear() {
	h.keys.Clear()
	h.roles.Clear()
	h.owners.Clear()
	h.gone.Clear()
}

// marks is the moment at which a question is sent: what was told by then, and which
// epoch it was.
type marks struct {
	keys, roles, owners, invalid cache.Mark
	cursor                       wire.Cursor
	epoch                        uint64
	at                           time.Duration
}

// mark is now. Nothing is applied meanwhile, so what it does not know of will be
// dropped after it.
func (m *Mirror) mark() (k marks) {
	m.feed.mu.RLock()
	defer m.feed.mu.RUnlock()
	return marks{
		keys: m.held.keys.Mark(), roles: m.held.roles.Mark(), owners: m.held.owners.Mark(), invalid: m.texts.invalid.Mark(),
		cursor: m.feed.cursor, epoch: m.feed.epoch.Load(), at: m.now(),
	}
}

// hold makes an entry of what was asked for at a mark.
func hold[T any](value T, found bool, fingerprint, door string, k *marks) *entry[T] {
	e := &entry[T]{value: value, fingerprint: fingerprint, door: door, at: k.at}
	e.found = found
	e.confirm(k)
	return e
}

// take takes in the records of an answer. What was dropped since the question was sent
// stays out, and is asked for again; what makes no sense was not told. The caller shares
// feed.mu.
func (h *held) take(told *wire.Told, door string, k *marks) {
	now := record.Time(told.Now / 1000)
	for id, w := range told.Records {
		if w == nil {
			h.gone.Put(name{door, wire.KeyKind, id}, k.at)
			continue
		}
		r, err := w.Record(id, now)
		if err != nil || len(w.Fingerprint) != wire.FingerprintLength { // or nothing could be confirmed with it
			delete(told.Records, id)
			continue
		}
		h.shares.key(&r)
		e := hold(r, true, w.Fingerprint, door, k)
		e.active = w.ActiveAt
		h.keys.FillSince(id, e, k.keys)
	}
	for n, w := range told.Roles {
		if w == nil && door != "" && n != door {
			continue // it is none for those who ask here, and no less for others
		}
		var r record.Role
		fingerprint, err := "", error(nil)
		if w != nil {
			fingerprint = w.Fingerprint
			r, err = w.Record()
		}
		if err != nil {
			delete(told.Roles, n)
			continue
		}
		h.roles.FillSince(n, hold(r, w != nil, fingerprint, door, k), k.roles)
	}
	for n, w := range told.Owners {
		var o record.Owner
		if w != nil {
			o = w.Record()
		}
		h.owners.FillSince(n, hold(o, w != nil, ownerFingerprint(w), door, k), k.owners)
	}
}
