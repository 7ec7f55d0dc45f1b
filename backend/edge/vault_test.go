package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// vault is a small Upstream by script: it tells of what it has, with a cursor, and does
// as the test says before it answers.
type vault struct {
	t      testing.TB
	tagKey *apikey.TagKey
	start  time.Time

	mu      sync.Mutex
	cursor  wire.Cursor
	log     []string // the changes of this term, the first at sequence 1
	changed chan struct{}
	keys    map[string]record.Key
	roles   map[string]record.Role
	owners  map[string]record.Owner
	ahead   time.Duration // of the engine's clock

	gates     int
	wait      int64 // that it asks for
	away      error // what all calls answer
	polls     []wire.Poll
	asked     []wire.Ask
	doors     []string
	known     []wire.Confirm
	onProof   func() error // for a poll that does not wait
	onPoll    func(ctx context.Context, a *wire.Changes) error
	onTold    func(ctx context.Context, a *wire.Told) error
	onConfirm func(a *wire.Confirmed) error
	busy      bool
	lost      string // a text that is none any more
	deny      string // the door
}

const suffix = "0123456789abcdef"

func newVault(t testing.TB) *vault {
	tagKey, err := apikey.NewTagKey(make([]byte, apikey.TagKeyLength))
	if err != nil {
		t.Fatal(err)
	}
	return &vault{
		t: t, tagKey: tagKey, start: time.Now(), cursor: wire.Cursor{Term: 7, Suffix: suffix}, changed: make(chan struct{}), wait: 1000,
		keys: map[string]record.Key{}, owners: map[string]record.Owner{},
		roles: map[string]record.Role{"web": {UID: "u1", AllowedScopes: []string{"*"}, Limits: record.Limits{RateLimitPeriod: 1}}},
	}
}

func (v *vault) present() record.Time { return record.At(time.Now().Add(v.ahead)) }

// issue makes a key of web, and answers its text.
func (v *vault) issue(change ...func(k *record.Key)) (id, text string) {
	v.t.Helper()
	id = apikeyID()
	k := record.Key{
		ID: id, Role: "web", RoleUID: "u1", Owner: "acme", Scopes: []string{"read"}, CreatedAt: v.present(), Limits: record.Limits{RateLimitPeriod: 1},
		Versions: []record.Version{{Number: 1, Hash: keyhash.Stored("h"), CreatedAt: v.present(), ExpiresAt: v.present().Add(86400)}},
	}
	for _, c := range change {
		c(&k)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys[id] = k
	return id, v.text(id, k.Highest().Number)
}

func (v *vault) text(id string, version int) string {
	key, err := apikey.Generate(rand.Reader, v.tagKey, "vak", id, version)
	if err != nil {
		v.t.Fatal(err)
	}
	return key.Reveal()
}

func apikeyID() string { return strings.ToUpper(rand.Text())[:apikey.IDLength] }

// change changes a key and tells of it.
func (v *vault) change(id string, change func(k *record.Key)) {
	v.mu.Lock()
	k := v.keys[id].Clone()
	change(&k)
	v.keys[id] = k
	v.mu.Unlock()
	v.announce("key:" + id)
}

func (v *vault) revoke(id string) { v.change(id, func(k *record.Key) { k.RevokedAt = v.present() }) }

func (v *vault) announce(changes ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.log = append(v.log, changes...)
	v.cursor.Sequence = uint64(len(v.log))
	close(v.changed)
	v.changed = make(chan struct{})
}

// fail is another process of the engine that takes over.
func (v *vault) failover() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cursor, v.log = wire.Cursor{Term: v.cursor.Term + 1, Suffix: suffix}, nil
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *vault) silence(err error) { v.set(func() { v.away = err }) }

// set changes what it answers, between two answers.
func (v *vault) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

var errAway = errors.New("away")

func (v *vault) Changes(ctx context.Context, p wire.Poll) (wire.Changes, error) {
	begun := time.Now()
	v.mu.Lock()
	v.polls = append(v.polls, p)
	held, away, changed, prove := v.cursor.String() == p.Cursor, v.away, v.changed, v.onProof
	v.mu.Unlock()
	if away == nil && p.Wait == 0 && prove != nil {
		away = prove()
	}
	if away != nil {
		return wire.Changes{}, away
	}
	if held && p.Wait > 0 {
		select {
		case <-ctx.Done():
			return wire.Changes{}, ctx.Err()
		case <-changed:
		case <-time.After(time.Duration(p.Wait) * time.Millisecond):
		}
	}
	v.mu.Lock()
	a := wire.Changes{Nonce: p.Nonce, Cursor: v.cursor.String(), Now: time.Now().Add(v.ahead).UnixMilli(), Gates: max(1, v.gates), Wait: v.wait}
	cursor, ok := wire.ParseCursor(p.Cursor)
	if a.Reset = !ok || cursor.Term != v.cursor.Term || cursor.Sequence > uint64(len(v.log)); !a.Reset {
		a.Changes = slices.Clone(v.log[cursor.Sequence:])
	}
	a.Waited = time.Since(begun).Milliseconds()
	on, away := v.onPoll, v.away
	v.mu.Unlock()
	if away != nil {
		return wire.Changes{}, away
	}
	if on != nil {
		return a, on(ctx, &a)
	}
	return a, nil
}

func (v *vault) Resolve(ctx context.Context, role string, ask wire.Ask) (wire.Told, error) {
	v.mu.Lock()
	v.asked, v.doors = append(v.asked, ask), append(v.doors, role)
	if v.deny != "" && v.deny == role {
		defer v.mu.Unlock()
		return wire.Told{}, ErrDenied
	}
	a := wire.Told{Records: map[string]*wire.Key{}, Roles: map[string]*wire.Role{}, Owners: map[string]*wire.Owner{}, Nonce: ask.Nonce, Cursor: v.cursor.String(), Now: time.Now().Add(v.ahead).UnixMilli()}
	for _, text := range ask.Keys {
		a.Results = append(a.Results, v.prove(text, role, &a))
	}
	for _, id := range ask.KeyIDs {
		a.Records[id] = nil
		v.show(id, role, &a)
	}
	for _, name := range ask.Roles {
		v.showRole(name, &a)
	}
	for _, name := range ask.Owners {
		v.showOwner(name, &a)
	}
	on, away := v.onTold, v.away
	v.mu.Unlock()
	if away != nil {
		return a, away
	}
	if on != nil {
		return a, on(ctx, &a)
	}
	return a, nil
}

func (v *vault) prove(text, role string, a *wire.Told) wire.Result {
	key, err := apikey.Parse(apikey.Present(text))
	k, ok := v.keys[key.ID]
	switch {
	case v.busy:
		return wire.Result{Error: "busy", Status: 503}
	case err != nil || !ok || text == v.lost || !v.genuine(key) || role != "" && k.Role != role || k.Find(key.Version) == nil:
		return wire.Result{Code: wire.CodeInvalid}
	}
	v.show(key.ID, role, a)
	return wire.Result{KeyID: key.ID, Version: key.Version}
}

func (v *vault) genuine(key apikey.Key) bool {
	genuine, _ := v.tagKey.Check(key)
	return genuine
}

func (v *vault) show(id, role string, a *wire.Told) {
	k, ok := v.keys[id]
	if !ok || role != "" && k.Role != role {
		return
	}
	a.Records[id] = wire.ShowKey(&k, &k, record.Standing{})
	v.showRole(k.Role, a)
	if k.Owner != "" {
		v.showOwner(k.Owner, a)
	}
	if k.Parent != "" {
		a.Records[k.Parent] = nil
		v.show(k.Parent, role, a)
	}
}

func (v *vault) showRole(name string, a *wire.Told) {
	a.Roles[name] = nil
	if r, ok := v.roles[name]; ok {
		a.Roles[name] = wire.ShowRole(&r)
	}
}

func (v *vault) showOwner(name string, a *wire.Told) {
	a.Owners[name] = nil
	if o, ok := v.owners[name]; ok {
		a.Owners[name] = wire.ShowOwner(&o)
	}
}

func (v *vault) Confirm(ctx context.Context, c wire.Confirm) (wire.Confirmed, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known = append(v.known, c)
	a := wire.Confirmed{Nonce: c.Nonce, Cursor: v.cursor.String(), Now: time.Now().Add(v.ahead).UnixMilli()}
	for text := c.Known; text != ""; text = text[wire.IDLength+wire.FingerprintLength:] {
		id, fingerprint := text[:wire.IDLength], text[wire.IDLength:wire.IDLength+wire.FingerprintLength]
		if k, ok := v.keys[id]; !ok || wire.Fingerprint(&k) != fingerprint {
			a.Changed = append(a.Changed, id)
		}
	}
	if v.away != nil {
		return a, v.away
	}
	if v.onConfirm != nil {
		return a, v.onConfirm(&a)
	}
	return a, nil
}

func (v *vault) Reserve(context.Context, string, wire.Reserve) (wire.Grants, error) {
	return wire.Grants{}, errAway
}

func (v *vault) Report(context.Context, string, wire.Report) error { return nil }

func (v *vault) polled() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.polls)
}

// calls counts what was asked so far, and forgets it.
func (v *vault) calls() (asks []wire.Ask) {
	v.mu.Lock()
	defer v.mu.Unlock()
	asks, v.asked, v.doors = v.asked, nil, nil
	return asks
}
