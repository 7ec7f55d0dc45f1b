package edge

import (
	"context"
	"crypto/rand"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// resolve asks a batch, and tells whether all of it was answered.
func (m *Mirror) resolve(ctx context.Context, batch []*question) bool {
	told, k, err := m.tell(ctx, batch[0].door, askOf(batch))
	m.asks.pace(m.now()-k.at, m.settings.Load().ColdTimeout, err)
	if err != nil {
		return m.asks.settle(batch, func(*question) bool { return false })
	}
	texts := 0
	return m.asks.settle(batch, func(q *question) bool {
		if q.text.None() {
			return m.answered(q, told)
		}
		texts++
		return m.judged(q, &told.Results[texts-1], told, k)
	})
}

// askOf is a batch as it is sent.
func askOf(batch []*question) (a wire.Ask) {
	for _, q := range batch {
		switch q.kind {
		case wire.RoleKind:
			a.Roles = append(a.Roles, q.name.name)
		case wire.OwnerKind:
			a.Owners = append(a.Owners, q.name.name)
		default:
			if q.text.None() {
				a.KeyIDs = append(a.KeyIDs, q.name.name)
			} else {
				a.Keys = append(a.Keys, q.text.Reveal())
			}
		}
	}
	return a
}

// tell asks at a door, and takes in what is told. An answer that may miss what the
// mirror had heard when it asked is silence.
func (m *Mirror) tell(ctx context.Context, door string, a wire.Ask) (*wire.Told, *marks, error) {
	ctx, cancel := context.WithTimeout(ctx, m.settings.Load().ColdTimeout)
	defer cancel()
	k := m.mark()
	a.Nonce = rand.Text()
	told, err := m.up.Resolve(ctx, door, a)
	if err == nil {
		err = own(told.Nonce, a.Nonce)
	}
	if err == nil {
		err = m.takeIn(&told, len(a.Keys), door, &k)
	}
	m.count(resolvePath, door, k.at, err)
	return &told, &k, err
}

func (m *Mirror) takeIn(told *wire.Told, texts int, door string, k *marks) error {
	if len(told.Results) != texts {
		return errOdd
	}
	if err := m.admit(told.Cursor, told.Now, k); err != nil {
		return err
	}
	m.feed.mu.RLock()
	defer m.feed.mu.RUnlock()
	m.held.take(told, door, k)
	return nil
}

// own tells an answer to another question by its nonce. One without any may be to
// whatever question: what a text is proven to be, and that nothing changed, must not
// hang on who repeats an answer.
func own(answered, nonce string) error {
	if answered != nonce {
		return errForeign
	}
	return nil
}

// admit judges an answer to what was asked at a mark by the cursor that it is of, and
// looks at the engine's clock in it.
func (m *Mirror) admit(text string, now int64, k *marks) error {
	cursor, ok := wire.ParseCursor(text)
	if !ok {
		return errOdd
	}
	m.feed.mu.Lock()
	newest := &m.feed.newest
	deposed := cursor.Term < newest.Term || cursor.Term == newest.Term && cursor.Suffix != newest.Suffix || behind(cursor, k.cursor)
	if !deposed && cursor.Term > newest.Term {
		*newest = cursor
	}
	m.feed.mu.Unlock()
	if deposed {
		return errDeposed
	}
	m.clock.sample(cursor.Term, k.at, m.now(), now)
	return nil
}

// answered tells whether a name was told. What was told of it lies among the held; only
// that it is no key is told on.
func (m *Mirror) answered(q *question, told *wire.Told) (ok bool) {
	switch q.kind {
	case wire.RoleKind:
		_, ok = told.Roles[q.name.name]
	case wire.OwnerKind:
		_, ok = told.Owners[q.name.name]
	default:
		var w *wire.Key
		w, ok = told.Records[q.name.name]
		q.none = w == nil
	}
	return ok
}

// judged tells whether it was told what a text is.
func (m *Mirror) judged(q *question, r *wire.Result, told *wire.Told, k *marks) bool {
	switch {
	case r.Error != "" || r.Code != "" && r.Code != wire.CodeInvalid:
		return false
	case r.Code != "":
		q.none = true
		id := q.name.name
		before, _ := m.texts.invalid.Peek(id)
		m.texts.invalid.FillSince(id, before.with(m.texts.macs.Of(q.text, q.door), k.at), k.invalid)
		return true
	}
	key, err := apikey.Parse(q.text)
	if err != nil || r.KeyID != key.ID || r.Version != key.Version {
		return false // an answer to another question
	}
	if w := told.Records[r.KeyID]; w != nil {
		for i := range w.Versions {
			if v := &w.Versions[i]; v.Number == r.Version {
				id := r.KeyID
				if e, ok := m.held.keys.Peek(id); ok {
					id = e.value.ID // which is in memory in any case
				}
				m.texts.proofs.Put(q.mac, proven{id, r.Version, v.CreatedAt})
				return true
			}
		}
	}
	return false // nothing is told of what it was proven by
}
