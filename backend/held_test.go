//go:build !race

package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// held is a key record with so many pairs, scopes, networks and versions.
func held(t *testing.T, i, pairs, pairLength, scopes, scopeLength, networks, versions int) record.Key {
	t.Helper()
	k := record.Key{
		ID: fmt.Sprintf("%016d", i), Prefix: "acme_live", Role: "web", RoleUID: strings.Repeat("u", 26), Owner: "acme", Limits: record.DefaultLimits(),
		CreatedBy: record.Creator{DisplayName: "token-gateway", EntityID: strings.Repeat("e", 36)}, Metadata: map[string]string{},
	}
	for p := range pairs {
		k.Metadata[fmt.Sprintf("%04d", p)] = strings.Repeat("m", pairLength-4)
	}
	for s := range scopes {
		k.Scopes = append(k.Scopes, fmt.Sprintf("%0*d", scopeLength, s))
	}
	var entries []string
	for n := range networks {
		entries = append(entries, fmt.Sprintf("2001:db8:0:%x::/64", n))
	}
	list, err := network.Parse(entries)
	if err != nil {
		t.Fatal(err)
	}
	k.BoundCIDRs = list
	for v := range versions {
		k.Versions = append(k.Versions, record.Version{Number: versions - v, Hash: keyhash.Stored(fmt.Sprintf("$argon2id$v=19$m=19456,t=2,p=1$%s", strings.Repeat("h", 66))), Holder: strings.Repeat("f", 43), ExpiresAt: 1 << 40})
	}
	return k
}

// heap is what is in use now.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// What the README says of memory: 1.6 KiB for a key as a rule, and 2.5 KiB times
// verify_cache_size whatever its writers put into the records.
func TestWhatIsHeldOfKeysIsBoundedInBytes(t *testing.T) {
	const size = 2048
	for name, tc := range map[string]struct {
		keys, pairs, pairLength, scopes, scopeLength, networks, versions int

		most float64 // bytes times size
		kept int
	}{
		"as a rule":           {1792, 1, 20, 2, 12, 0, 1, 1.6 * 1024, 1700},
		"twice the rule":      {1792, 2, 20, 6, 40, 0, 2, 2.5 * 1024, 1700},
		"full of metadata":    {384, 31, 528, 0, 0, 0, 8, 2.5 * 1024, 50},
		"full of long scopes": {384, 0, 0, 64, 256, 0, 8, 2.5 * 1024, 50},
		"full of networks":    {384, 0, 0, 0, 0, 256, 8, 2.5 * 1024, 50},
		"full of small parts": {384, 32, 8, 128, 16, 256, 8, 2.5 * 1024, 50},
	} {
		t.Run(name, func(t *testing.T) {
			storage := memory.New()
			for i := range tc.keys {
				k := held(t, i, tc.pairs, tc.pairLength, tc.scopes, tc.scopeLength, tc.networks, tc.versions)
				value, err := json.Marshal(map[string]any{"v": 1, "record": k})
				if err != nil {
					t.Fatal(err)
				}
				storage.Plant("key/"+k.ID[:2]+"/"+k.ID, string(value))
			}
			before := heap()
			s, proofs := store.New(storage), proof.New(size)
			uses := usage.New(s, size, func() bool { return true })
			s.Configure(record.Config{VerifyCacheSize: size})
			for i := range tc.keys {
				k, found, err := s.Key(t.Context(), fmt.Sprintf("%016d", i))
				if err != nil || !found {
					t.Fatal(found, err)
				}
				if _, err := uses.Uses(t.Context(), k.ID); err != nil {
					t.Fatal(err)
				}
				proofs.Add(apikey.Present(k.ID), k.Versions[0].Hash)
			}
			grown := float64(heap()-before) / size
			asked := 0
			storage.Intercept(func(_ context.Context, _ memory.Call, effect func()) error { asked++; effect(); return nil })
			for i := range tc.keys {
				if _, _, err := s.PeekKey(t.Context(), fmt.Sprintf("%016d", i)); err != nil {
					t.Fatal(err)
				}
			}
			if grown > tc.most || tc.keys-asked < tc.kept {
				t.Errorf("%.0f bytes times its size, at most %.0f; %d of %d keys are kept, at least %d", grown, tc.most, tc.keys-asked, tc.keys, tc.kept)
			}
			t.Logf("%.0f bytes, %d kept", grown, tc.keys-asked)
			runtime.KeepAlive(proofs)
			runtime.KeepAlive(uses)
		})
	}
}

// What was counted is in memory until it is merged: half a KiB for each key that was
// used, before the flush and after it.
func TestWhatIsHeldOfUsedKeysIsBoundedInBytes(t *testing.T) {
	const keys, most = 20_000, 512
	storage := memory.New()
	s := store.New(storage)
	uses := usage.New(s, 1, func() bool { return true })
	ids := make([]string, keys)
	for i := range ids {
		ids[i] = fmt.Sprintf("%016d", i)
	}
	ip := netip.MustParseAddr("10.1.2.3")
	before := heap()
	for _, id := range ids {
		for range 3 {
			uses.Count(id, "acme", record.Decided{Code: "valid", Valid: true, Version: 1, At: 1_700_000_000, ClientIP: ip})
		}
	}
	counted := heap()
	if err := uses.Flush(t.Context(), 1_700_000_001); err != nil {
		t.Fatal(err)
	}
	for _, path := range storage.Paths() {
		storage.Lose(path)
	}
	flushed := heap()
	for when, bytes := range map[string]uint64{"counted": counted - before, "flushed": flushed - before} {
		t.Logf("%s, a used key takes %d bytes", when, bytes/keys)
		if bytes/keys > most {
			t.Errorf("%s, a used key takes %d bytes, at most %d", when, bytes/keys, most)
		}
	}
	runtime.KeepAlive(uses)
	runtime.KeepAlive(ids)
}
