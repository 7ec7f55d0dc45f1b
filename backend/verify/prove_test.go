package verify_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

func TestWhatIsNotProvenIsTheSameForEveryReason(t *testing.T) {
	t.Parallel()
	denied := verify.Decision{Code: verify.Invalid}
	for name, tc := range map[string]struct {
		do      func(m *mount, r *verify.Request)
		hashes  int
		records int // how often a record is read: a guess must not get there
		why     verify.Failure
	}{
		"nothing":            {func(_ *mount, r *verify.Request) { r.Key = apikey.Present(" ") }, 0, 0, verify.Malformed},
		"no key":             {func(_ *mount, r *verify.Request) { r.Key = apikey.Present("hello") }, 0, 0, verify.Malformed},
		"a megabyte":         {func(_ *mount, r *verify.Request) { r.Key = apikey.Present(strings.Repeat("a", 1<<20)) }, 0, 0, verify.Malformed},
		"a key with a space": {func(_ *mount, r *verify.Request) { r.Key = apikey.Present(r.Key.Reveal() + " ") }, 0, 0, verify.Malformed},
		"a bad crc": {func(_ *mount, r *verify.Request) {
			text := r.Key.Reveal()
			r.Key = apikey.Present(text[:len(text)-6] + "000000")
		}, 0, 0, verify.Malformed},
		"a key of another mount":    {func(m *mount, r *verify.Request) { m.tagKey, _ = apikey.NewTagKey([]byte(strings.Repeat("2", 32))) }, 0, 0, verify.Forged},
		"an id that is unknown":     {func(m *mount, _ *verify.Request) { clear(m.keys) }, 0, 1, verify.UnknownID},
		"a version that is unknown": {func(m *mount, _ *verify.Request) { m.change(func(k *record.Key) { k.Versions = k.Versions[1:] }) }, 0, 1, verify.ForgottenVersion},
		"a version that was forgotten": {func(m *mount, r *verify.Request) {
			r.Key = m.old.Presented()
			m.change(func(k *record.Key) { k.Versions[1].Hash = keyhash.PHC{} })
		}, 0, 1, verify.ForgottenVersion},
		"a wrong secret":             {func(m *mount, _ *verify.Request) { clear(m.matching) }, 1, 1, verify.WrongSecret},
		"another version's secret":   {func(m *mount, _ *verify.Request) { m.matching[newHash] = m.old.HashInput() }, 1, 1, verify.WrongSecret},
		"a key of another role":      {func(_ *mount, r *verify.Request) { r.Role = "batch" }, 0, 1, verify.OtherRole},
		"a role that does not exist": {func(_ *mount, r *verify.Request) { r.Role = "Web" }, 0, 1, verify.OtherRole},
		"a revoked key of another role": {func(m *mount, r *verify.Request) {
			r.Role = "batch"
			m.change(func(k *record.Key) { k.RevokedAt = 1 })
		}, 0, 1, verify.OtherRole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			r := verify.Request{Key: m.newest.Presented(), Role: "web", Scopes: []string{"admin"}, ClientIP: netip.MustParseAddr("10.0.0.1")}
			tc.do(m, &r)
			if d := m.ask(t, r); !reflect.DeepEqual(d, denied) {
				t.Errorf("it decided %+v", d)
			}
			if len(m.told) != 1 || !reflect.DeepEqual(m.told[0].Decision, denied) || m.told[0].Failure != tc.why || !reflect.DeepEqual(m.told[0].Lineage, lineage.Lineage{}) {
				t.Errorf("told %d times", len(m.told))
			}
			records := len(slices.DeleteFunc(m.reads, func(what string) bool { return what != "key" }))
			if m.matches != tc.hashes || records != tc.records || len(m.proofs) != 0 {
				t.Errorf("%d hashes, %d records, %d proofs", m.matches, records, len(m.proofs))
			}
		})
	}
}

func TestAKeyIsHashedOnce(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	for range 3 {
		m.ask(t, verify.Request{})
	}
	if m.matches != 1 {
		t.Errorf("three verifies hashed %d times", m.matches)
	}
	m.ask(t, verify.Request{Key: m.old.Presented()})
	if m.matches != 2 {
		t.Errorf("a second version hashed %d times", m.matches-1)
	}
	m.change(func(k *record.Key) { k.RevokedAt = 2000 })
	if d := m.ask(t, verify.Request{}); d.Code != verify.Revoked || m.matches != 2 {
		t.Errorf("a remembered proof made it %s after %d hashes", d.Code, m.matches)
	}
}

func TestAProofIsVoidWhenTheHashChanges(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.ask(t, verify.Request{})
	m.change(func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored(oldHash) })
	if d := m.ask(t, verify.Request{}); d.Code != verify.Invalid || m.matches != 2 {
		t.Errorf("it decided %s after %d hashes", d.Code, m.matches)
	}
}

func TestWhatIsDecidedDuringTheHashCounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		during func(m *mount)
		want   verify.Code
		hashes int
	}{
		"a revocation": {func(m *mount) { m.change(func(k *record.Key) { k.RevokedAt = 2100 }) }, verify.Revoked, 1},
		"a deletion":   {func(m *mount) { clear(m.keys) }, verify.Invalid, 1},
		"a rotation": {func(m *mount) {
			m.change(func(k *record.Key) { k.Supersede(record.Version{Number: 3, ExpiresAt: 9000}, 0, 2100) })
		}, verify.Superseded, 1},
		"the end of the role":   {func(m *mount) { clear(m.roles) }, verify.Revoked, 1},
		"the end of its life":   {func(m *mount) { m.now = 5600 }, verify.Expired, 1},
		"another secret's hash": {func(m *mount) { m.change(func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored(oldHash) }) }, verify.Invalid, 2},
		"a re-hash of its own": {func(m *mount) {
			m.matching["other"] = m.newest.HashInput()
			m.change(func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored("other") })
		}, verify.Valid, 2},
		"a re-hash with a proof": {func(m *mount) {
			m.Add(m.newest.Presented(), keyhash.Stored("other"))
			m.change(func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored("other") })
		}, verify.Valid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			m.during = func() { m.during = nil; tc.during(m) }
			if d := m.ask(t, verify.Request{}); d.Code != tc.want || m.matches != tc.hashes {
				t.Errorf("it decided %s after %d hashes", d.Code, m.matches)
			}
		})
	}
}

func TestACacheThatForgetsAtOnceStillProves(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	v := m.verifier()
	v.Prover.(*verify.ByHash).Proofs = noProofs{}
	d, err := v.Verify(t.Context(), verify.Request{Key: m.newest.Presented()})
	if err != nil || !d.Valid() || m.matches != 1 {
		t.Errorf("it decided %s, %v after %d hashes", d.Code, err, m.matches)
	}
}

type noProofs struct{}

func (noProofs) Has(apikey.Presented, keyhash.PHC) bool { return false }
func (noProofs) Add(apikey.Presented, keyhash.PHC)      {}

func TestTroubleIsAnErrorAndNeverADecision(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"tag key", "key", "role", "match"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			m.fail = what
			if what == "match" {
				m.matchErr = errStorage
			}
			d, err := m.verifier().Verify(t.Context(), verify.Request{Key: m.newest.Presented()})
			if !errors.Is(err, errStorage) || !reflect.DeepEqual(d, verify.Decision{}) {
				t.Errorf("it answered %+v, %v", d, err)
			}
			if what == "match" && len(m.proofs) != 0 {
				t.Error("a failed hash left a proof")
			}
		})
	}
	for _, what := range []string{"key", "tag key"} {
		m := newMount(t)
		m.fail = what
		if p, err := m.verifier().Prover.Prove(t.Context(), m.newest.Presented(), ""); p.Holds() || !errors.Is(err, errStorage) {
			t.Errorf("without %s it proved %v, %v", what, p.Holds(), err)
		}
	}
}

func TestTroubleAfterTheHashIsAnError(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.during = func() { m.fail = "key" }
	d, err := m.verifier().Verify(t.Context(), verify.Request{Key: m.newest.Presented()})
	if !errors.Is(err, errStorage) || d.Proven() {
		t.Errorf("it answered %+v, %v", d, err)
	}
}

func TestAForgedKeyCostsNeitherStorageNorAHash(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	other := newMount(t)
	other.tagKey, _ = apikey.NewTagKey([]byte(strings.Repeat("x", 32)))
	m.ask(t, verify.Request{Key: other.generate(t, 2).Presented()})
	m.ask(t, verify.Request{Key: apikey.Present("vak_" + keyID + "_nonsense")})
	if m.matches != 0 || !slices.Equal(m.reads, []string{"tag key"}) {
		t.Errorf("two forged keys read %q and hashed %d times", m.reads, m.matches)
	}
}

func TestAClientThatGivesUpIsAnError(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.matchErr = context.Canceled
	if d, err := m.verifier().Verify(t.Context(), verify.Request{Key: m.newest.Presented()}); !errors.Is(err, context.Canceled) || d.Code != "" {
		t.Errorf("it answered %+v, %v", d, err)
	}
}
