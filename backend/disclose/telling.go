package disclose

import (
	"context"
	"encoding/json"

	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// How many bytes records may have. A record has 20 KiB at most, each of its ancestors
// as well.
const (
	maxAnswer    = 16 << 20 // of one answer
	maxAnswering = 64 << 20 // of all that a mount is putting together at a time
)

// errNoRoom is returned for a key that would make an answer too long.
const errNoRoom record.Busy = "busy: the answer is full; ask about this key in another"

// telling is an answer while it is made.
type telling struct {
	of     *Records
	role   string // the only one of which anything is told, "" for any
	as     lineage.Resolver
	seen   *seen
	answer *Answer
	held   int64
}

func (r *Records) begin(q *Question) *telling {
	t := &telling{of: r, role: q.Role, as: r.Resolver, answer: &Answer{
		Nonce: q.Nonce, Cursor: r.Feed.Cursor(), Results: make([]wire.Result, 0, len(q.Texts)),
		Records: map[string]json.RawMessage{}, Roles: map[string]*wire.Role{}, Owners: map[string]*wire.Owner{},
	}}
	t.seen = newSeen(r.Resolver.Reader)
	t.as.Reader = t.seen
	return t
}

// end gives back what the answer held. Whoever began it ends it.
func (t *telling) end() { t.of.answering.Add(-t.held) }

var none = json.RawMessage("null")

// key shows a key with all its ancestors, or nothing of it.
func (t *telling) key(ctx context.Context, id string) error {
	if _, done := t.answer.Records[id]; done {
		return nil
	}
	k, found, err := t.seen.Key(ctx, id)
	switch {
	case err != nil:
		return err
	case !found, t.hides(&k):
		t.answer.Records[id] = none
		return nil
	}
	// Who is shown a state may act on it, so what has ended of it is for good.
	l, err := t.as.Lineage(ctx, k)
	if err != nil {
		return err
	}
	shown, size := map[string]json.RawMessage{}, 0
	for _, each := range append([]lineage.Lineage{l}, l.Ancestors...) {
		id := each.Key.ID
		if shown[id], err = t.encode(&each); err != nil {
			return err
		}
		size += len(shown[id])
		if err := t.around(ctx, &each.Key); err != nil {
			return err
		}
	}
	return t.add(shown, size)
}

// hides tells whether a key is none to who asks.
func (t *telling) hides(k *record.Key) bool { return t.role != "" && k.Role != t.role }

// encode is what is shown of one key.
func (t *telling) encode(l *lineage.Lineage) (json.RawMessage, error) {
	if t.hides(&l.Key) { // an ancestor, of a record that is damaged
		return none, nil
	}
	stored := t.seen.keys.of[l.Key.ID].value
	return json.Marshal(wire.ShowKey(&stored, &l.Key, l.Standing))
}

// around shows the role and the owner of a key, and that a parent is none.
func (t *telling) around(ctx context.Context, k *record.Key) error {
	if err := t.namedRole(ctx, k.Role); err != nil {
		return err
	}
	if k.Owner != "" {
		if err := t.namedOwner(ctx, k.Owner); err != nil {
			return err
		}
	}
	if parent, read := t.seen.keys.of[k.Parent]; read && !parent.found {
		t.answer.Records[k.Parent] = none
	}
	return nil
}

// add takes in what has room.
func (t *telling) add(shown map[string]json.RawMessage, size int) error {
	if t.held+int64(size) > maxAnswer {
		return errNoRoom
	}
	if t.of.answering.Add(int64(size)) > maxAnswering {
		t.of.answering.Add(-int64(size))
		return errNoRoom
	}
	t.held += int64(size)
	for id, encoded := range shown {
		t.answer.Records[id] = encoded
	}
	return nil
}

// namedRole shows a role. Another than the one that may be asked about is none.
func (t *telling) namedRole(ctx context.Context, name string) error {
	if _, done := t.answer.Roles[name]; done {
		return nil
	}
	if t.role != "" && name != t.role {
		t.answer.Roles[name] = nil
		return nil
	}
	role, found, err := t.seen.Role(ctx, name)
	if err != nil {
		return err
	}
	t.answer.Roles[name] = nil
	if found {
		t.answer.Roles[name] = wire.ShowRole(&role)
	}
	return nil
}

// namedOwner shows an owner.
func (t *telling) namedOwner(ctx context.Context, name string) error {
	if _, done := t.answer.Owners[name]; done {
		return nil
	}
	owner, found, err := t.seen.Owner(ctx, name)
	if err != nil {
		return err
	}
	t.answer.Owners[name] = nil
	if found {
		t.answer.Owners[name] = wire.ShowOwner(&owner)
	}
	return nil
}
