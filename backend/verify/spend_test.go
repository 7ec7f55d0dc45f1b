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

// limited gives the mount's role a rate and a quota.
func (m *mount) limited() *mount {
	m.roles["web"].Limits = record.Limits{RateLimit: 10, RateLimitPeriod: 60, Quota: 100, QuotaPeriod: 3600}
	return m
}

func TestALimitIsAskedAfterEverythingElse(t *testing.T) {
	t.Parallel()
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t).limited()
			m.verdict = limit.Verdict{Outcome: limit.RateLimited}
			r := verify.Request{ClientIP: netip.MustParseAddr("10.2.0.1"), Cost: 1}
			trouble.do(m, &r)
			if d := m.ask(t, r); d.Code != trouble.want || len(m.taken) != 0 || len(m.used) != 0 {
				t.Errorf("it decided %s, took %v, used %q", d.Code, m.taken, m.used)
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
		m := newMount(t).limited()
		m.verdict = limit.Verdict{Outcome: outcome, RetryAfter: 5, Remaining: left}
		d := m.ask(t, verify.Request{Cost: 3})
		if d.Code != want || d.RetryAfter != 5 || d.Remaining != left || d.Limits != m.roles["web"].Limits || d.QuotaResetsAt != 4600 {
			t.Errorf("%d: %+v", outcome, d)
		}
		if used := len(m.used) == 1; used != (want == verify.Valid) {
			t.Errorf("%d: used %q", outcome, m.used)
		}
		line := limit.Line{ID: keyID, Role: "web", Created: 1000, Limits: d.Limits}
		if want := []take{{[]limit.Line{line}, 3}}; !reflect.DeepEqual(m.taken, want) || len(m.peeked) != 0 {
			t.Errorf("%d: took %+v, looked at %v", outcome, m.taken, m.peeked)
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
		m := newMount(t)
		m.change(func(k *record.Key) { k.Limits = tc.key })
		m.roles["web"].Limits = tc.role
		if d := m.ask(t, verify.Request{Cost: 1}); d.Limits != tc.want || len(m.taken) != 1 || m.taken[0].chain[0].Limits != tc.want {
			t.Errorf("%s: %+v, took %v", name, d.Limits, m.taken)
		}
	}
	m := newMount(t)
	if d := m.ask(t, verify.Request{Cost: 1}); !d.Valid() || len(m.taken)+len(m.peeked) != 0 {
		t.Errorf("without limits it is %s and asks %v", d.Code, m.taken)
	}
}

func TestAChainOfLimitsBeginsWithTheRoot(t *testing.T) {
	t.Parallel()
	chain := func(m *mount) (ids []string) {
		for _, line := range m.taken[0].chain {
			ids = append(ids, line.ID)
		}
		return ids
	}
	m := family(t).limited()
	m.ask(t, verify.Request{Cost: 1})
	if want := []string{"root", "parent", keyID}; !slices.Equal(chain(m), want) {
		t.Errorf("under a role with limits the chain is %q", chain(m))
	}
	m = family(t)
	m.edit("root", func(k *record.Key) { k.Limits.Quota = 5 })
	m.edit("parent", func(k *record.Key) { k.CreatedAt = 1234 })
	m.ask(t, verify.Request{Cost: 1})
	if want := []string{"root", keyID}; !slices.Equal(chain(m), want) {
		t.Errorf("with a limit on the root the chain is %q", chain(m))
	}
	m = family(t)
	m.ask(t, verify.Request{Cost: 1})
	if len(m.taken) != 0 {
		t.Errorf("without any limit it takes %v", m.taken)
	}
}

func TestARefusalLooksAtTheLimitsAndTakesNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do     func(m *mount)
		looks  int
		limits bool
	}{
		"disabled":    {func(m *mount) { m.change(func(k *record.Key) { k.Disabled = true }) }, 1, true},
		"short":       {func(m *mount) { m.change(func(k *record.Key) { k.Scopes = nil }) }, 1, true},
		"revoked":     {func(m *mount) { m.change(func(k *record.Key) { k.RevokedAt = 1 }) }, 0, false},
		"expired":     {func(m *mount) { m.now = 5600 }, 0, false},
		"of no limit": {func(m *mount) { m.roles["web"].Limits = record.Limits{}; m.roles["web"].Disabled = true }, 0, false},
	} {
		m := newMount(t).limited()
		m.remaining = limit.Remaining{Rate: 4}
		tc.do(m)
		d := m.ask(t, verify.Request{Scopes: []string{"read:users"}, Cost: 1})
		if d.Valid() || len(m.taken) != 0 || len(m.peeked) != tc.looks || (d.Limits != record.Limits{}) != tc.limits || (d.Remaining.Rate == 4) != tc.limits {
			t.Errorf("%s: it is %s, looked %d times, %+v", name, d.Code, len(m.peeked), d)
		}
	}
}

func TestWhatEndedWhileItWaitedForItsLimitsIsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		during func(m *mount)
		want   verify.Code
	}{
		"nothing":      {func(*mount) {}, verify.Valid},
		"a revocation": {func(m *mount) { m.change(func(k *record.Key) { k.RevokedAt = 2100 }) }, verify.Revoked},
		"a deletion":   {func(m *mount) { clear(m.keys) }, verify.Revoked},
		"a rotation": {func(m *mount) {
			m.change(func(k *record.Key) { k.Supersede(record.Version{Number: 3, ExpiresAt: 9000}, 0, 2100) })
		}, verify.Superseded},
		"a version that left": {func(m *mount) {
			m.change(func(k *record.Key) { k.Versions = k.Versions[1:]; k.Versions[0].Number = 9 })
		}, verify.Superseded},
		"a stop of its owner":  {func(m *mount) { m.owners["acme"] = stopped }, verify.Revoked},
		"the end of its life":  {func(m *mount) { m.now = 5600 }, verify.Expired},
		"the end of its role":  {func(m *mount) { clear(m.roles) }, verify.Revoked},
		"a change of its name": {func(m *mount) { m.change(func(k *record.Key) { k.Name = "other" }) }, verify.Valid},
	} {
		m := newMount(t).limited()
		v := m.verifier()
		v.Limiter = slowLimits{m, tc.during}
		d, err := v.Verify(t.Context(), verify.Request{Key: m.newest.Presented(), Cost: 1})
		if err != nil || d.Code != tc.want || (len(m.used) == 1) != (tc.want == verify.Valid) {
			t.Errorf("%s: %s, %v, used %q", name, d.Code, err, m.used)
		}
	}
}

func TestANodeThatCannotTellWhetherAKeyIsIdleSaysSo(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.roles["web"].IdleTimeout = 500
	m.standby = true
	if _, err := m.verifier().Verify(t.Context(), verify.Request{Key: m.newest.Presented()}); !errors.Is(err, record.ErrElsewhere) {
		t.Errorf("it answered %v", err)
	}
}
