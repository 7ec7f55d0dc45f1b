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
		do      func(b *bench, r *verify.Request)
		hashes  int
		records int // how often a record is read: a guess must not get there
		why     verify.Failure
	}{
		"nothing":            {func(_ *bench, r *verify.Request) { r.Key = apikey.Present(" ") }, 0, 0, verify.Malformed},
		"no key":             {func(_ *bench, r *verify.Request) { r.Key = apikey.Present("hello") }, 0, 0, verify.Malformed},
		"a megabyte":         {func(_ *bench, r *verify.Request) { r.Key = apikey.Present(strings.Repeat("a", 1<<20)) }, 0, 0, verify.Malformed},
		"a key with a space": {func(_ *bench, r *verify.Request) { r.Key = apikey.Present(r.Key.Reveal() + " ") }, 0, 0, verify.Malformed},
		"a bad crc": {func(_ *bench, r *verify.Request) {
			text := r.Key.Reveal()
			r.Key = apikey.Present(text[:len(text)-6] + "000000")
		}, 0, 0, verify.Malformed},
		"a key of another mount":    {func(b *bench, r *verify.Request) { b.tagKey, _ = apikey.NewTagKey([]byte(strings.Repeat("2", 32))) }, 0, 0, verify.Forged},
		"an id that is unknown":     {func(b *bench, _ *verify.Request) { clear(b.keys) }, 0, 1, verify.UnknownID},
		"a version that is unknown": {func(b *bench, _ *verify.Request) { b.change(func(k *record.Key) { k.Versions = k.Versions[1:] }) }, 0, 1, verify.ForgottenVersion},
		"a version that was forgotten": {func(b *bench, r *verify.Request) {
			r.Key = b.old.Presented()
			b.change(func(k *record.Key) { k.Versions[1].Hash = keyhash.PHC{} })
		}, 0, 1, verify.ForgottenVersion},
		"a wrong secret":             {func(b *bench, _ *verify.Request) { clear(b.matching) }, 1, 1, verify.WrongSecret},
		"another version's secret":   {func(b *bench, _ *verify.Request) { b.matching[newHash] = b.old.HashInput() }, 1, 1, verify.WrongSecret},
		"a key of another role":      {func(_ *bench, r *verify.Request) { r.Role = "batch" }, 0, 1, verify.OtherRole},
		"a role that does not exist": {func(_ *bench, r *verify.Request) { r.Role = "Web" }, 0, 1, verify.OtherRole},
		"a revoked key of another role": {func(b *bench, r *verify.Request) {
			r.Role = "batch"
			b.change(func(k *record.Key) { k.RevokedAt = 1 })
		}, 0, 1, verify.OtherRole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			r := verify.Request{Key: b.newest.Presented(), Role: "web", Scopes: []string{"admin"}, ClientIP: netip.MustParseAddr("10.0.0.1")}
			tc.do(b, &r)
			if d := b.ask(t, r); !reflect.DeepEqual(d, denied) {
				t.Errorf("it decided %+v", d)
			}
			if len(b.told) != 1 || !reflect.DeepEqual(b.told[0].Decision, denied) || b.told[0].Failure != tc.why || !reflect.DeepEqual(b.told[0].Lineage, lineage.Lineage{}) {
				t.Errorf("told %d times", len(b.told))
			}
			records := len(slices.DeleteFunc(b.reads, func(what string) bool { return what != "key" }))
			if b.matches != tc.hashes || records != tc.records || len(b.proofs) != 0 {
				t.Errorf("%d hashes, %d records, %d proofs", b.matches, records, len(b.proofs))
			}
		})
	}
}

func TestAKeyIsHashedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for range 3 {
		b.ask(t, verify.Request{})
	}
	if b.matches != 1 {
		t.Errorf("three verifies hashed %d times", b.matches)
	}
	b.ask(t, verify.Request{Key: b.old.Presented()})
	if b.matches != 2 {
		t.Errorf("a second version hashed %d times", b.matches-1)
	}
	b.change(func(k *record.Key) { k.RevokedAt = 2000 })
	if d := b.ask(t, verify.Request{}); d.Code != verify.Revoked || b.matches != 2 {
		t.Errorf("a remembered proof made it %s after %d hashes", d.Code, b.matches)
	}
}

func TestAProofIsVoidWhenTheHashChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ask(t, verify.Request{})
	b.change(func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored(oldHash) })
	if d := b.ask(t, verify.Request{}); d.Code != verify.Invalid || b.matches != 2 {
		t.Errorf("it decided %s after %d hashes", d.Code, b.matches)
	}
}

func TestWhatIsDecidedDuringTheHashCounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		during func(b *bench)
		want   verify.Code
		hashes int
	}{
		"a revocation": {func(b *bench) { b.change(func(k *record.Key) { k.RevokedAt = 2100 }) }, verify.Revoked, 1},
		"a deletion":   {func(b *bench) { clear(b.keys) }, verify.Invalid, 1},
		"a rotation": {func(b *bench) {
			b.change(func(k *record.Key) { k.Supersede(record.Version{Number: 3, ExpiresAt: 9000}, 0, 2100) })
		}, verify.Superseded, 1},
		"the end of the role":   {func(b *bench) { clear(b.roles) }, verify.Revoked, 1},
		"the end of its life":   {func(b *bench) { b.now = 5600 }, verify.Expired, 1},
		"another secret's hash": {func(b *bench) { b.change(func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored(oldHash) }) }, verify.Invalid, 2},
		"a re-hash of its own": {func(b *bench) {
			b.matching["other"] = b.newest.HashInput()
			b.change(func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored("other") })
		}, verify.Valid, 2},
		"a re-hash with a proof": {func(b *bench) {
			b.Add(b.newest.Presented(), keyhash.Stored("other"))
			b.change(func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored("other") })
		}, verify.Valid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.during = func() { b.during = nil; tc.during(b) }
			if d := b.ask(t, verify.Request{}); d.Code != tc.want || b.matches != tc.hashes {
				t.Errorf("it decided %s after %d hashes", d.Code, b.matches)
			}
		})
	}
}

func TestACacheThatForgetsAtOnceStillProves(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	v := b.verifier()
	v.Prover.Proofs = noProofs{}
	d, err := v.Verify(t.Context(), verify.Request{Key: b.newest.Presented()})
	if err != nil || !d.Valid() || b.matches != 1 {
		t.Errorf("it decided %s, %v after %d hashes", d.Code, err, b.matches)
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
			b := newBench(t)
			b.fail = what
			if what == "match" {
				b.matchErr = errStorage
			}
			d, err := b.verifier().Verify(t.Context(), verify.Request{Key: b.newest.Presented()})
			if !errors.Is(err, errStorage) || !reflect.DeepEqual(d, verify.Decision{}) {
				t.Errorf("it answered %+v, %v", d, err)
			}
			if what == "match" && len(b.proofs) != 0 {
				t.Error("a failed hash left a proof")
			}
		})
	}
	for _, what := range []string{"key", "tag key"} {
		b := newBench(t)
		b.fail = what
		if p, err := b.verifier().Prover.Prove(t.Context(), b.newest.Presented(), ""); p.Holds() || !errors.Is(err, errStorage) {
			t.Errorf("without %s it proved %v, %v", what, p.Holds(), err)
		}
	}
}

func TestTroubleAfterTheHashIsAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.during = func() { b.fail = "key" }
	d, err := b.verifier().Verify(t.Context(), verify.Request{Key: b.newest.Presented()})
	if !errors.Is(err, errStorage) || d.Proven() {
		t.Errorf("it answered %+v, %v", d, err)
	}
}

func TestAForgedKeyCostsNeitherStorageNorAHash(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := newBench(t)
	other.tagKey, _ = apikey.NewTagKey([]byte(strings.Repeat("x", 32)))
	b.ask(t, verify.Request{Key: other.generate(t, 2).Presented()})
	b.ask(t, verify.Request{Key: apikey.Present("vak_" + keyID + "_nonsense")})
	if b.matches != 0 || !slices.Equal(b.reads, []string{"tag key"}) {
		t.Errorf("two forged keys read %q and hashed %d times", b.reads, b.matches)
	}
}

func TestAClientThatGivesUpIsAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.matchErr = context.Canceled
	if d, err := b.verifier().Verify(t.Context(), verify.Request{Key: b.newest.Presented()}); !errors.Is(err, context.Canceled) || d.Code != "" {
		t.Errorf("it answered %+v, %v", d, err)
	}
}
