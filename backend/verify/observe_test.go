package verify_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/verify"
)

func TestEachDecisionIsToldOnceAsItIsAnswered(t *testing.T) {
	t.Parallel()
	cases := map[string]func(m *mount, r *verify.Request){
		"a good key": func(*mount, *verify.Request) {},
		"a spent rate": func(m *mount, _ *verify.Request) {
			m.verdict = limit.Verdict{Outcome: limit.RateLimited, RetryAfter: 3}
		},
		"no key": func(_ *mount, r *verify.Request) { r.Key = apikey.Present("none") },
	}
	for _, trouble := range troubles {
		cases[trouble.name] = trouble.do
	}
	for name, do := range cases {
		m := newMount(t).limited()
		r := verify.Request{Key: m.newest.Presented(), Role: "web", Scopes: []string{"read:users"}, ClientIP: netip.MustParseAddr("10.2.0.1"), Cost: 7}
		do(m, &r)
		d := m.ask(t, r)
		if len(m.told) != 1 {
			t.Fatalf("%s: told %d times", name, len(m.told))
		}
		o := m.told[0]
		if fmt.Sprint(o.Decision) != fmt.Sprint(d) || o.Role != "web" || o.ClientIP != r.ClientIP || o.Cost != 7 || o.At != 2100 {
			t.Errorf("%s: told was %s of %s, at %s", name, o.Decision.Code, d.Code, o.At)
		}
		if proven := o.Text.Reveal() == r.Key.Reveal() && o.Lineage.Key.ID == keyID && o.Failure == ""; proven != d.Proven() {
			t.Errorf("%s: told was %q of %q, by %q", name, o.Failure, o.Text, o.Lineage.Key.ID)
		}
	}
}

func TestWhatIsNotDecidedIsNotTold(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	for name, do := range map[string]func(m *mount, r *verify.Request){
		"trouble before the proof": func(m *mount, _ *verify.Request) { m.fail = "tag key" },
		"trouble after the proof":  func(m *mount, _ *verify.Request) { m.fail = "role" },
		"trouble with limits":      func(m *mount, _ *verify.Request) { m.fail = "limits" },
		"scopes that are required": func(m *mount, _ *verify.Request) { m.roles["web"].RequireScopes = true },
		"an answer without room":   func(_ *mount, r *verify.Request) { r.Room = func(verify.Description) error { return full } },
	} {
		m := newMount(t).limited()
		r := verify.Request{Key: m.newest.Presented(), Cost: 1}
		do(m, &r)
		var why []error
		v := m.verifier()
		v.Undecided = func(err error) { why = append(why, err) }
		d, err := v.Verify(t.Context(), r)
		if err == nil || len(m.told) != 0 || !reflect.DeepEqual(d, verify.Decision{}) {
			t.Errorf("%s: told %d times, %v", name, len(m.told), err)
		}
		if !slices.Equal(why, []error{err}) {
			t.Errorf("%s: it is undecided for %v, and answered %v", name, why, err)
		}
	}
}

func TestAPanicDecidesNothing(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	told, v := 0, m.verifier()
	v.Undecided = func(err error) {
		if told++; err != nil {
			t.Errorf("it is undecided for %v", err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = v.Verify(t.Context(), verify.Request{Key: m.newest.Presented(), Cost: 1, Room: func(verify.Description) error { panic("a fault") }})
	}()
	if told != 1 || len(m.told) != 0 {
		t.Errorf("that it is undecided is told %d times, and a decision %d times", told, len(m.told))
	}
}

func TestRoomIsAskedAboutWhatTheAnswerHolds(t *testing.T) {
	t.Parallel()
	for _, scopes := range [][]string{{"read:users"}, {"admin"}} {
		m := newMount(t).limited()
		var asked verify.Description
		d := m.ask(t, verify.Request{Scopes: scopes, Room: func(shown verify.Description) error {
			if asked = shown; len(m.taken)+len(m.peeked) != 0 {
				t.Error("it was asked after the limits")
			}
			return nil
		}})
		if fmt.Sprint(asked) != fmt.Sprint(d.Description) || asked.Key.ID != keyID {
			t.Errorf("with %q it was asked about %v", scopes, asked)
		}
	}
}

// What a request is refused by after it waited for its limits is what is told.
func TestALaterRefusalIsToldWithWhatItWasRefusedBy(t *testing.T) {
	t.Parallel()
	m := newMount(t).limited()
	m.roles["web"].IdleTimeout, m.lastUsed[keyID] = 500, 2000
	v := m.verifier()
	v.Limiter = slowLimits{m, func(m *mount) { m.now = 2500 }}
	d, err := v.Verify(t.Context(), verify.Request{Key: m.newest.Presented(), Cost: 1})
	if err != nil || d.Code != verify.Expired || len(m.told) != 1 {
		t.Fatalf("it is %s, told %d times, %v", d.Code, len(m.told), err)
	}
	if o := m.told[0]; o.At != 2500 || !o.Lineage.Standing.Idle(o.At) {
		t.Errorf("told was %s at %s", o.Decision.Code, o.At)
	}
}
