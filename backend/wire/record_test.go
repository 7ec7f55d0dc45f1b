package wire_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// canary stands in every field of a record that no gate may see.
const canary = "canary"

// any random record was at a moment below this.
const horizon = 4000

type random struct{ *rand.Rand }

func (r random) one(of ...string) string     { return of[r.IntN(len(of))] }
func (r random) chance() bool                { return r.IntN(3) == 0 }
func (r random) time(most int64) record.Time { return record.Time(r.Int64N(most) + 1) }

func (r random) networks() network.List {
	if r.chance() {
		return network.List{}
	}
	l, _ := network.Parse([]string{r.one("10.0.0.0/8", "192.0.2.1", "2001:db8::/32")})
	return l
}

func (r random) limits() (l record.Limits) {
	return record.Limits{RateLimit: r.Int64N(3), RateLimitPeriod: record.Seconds(r.Int64N(3) + 1), Quota: r.Int64N(3), QuotaPeriod: record.Seconds(r.Int64N(100))}
}

func (r random) scopes() []string {
	return [][]string{nil, {}, {"read"}, {"read:*", "write"}, {"*"}}[r.IntN(5)]
}

func (r random) metadata() map[string]string {
	return []map[string]string{nil, {}, {"team": "a"}, {"tier": "<&>", "team": "b"}}[r.IntN(4)]
}

func (r random) role() record.Role {
	role := record.Role{
		UID: r.one("u1", "u1", "u1", "u1", "u2"), Description: canary, Prefix: canary, AllowedScopes: r.scopes(), DefaultScopes: []string{canary}, BoundCIDRs: r.networks(),
		Metadata: r.metadata(), RequireScopes: r.chance(), IdleTimeout: record.Seconds(r.IntN(3) * 100), RotationPeriod: record.Seconds(r.IntN(3) * 500),
		GraceBrownout: r.chance(), Disabled: r.IntN(5) == 0, Limits: r.limits(), OwnerTemplate: canary, AllowedRecipients: []string{canary},
	}
	role.Stop = r.stop()
	return role
}

func (r random) stop() (s record.Stop) {
	for range r.IntN(5) {
		s.Raise(canary, r.time(horizon), canary)
	}
	return s
}

func (r random) version(number int, at record.Time) record.Version {
	return record.Version{
		Number: number, Hash: keyhash.Stored(canary), CreatedAt: at, ExpiresAt: at + r.time(horizon), Until: horizon * 2, Lifetime: 99, Leased: true, Holder: canary,
		Cut: r.chance(), Recipients: []string{canary}, Request: fmt.Sprint(canary, number),
	}
}

// key is one that went through rotations in every way there is.
func (r random) key(id, parent string) (k record.Key, at record.Time) {
	at = r.time(100)
	k = record.Key{
		ID: id, Prefix: canary, Role: "web", RoleUID: "u1", RoleGeneration: uint64(3 - r.IntN(5)/4), Owner: r.one("", "acme"), OwnerGeneration: uint64(3 - r.IntN(5)/4),
		StaticName: canary, Parent: parent, Depth: 3, Name: r.one("", "a name"), Metadata: r.metadata(), Scopes: r.scopes(), BoundCIDRs: r.networks(), Limits: r.limits(),
		TTL: 77, Disabled: r.IntN(6) == 0, CreatedAt: at, CreatedBy: record.Creator{DisplayName: canary, EntityID: canary}, RevokeReason: canary, DisabledReason: canary,
		Versions: []record.Version{r.version(1, at)},
	}
	for range r.IntN(8) {
		at += r.time(300)
		k.Settle(0, at)
		switch next := r.version(k.Highest().Number+1, at); r.IntN(6) {
		case 0, 1:
			k.Supersede(next, record.Seconds(r.IntN(400)), at)
		case 2:
			next.PendingUntil = at + r.time(500)
			k.Supersede(next, record.Seconds(r.IntN(20000)), at)
		case 3:
			_ = k.Rollback(canary, at)
		case 4:
			_ = k.Finish(record.Seconds(r.IntN(200)), at)
		case 5:
			k.Forget(record.Seconds(r.IntN(200)), at)
		}
	}
	if r.IntN(6) == 0 {
		k.RevokedAt = at
	}
	if r.IntN(6) == 0 {
		k.OrphanedAt = at
	}
	return k, at
}

// seen is what may have been seen to end of a settled key.
func (r random) seen(k *record.Key) (s record.Seen) {
	s.Idle, s.Expired = r.IntN(6) == 0, r.IntN(6) == 0 && k.Pending() == nil
	for i := range k.Versions {
		if v := &k.Versions[i]; v.SupersededAt != 0 && !v.Hash.None() && r.chance() {
			s.Superseded = append(s.Superseded, v.Number)
		}
	}
	return s
}

// told is what a gate reads of what it is shown.
func told[V any](t *testing.T, shown any) (read V) {
	t.Helper()
	raw, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), canary) {
		t.Fatalf("a gate is shown %s", raw)
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// generation is a key with its role and owner, as the engine and as a gate has them.
type generation struct{ here, there lineage.Lineage }

func (r random) generation(t *testing.T, id, parent string, role record.Role, owner record.Owner) (g generation, at record.Time) {
	stored, at := r.key(id, parent)
	k := stored
	k.Settle(0, at)
	s := record.Standing{Owner: owner, Role: k.IssuedUnder(&role), Seen: r.seen(&k), AncestorsActive: r.chance(), AncestorsEnded: r.chance()}
	if s.Role != nil && s.Role.IdleTimeout > 0 {
		s.IdleEnd = k.CreatedAt.Add(s.Role.IdleTimeout) + r.time(500)
	}
	g.here = lineage.Lineage{Key: k, Standing: s}
	shownKey := told[wire.Key](t, wire.ShowKey(&stored, &k, s))
	shownRole, shownOwner := told[wire.Role](t, wire.ShowRole(&role)), told[wire.Owner](t, wire.ShowOwner(&owner))
	k2, err := shownKey.Record(id, at)
	if err != nil {
		t.Fatal(err, k.Versions)
	}
	role2, err := shownRole.Record()
	if err != nil {
		t.Fatal(err)
	}
	there := record.Standing{Owner: shownOwner.Record(), Role: k2.IssuedUnder(&role2), AncestorsActive: s.AncestorsActive, AncestorsEnded: s.AncestorsEnded}
	if there.Role != nil && there.Role.IdleTimeout > 0 && !s.Seen.Idle { // as package idle counts
		there.IdleEnd = max(k2.CreatedAt, shownKey.ActiveAt).Add(there.Role.IdleTimeout)
	}
	g.there = lineage.Lineage{Key: k2, Standing: there}
	return g, at
}

func TestAGateDecidesByTheRecordAsTheEngineDoes(t *testing.T) {
	t.Parallel()
	states := map[record.State]int{}
	for seed := range uint64(1500) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		g, at := r.generation(t, "3kTMd9Xq2LwVb7Rc", r.one("", "0kTMd9Xq2LwVb7Rc"), r.role(), record.Owner{Stop: r.stop()})
		for now := at; now < horizon*2; now += r.time(300) {
			g.here.Key.Settle(0, now)
			g.there.Key.Settle(0, now)
			for i := range g.here.Key.Versions {
				v := &g.here.Key.Versions[i]
				if v.Hash.None() {
					continue
				}
				state, got := same(t, seed, &g, v.Number, now)
				if states[state]++; state != got {
					t.Fatalf("seed %d: at %d version %d is %s here and %s at the gate:\n%+v\n%+v", seed, now, v.Number, state, got, g.here, g.there)
				}
			}
		}
	}
	for _, s := range []record.State{record.Active, record.Revoked, record.Expired, record.Superseded, record.Disabled, record.ParentEnded} {
		if states[s] < 50 {
			t.Errorf("only %d were %s", states[s], s)
		}
	}
}

// same compares what is told of one version, but its state, which is answered.
func same(t *testing.T, seed uint64, g *generation, number int, now record.Time) (here, there record.State) {
	t.Helper()
	a, b := g.here.Key.Find(number), g.there.Key.Find(number)
	if b == nil || b.Hash.None() {
		t.Fatalf("seed %d: at %d the gate has no version %d", seed, now, number)
	}
	is, got := tell(&g.here, a, now), tell(&g.there, b, now)
	if is != got {
		t.Fatalf("seed %d: at %d version %d is told as\n%s here, and at the gate as\n%s", seed, now, number, is, got)
	}
	return g.here.Key.StateOf(a, g.here.Standing, now), g.there.Key.StateOf(b, g.there.Standing, now)
}

// tell is what a verdict says of a version, and goes by.
func tell(l *lineage.Lineage, v *record.Version, now record.Time) string {
	said := fmt.Sprint(l.Key.Ended(l.Standing, now), l.Key.RotationDue(v, l.Standing, now), l.Key.Pending() != nil && !l.Standing.Seen.Idle && !l.Key.Ended(l.Standing, now), v.Waits() && !l.Key.Ended(l.Standing, now))
	if role := l.Standing.Role; role != nil && !l.Key.StateOf(v, l.Standing, now).Ended() {
		said += fmt.Sprint(role.Brownout(v, now), v.ExpiresAt, v.SupersededAt, v.ValidUntil, v.CreatedAt)
	}
	return said
}

func TestAGateKnowsWhatADelegatedKeyMay(t *testing.T) {
	t.Parallel()
	differ := map[string]bool{}
	for seed := range uint64(1000) {
		r := random{rand.New(rand.NewPCG(seed, 2))}
		role, owner := r.role(), record.Owner{}
		var here, there lineage.Lineage
		for i, id := range []string{"2kTMd9Xq2LwVb7Rc", "1kTMd9Xq2LwVb7Rc", "0kTMd9Xq2LwVb7Rc"} {
			parent := []string{"1kTMd9Xq2LwVb7Rc", "0kTMd9Xq2LwVb7Rc", ""}[i]
			g, _ := r.generation(t, id, parent, role, owner)
			if i == 0 {
				here, there = g.here, g.there
			} else {
				here.Ancestors, there.Ancestors = append(here.Ancestors, g.here), append(there.Ancestors, g.there)
			}
		}
		a, b := may(&here), may(&there)
		if differ[a] = true; a != b {
			t.Fatalf("seed %d: here it may %s, and at the gate %s", seed, a, b)
		}
	}
	if len(differ) < 200 {
		t.Errorf("only %d differed", len(differ))
	}
}

func may(l *lineage.Lineage) string {
	said := fmt.Sprint(l.Scopes(), l.Metadata(), l.Limits(), l.RequiresScopes(), l.Key.CreatedAt, l.Key.Name, l.Key.Owner, l.Key.Role)
	for _, from := range []string{"10.1.1.1", "192.0.2.1", "2001:db8::1", "203.0.113.1"} {
		said += fmt.Sprint(l.Admits(netip.MustParseAddr(from)))
	}
	return said + fmt.Sprint(l.Admits(netip.Addr{}))
}
