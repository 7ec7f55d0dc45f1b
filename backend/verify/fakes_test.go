package verify_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// The hashes of the two versions of the mount's key, of the default cost.
const (
	oldHash = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	newHash = "$argon2id$v=19$m=19456,t=2,p=1$DwECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

// take is what was asked of the limits.
type take struct {
	chain []limit.Line
	cost  int64
}

var errStorage = errors.New("storage is away")

// mount has one key, web's, in two versions: the first in its grace
// until 2600, the second until 5600. It counts what a decision reads.
type mount struct {
	tagKey   *apikey.TagKey
	keys     map[string]record.Key
	roles    map[string]*record.Role
	now      record.Time
	matching map[string]string // hash input by hash
	fail     string            // the read that fails

	reads    []string
	matches  int
	during   func() // what happens while Argon2 runs
	matchErr error
	proofs   map[string]bool

	owners    map[string]record.Owner
	lastUsed  map[string]record.Time // what an idle timeout counts from
	ends      *ends.Seen
	idle      *idle.Ends
	standby   bool
	planted   map[apikey.Digest]string
	forgot    bool
	used      []string
	told      []verify.Observation
	verdict   limit.Verdict
	remaining limit.Remaining
	taken     []take
	peeked    []limit.Line

	old, newest apikey.Key
}

func newMount(t testing.TB) *mount {
	t.Helper()
	tagKey, err := apikey.NewTagKey(bytes.Repeat([]byte{1}, apikey.TagKeyLength))
	if err != nil {
		t.Fatal(err)
	}
	m := &mount{
		tagKey: tagKey,
		now:    2100,
		proofs: map[string]bool{},
		owners: map[string]record.Owner{}, lastUsed: map[string]record.Time{},
		verdict: limit.Verdict{Outcome: limit.Allowed},
		roles:   map[string]*record.Role{"web": {UID: "u1", AllowedScopes: []string{"read:*", "write"}}},
	}
	m.ends, m.idle = ends.New(m), idle.New(m, m, func() bool { return !m.standby }, m)
	m.old, m.newest = m.generate(t, 1), m.generate(t, 2)
	m.matching = map[string]string{oldHash: m.old.HashInput(), newHash: m.newest.HashInput()}
	m.keys = map[string]record.Key{keyID: {
		ID: keyID, Prefix: "vak", Role: "web", RoleUID: "u1", Owner: "acme", Scopes: []string{"read:users"},
		Metadata: map[string]string{"team": "a"}, CreatedAt: 1000,
		Versions: []record.Version{
			{Number: 2, Hash: keyhash.Stored(newHash), CreatedAt: 2000, ExpiresAt: 5600},
			{Number: 1, Hash: keyhash.Stored(oldHash), CreatedAt: 1000, ExpiresAt: 4600, SupersededAt: 2000, ValidUntil: 2600},
		},
	}}
	return m
}

const keyID = "3kTMd9Xq2LwVb7Rc"

func (m *mount) generate(t testing.TB, version int) apikey.Key {
	t.Helper()
	k, err := apikey.Generate(rand.Reader, m.tagKey, "vak", keyID, version)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// change edits the key as a writer does: on a copy.
func (m *mount) change(edit func(k *record.Key)) {
	k := m.keys[keyID].Clone()
	edit(&k)
	m.keys[keyID] = k
}

func (m *mount) read(what string) error {
	m.reads = append(m.reads, what)
	if m.fail == what {
		return errStorage
	}
	return nil
}

func (m *mount) TagKey(context.Context) (*apikey.TagKey, error) { return m.tagKey, m.read("tag key") }

func (m *mount) Key(_ context.Context, id string) (record.Key, bool, error) {
	k, found := m.keys[id]
	return k, found, m.read("key")
}

func (m *mount) Role(_ context.Context, name string) (role record.Role, found bool, err error) {
	if r := m.roles[name]; r != nil {
		role, found = *r, true
	}
	return role, found, m.read("role")
}

func (m *mount) Owner(_ context.Context, name string) (record.Owner, bool, error) {
	o, found := m.owners[name]
	return o, found, m.read("owner")
}

func (m *mount) Uses(_ context.Context, id string) (record.Uses, error) {
	return record.Uses{Last: m.lastUsed[id]}, m.read("uses")
}

func (*mount) UsageGaps(context.Context, record.Time) (idle.Gaps, error) { return nil, nil }

// markIdle has somebody told that a key is idle, under a timeout that is longer now.
func (m *mount) markIdle(id string) {
	k := m.keys[id]
	s := record.Alone(&k)
	s.Role.IdleTimeout, s.IdleEnd = 1, m.now
	m.idle.Note(&k, s, m.now)
}

func (m *mount) Elapsed() time.Duration { return m.now.Std().Sub(time.Time{}) }

func (*mount) Undone(_, _ time.Duration) bool { return false }

func (m *mount) Take(_ context.Context, chain []limit.Line, cost int64, _ record.Time) (limit.Verdict, error) {
	m.taken = append(m.taken, take{slices.Clone(chain), cost})
	return m.verdict, m.read("limits")
}

func (m *mount) Peek(_ context.Context, line limit.Line, _ record.Time) (limit.Remaining, error) {
	m.peeked = append(m.peeked, line)
	return m.remaining, m.read("limits")
}

func (m *mount) Match(_ context.Context, phc keyhash.PHC, text string) (bool, error) {
	m.matches++
	if m.during != nil {
		m.during()
	}
	return m.matchErr == nil && m.matching[phc.Reveal()] == text, m.matchErr
}

func (m *mount) Has(text apikey.Presented, phc keyhash.PHC) bool {
	return m.proofs[text.Reveal()+"\x00"+phc.Reveal()]
}
func (m *mount) Add(text apikey.Presented, phc keyhash.PHC) {
	m.proofs[text.Reveal()+"\x00"+phc.Reveal()] = true
}
func (m *mount) Now() record.Time { return m.now }

func (m *mount) verifier() *verify.Verifier {
	return &verify.Verifier{
		Prover:   &verify.ByHash{Reader: m, Matcher: m, Proofs: m, Traps: m, Writable: func() bool { return !m.standby }},
		Resolver: lineage.Resolver{Reader: m, Idle: m.idle, Ends: m.ends, Clock: m},
		Limiter:  m,
		Observer: m,
		Writable: func() bool { return !m.standby },
	}
}

// Known and Find tell what is planted: of a mount that forgot, only by storage.
func (m *mount) Known(digest apikey.Digest) (string, bool) {
	if m.forgot {
		return "", false
	}
	return m.planted[digest], true
}

func (m *mount) Find(_ context.Context, digest apikey.Digest) (string, error) {
	m.reads = append(m.reads, "traps")
	if m.fail == "traps" {
		return "", errStorage
	}
	return m.planted[digest], nil
}

// Observe keeps what it is told, and notes what was used.
func (m *mount) Observe(o verify.Observation) {
	m.told = append(m.told, o)
	if !o.Decision.Valid() {
		return
	}
	m.used = append(m.used, fmt.Sprint(o.Lineage.Key.ID, " ", o.Decision.Version.Number))
	for _, a := range o.Lineage.Ancestors {
		m.used = append(m.used, fmt.Sprint(a.Key.ID, " ", 0))
	}
}

// ask decides about the newest version unless the request says otherwise.
func (m *mount) ask(t testing.TB, r verify.Request) verify.Decision {
	t.Helper()
	if r.Key.None() {
		r.Key = m.newest.Presented()
	}
	d, err := m.verifier().Verify(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func networks(entries ...string) network.List {
	l, err := network.Parse(entries)
	if err != nil {
		panic(err)
	}
	return l
}

// slowLimits lets something happen while a request waits for its limits.
type slowLimits struct {
	*mount
	during func(m *mount)
}

func (s slowLimits) Take(ctx context.Context, chain []limit.Line, cost int64, now record.Time) (limit.Verdict, error) {
	s.during(s.mount)
	v, err := s.mount.Take(ctx, chain, cost, now)
	v.Waited = true
	return v, err
}
