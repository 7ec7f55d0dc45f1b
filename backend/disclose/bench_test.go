package disclose_test

import (
	"fmt"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/disclose"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/memory"
)

const oldHash = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

type feed struct{}

func (feed) Cursor() string { return "1.aaaa.1" }

// filled is storage with n keys, as most are.
func filled(b testing.TB, n int, change ...func(k *record.Key)) (storage *memory.Storage, known []wire.Held) {
	b.Helper()
	storage = memory.New()
	s := store.New(storage)
	if _, err := s.UpdateRole(b.Context(), "web", func(record.Role, bool) (record.Role, error) {
		return record.Role{UID: "u1", AllowedScopes: []string{"read:*"}}, nil
	}); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		k := record.Key{
			ID: fmt.Sprintf("%016d", i*7919), Prefix: "acme_live", Role: "web", RoleUID: "u1", Owner: "acme", Name: "billing", CreatedAt: 1000,
			Scopes: []string{"read:users", "read:orders"}, Metadata: map[string]string{"team": "a", "tier": "gold"},
			Versions: []record.Version{{Number: 1, Hash: keyhash.Stored(oldHash), CreatedAt: 1000, ExpiresAt: 9_000_000_000, Until: 9_000_000_000}},
		}
		for _, c := range change {
			c(&k)
		}
		if !apikey.ValidID(k.ID) {
			b.Fatal(k.ID)
		}
		if err := s.CreateKey(b.Context(), k); err != nil {
			b.Fatal(err)
		}
		known = append(known, wire.Held{ID: k.ID, Fingerprint: wire.Fingerprint(&k)})
	}
	return storage, known
}

// started is what a process knows when it starts.
func started(storage *memory.Storage) *disclose.Records {
	s, ticks, may := store.New(storage), clock.New(func(clock.Change) {}), func() bool { return true }
	uses := usage.New(s, 1000, may)
	return &disclose.Records{
		Resolver: lineage.Resolver{Reader: s, Idle: idle.New(uses, s, may, ticks), Ends: ends.New(ticks), Clock: ticks},
		Keys:     s, Feed: feed{}, Clock: ticks, Writable: may,
	}
}

// BenchmarkConfirm has a gate confirm what it holds, 4,096 records a call, by an engine
// that has just started, and by one that another gate asked before.
func BenchmarkConfirm(b *testing.B) {
	const held = 4 * wire.MaxKnown
	storage, known := filled(b, held)
	confirm := func(b *testing.B, r *disclose.Records) {
		for at := 0; at < held; at += wire.MaxKnown {
			answer, err := r.Confirm(b.Context(), wire.Confirm{Known: wire.Join(known[at : at+wire.MaxKnown])})
			if err != nil || len(answer.Changed) != 0 {
				b.Fatal(len(answer.Changed), err)
			}
		}
	}
	each := func(b *testing.B) { b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*held), "ns/record") }
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			confirm(b, started(storage))
		}
		each(b)
	})
	b.Run("warm", func(b *testing.B) {
		r := started(storage)
		confirm(b, r)
		b.ResetTimer()
		for b.Loop() {
			confirm(b, r)
		}
		each(b)
	})
}

func BenchmarkResolveByID(b *testing.B) {
	storage, known := filled(b, 500)
	r := started(storage)
	q := disclose.Question{}
	for _, h := range known {
		q.KeyIDs = append(q.KeyIDs, h.ID)
	}
	for b.Loop() {
		if a, err := r.Resolve(b.Context(), q, func(error) wire.Result { return wire.Result{} }); err != nil || len(a.Records) != 500 {
			b.Fatal(err)
		}
	}
}
