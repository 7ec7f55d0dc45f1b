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
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// The hashes of the two versions of the bench's key, of the default cost.
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

// bench is a mount with one key, web's, in two versions: the first in its grace
// until 2600, the second until 5600. It counts what a decision reads.
type bench struct {
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
	used      []string
	told      []verify.Observation
	verdict   limit.Verdict
	remaining limit.Remaining
	taken     []take
	peeked    []limit.Line

	old, newest apikey.Key
}

func newBench(t testing.TB) *bench {
	t.Helper()
	tagKey, err := apikey.NewTagKey(bytes.Repeat([]byte{1}, apikey.TagKeyLength))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		tagKey: tagKey,
		now:    2100,
		proofs: map[string]bool{},
		owners: map[string]record.Owner{}, lastUsed: map[string]record.Time{},
		verdict: limit.Verdict{Outcome: limit.Allowed},
		roles:   map[string]*record.Role{"web": {UID: "u1", AllowedScopes: []string{"read:*", "write"}}},
	}
	b.ends = ends.New(b)
	b.old, b.newest = b.generate(t, 1), b.generate(t, 2)
	b.matching = map[string]string{oldHash: b.old.HashInput(), newHash: b.newest.HashInput()}
	b.keys = map[string]record.Key{keyID: {
		ID: keyID, Prefix: "vak", Role: "web", RoleUID: "u1", Owner: "acme", Scopes: []string{"read:users"},
		Metadata: map[string]string{"team": "a"}, CreatedAt: 1000,
		Versions: []record.Version{
			{Number: 2, Hash: keyhash.Stored(newHash), CreatedAt: 2000, ExpiresAt: 5600},
			{Number: 1, Hash: keyhash.Stored(oldHash), CreatedAt: 1000, ExpiresAt: 4600, SupersededAt: 2000, ValidUntil: 2600},
		},
	}}
	return b
}

const keyID = "3kTMd9Xq2LwVb7Rc"

func (b *bench) generate(t testing.TB, version int) apikey.Key {
	t.Helper()
	k, err := apikey.Generate(rand.Reader, b.tagKey, "vak", keyID, version)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// change edits the key as a writer does: on a copy.
func (b *bench) change(edit func(k *record.Key)) {
	k := b.keys[keyID].Clone()
	edit(&k)
	b.keys[keyID] = k
}

func (b *bench) read(what string) error {
	b.reads = append(b.reads, what)
	if b.fail == what {
		return errStorage
	}
	return nil
}

func (b *bench) TagKey(context.Context) (*apikey.TagKey, error) { return b.tagKey, b.read("tag key") }

func (b *bench) Key(_ context.Context, id string) (record.Key, bool, error) {
	k, found := b.keys[id]
	return k, found, b.read("key")
}

func (b *bench) Role(_ context.Context, name string) (role record.Role, found bool, err error) {
	if r := b.roles[name]; r != nil {
		role, found = *r, true
	}
	return role, found, b.read("role")
}

func (b *bench) Owner(_ context.Context, name string) (record.Owner, bool, error) {
	o, found := b.owners[name]
	return o, found, b.read("owner")
}

func (b *bench) ActiveUntil(_ context.Context, id string, created record.Time, _ record.Seconds) (record.Time, error) {
	return max(created, b.lastUsed[id]), b.read("uses")
}

func (b *bench) Elapsed() time.Duration { return b.now.Std().Sub(time.Time{}) }

func (*bench) Undone(_, _ time.Duration) bool { return false }

func (b *bench) Take(_ context.Context, chain []limit.Line, cost int64, _ record.Time) (limit.Verdict, error) {
	b.taken = append(b.taken, take{slices.Clone(chain), cost})
	return b.verdict, b.read("limits")
}

func (b *bench) Peek(_ context.Context, line limit.Line, _ record.Time) (limit.Remaining, error) {
	b.peeked = append(b.peeked, line)
	return b.remaining, b.read("limits")
}

func (b *bench) Match(_ context.Context, phc keyhash.PHC, text string) (bool, error) {
	b.matches++
	if b.during != nil {
		b.during()
	}
	return b.matchErr == nil && b.matching[phc.Reveal()] == text, b.matchErr
}

func (b *bench) Has(text apikey.Presented, phc keyhash.PHC) bool {
	return b.proofs[text.Reveal()+"\x00"+phc.Reveal()]
}
func (b *bench) Add(text apikey.Presented, phc keyhash.PHC) {
	b.proofs[text.Reveal()+"\x00"+phc.Reveal()] = true
}
func (b *bench) Now() record.Time { return b.now }

func (b *bench) verifier() *verify.Verifier {
	return &verify.Verifier{
		Prover:   &verify.Prover{Reader: b, Matcher: b, Proofs: b},
		Resolver: lineage.Resolver{Reader: b, Uses: b, Ends: b.ends, Clock: b},
		Limiter:  b,
		Observer: verify.Observers{b},
	}
}

// Observe keeps what it is told, and notes what was used.
func (b *bench) Observe(o verify.Observation) {
	b.told = append(b.told, o)
	if !o.Decision.Valid() {
		return
	}
	b.used = append(b.used, fmt.Sprint(o.Lineage.Key.ID, " ", o.Decision.Version.Number))
	for _, a := range o.Lineage.Ancestors {
		b.used = append(b.used, fmt.Sprint(a.Key.ID, " ", 0))
	}
}

// ask decides about the newest version unless the request says otherwise.
func (b *bench) ask(t testing.TB, r verify.Request) verify.Decision {
	t.Helper()
	if r.Key.None() {
		r.Key = b.newest.Presented()
	}
	d, err := b.verifier().Verify(context.Background(), r)
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
	*bench
	during func(b *bench)
}

func (s slowLimits) Take(ctx context.Context, chain []limit.Line, cost int64, now record.Time) (limit.Verdict, error) {
	s.during(s.bench)
	return s.bench.Take(ctx, chain, cost, now)
}

// elsewhere is a node that may not write.
type elsewhere struct{ *bench }

func (elsewhere) ActiveUntil(context.Context, string, record.Time, record.Seconds) (record.Time, error) {
	return 0, record.ErrElsewhere
}
