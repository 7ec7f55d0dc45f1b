package verify_test

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// limited gives the bench's role a rate and a quota.
func (b *bench) limited() *bench {
	b.roles["web"].Limits = record.Limits{RateLimit: 10, RateLimitPeriod: 60, Quota: 100, QuotaPeriod: 3600}
	return b
}

func TestALimitIsAskedAfterEverythingElse(t *testing.T) {
	t.Parallel()
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t).limited()
			b.verdict = limit.Verdict{Outcome: limit.RateLimited}
			r := verify.Request{ClientIP: netip.MustParseAddr("10.2.0.1"), Cost: 1}
			trouble.do(b, &r)
			if d := b.ask(t, r); d.Code != trouble.want || len(b.taken) != 0 || len(b.used) != 0 {
				t.Errorf("it decided %s, took %v, used %q", d.Code, b.taken, b.used)
			}
		})
	}
}

func TestWhatALimitAnswersIsDecided(t *testing.T) {
	t.Parallel()
	left := limit.Remaining{Rate: 3, RateResets: 42, Quota: 7}
	for outcome, want := range map[limit.Outcome]verify.Code{
		limit.Allowed: verify.Valid, limit.RateLimited: verify.RateLimited, limit.QuotaExceeded: verify.QuotaExceeded, 0: verify.RateLimited, 99: verify.RateLimited,
	} {
		b := newBench(t).limited()
		b.verdict = limit.Verdict{Outcome: outcome, RetryAfter: 5, Remaining: left}
		d := b.ask(t, verify.Request{Cost: 3})
		if d.Code != want || d.RetryAfter != 5 || d.Remaining != left || d.Limits != b.roles["web"].Limits || d.QuotaResetsAt != 4600 {
			t.Errorf("%d: %+v", outcome, d)
		}
		if used := len(b.used) == 1; used != (want == verify.Valid) {
			t.Errorf("%d: used %q", outcome, b.used)
		}
		line := limit.Line{ID: keyID, Created: 1000, Limits: d.Limits}
		if want := []take{{[]limit.Line{line}, 3}}; !reflect.DeepEqual(b.taken, want) || len(b.peeked) != 0 {
			t.Errorf("%d: took %+v, looked at %v", outcome, b.taken, b.peeked)
		}
	}
}

func TestWhichLimitsCount(t *testing.T) {
	t.Parallel()
	of := func(rate int64, period record.Seconds) record.Limits {
		return record.Limits{RateLimit: rate, RateLimitPeriod: period}
	}
	for name, tc := range map[string]struct{ key, role, want record.Limits }{
		"the role's where the key has none":      {of(0, 1), of(10, 60), of(10, 60)},
		"the key's where the role has none":      {of(5, 60), of(0, 1), of(5, 60)},
		"the tighter":                            {of(5, 60), of(10, 60), of(5, 60)},
		"the role's since it was lowered":        {of(5, 60), of(2, 60), of(2, 60)},
		"the role's since its period is another": {of(5, 60), of(10, 61), of(10, 61)},
	} {
		b := newBench(t)
		b.change(func(k *record.Key) { k.Limits = tc.key })
		b.roles["web"].Limits = tc.role
		if d := b.ask(t, verify.Request{Cost: 1}); d.Limits != tc.want || len(b.taken) != 1 || b.taken[0].chain[0].Limits != tc.want {
			t.Errorf("%s: %+v, took %v", name, d.Limits, b.taken)
		}
	}
	b := newBench(t)
	if d := b.ask(t, verify.Request{Cost: 1}); !d.Valid() || len(b.taken)+len(b.peeked) != 0 {
		t.Errorf("without limits it is %s and asks %v", d.Code, b.taken)
	}
}

func TestAChainOfLimitsBeginsWithTheRoot(t *testing.T) {
	t.Parallel()
	chain := func(b *bench) (ids []string) {
		for _, line := range b.taken[0].chain {
			ids = append(ids, line.ID)
		}
		return ids
	}
	b := family(t).limited()
	b.ask(t, verify.Request{Cost: 1})
	if want := []string{"root", "parent", keyID}; !slices.Equal(chain(b), want) {
		t.Errorf("under a role with limits the chain is %q", chain(b))
	}
	b = family(t)
	b.edit("root", func(k *record.Key) { k.Limits.Quota = 5 })
	b.edit("parent", func(k *record.Key) { k.CreatedAt = 1234 })
	b.ask(t, verify.Request{Cost: 1})
	if want := []string{"root", keyID}; !slices.Equal(chain(b), want) {
		t.Errorf("with a limit on the root the chain is %q", chain(b))
	}
	b = family(t)
	b.ask(t, verify.Request{Cost: 1})
	if len(b.taken) != 0 {
		t.Errorf("without any limit it takes %v", b.taken)
	}
}

func TestARefusalLooksAtTheLimitsAndTakesNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do     func(b *bench)
		looks  int
		limits bool
	}{
		"disabled":    {func(b *bench) { b.change(func(k *record.Key) { k.Disabled = true }) }, 1, true},
		"short":       {func(b *bench) { b.change(func(k *record.Key) { k.Scopes = nil }) }, 1, true},
		"revoked":     {func(b *bench) { b.change(func(k *record.Key) { k.RevokedAt = 1 }) }, 0, false},
		"expired":     {func(b *bench) { b.now = 5600 }, 0, false},
		"of no limit": {func(b *bench) { b.roles["web"].Limits = record.Limits{}; b.roles["web"].Disabled = true }, 0, false},
	} {
		b := newBench(t).limited()
		b.remaining = limit.Remaining{Rate: 4}
		tc.do(b)
		d := b.ask(t, verify.Request{Scopes: []string{"read:users"}, Cost: 1})
		if d.Valid() || len(b.taken) != 0 || len(b.peeked) != tc.looks || (d.Limits != record.Limits{}) != tc.limits || (d.Remaining.Rate == 4) != tc.limits {
			t.Errorf("%s: it is %s, looked %d times, %+v", name, d.Code, len(b.peeked), d)
		}
	}
}

func TestWhatEndedWhileItWaitedForItsLimitsIsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		during func(b *bench)
		want   verify.Code
	}{
		"nothing":      {func(*bench) {}, verify.Valid},
		"a revocation": {func(b *bench) { b.change(func(k *record.Key) { k.RevokedAt = 2100 }) }, verify.Revoked},
		"a deletion":   {func(b *bench) { clear(b.keys) }, verify.Revoked},
		"a rotation": {func(b *bench) {
			b.change(func(k *record.Key) { k.Supersede(record.Version{Number: 3, ExpiresAt: 9000}, 0, 2100) })
		}, verify.Superseded},
		"a version that left": {func(b *bench) {
			b.change(func(k *record.Key) { k.Versions = k.Versions[1:]; k.Versions[0].Number = 9 })
		}, verify.Superseded},
		"a stop of its owner":  {func(b *bench) { b.owners["acme"] = stopped }, verify.Revoked},
		"the end of its life":  {func(b *bench) { b.now = 5600 }, verify.Expired},
		"the end of its role":  {func(b *bench) { clear(b.roles) }, verify.Revoked},
		"a change of its name": {func(b *bench) { b.change(func(k *record.Key) { k.Name = "other" }) }, verify.Valid},
	} {
		b := newBench(t).limited()
		v := b.verifier()
		v.Limiter = slowLimits{b, tc.during}
		d, err := v.Verify(t.Context(), verify.Request{Key: b.newest.Presented(), Cost: 1})
		if err != nil || d.Code != tc.want || (len(b.used) == 1) != (tc.want == verify.Valid) {
			t.Errorf("%s: %s, %v, used %q", name, d.Code, err, b.used)
		}
	}
}

func TestANodeThatCannotTellWhetherAKeyIsIdleSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.roles["web"].IdleTimeout = 500
	v := b.verifier()
	v.Resolver.Uses = elsewhere{b}
	if _, err := v.Verify(t.Context(), verify.Request{Key: b.newest.Presented()}); !errors.Is(err, record.ErrElsewhere) {
		t.Errorf("it answered %v", err)
	}
}
