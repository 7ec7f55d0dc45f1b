package edge

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

func TestTextsAreAskedForInBatchesOneAtATime(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		var texts []string
		for range 10000 {
			_, text := w.issue()
			texts = append(texts, text)
		}
		under := 0
		w.mu.Lock()
		w.onTold = func(context.Context, *wire.Told) error {
			if under++; under > 1 {
				t.Error("two batches are on their way")
			}
			time.Sleep(20 * time.Millisecond)
			under--
			return nil
		}
		w.mu.Unlock()
		begun := time.Now()
		w.wantAll(texts, map[string]int{"valid": 10000}, from("10.0.0.1"))
		if took := time.Since(begun); took > 2*second {
			t.Errorf("it took %s", took)
		}
		for _, ask := range w.vault.calls() {
			if len(ask.Keys) > maxTexts {
				t.Errorf("%d texts in a batch", len(ask.Keys))
			}
		}
		same := make([]string, 1000)
		_, same[0] = w.issue()
		for i := range same {
			same[i] = same[0]
		}
		w.wantAll(same, map[string]int{"valid": 1000})
		if asked := w.vault.calls(); len(asked) != 1 || len(asked[0].Keys) != 1 {
			t.Errorf("one text was asked as %v", describe(asked))
		}
	})
}

func from(addr string) func(q *Question) {
	return func(q *Question) { q.Client = netip.MustParseAddr(addr) }
}

// flood asks about so many texts that nobody made, each tenth of a second, and counts
// what Vault was asked.
func (w *world) flood(seconds, each int, change ...func(q *Question)) (asked int) {
	w.vault.calls()
	for range seconds * 10 {
		texts := make([]string, each/10)
		for i := range texts {
			texts[i] = w.text(apikeyID(), 1)
		}
		for got := range w.all(texts, change...) {
			if got != "invalid" && got != "busy" {
				w.t.Errorf("it answers %s", got)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, ask := range w.vault.calls() {
		asked += len(ask.Keys)
	}
	return asked
}

func TestAFloodOfForgedKeysIsAnsweredHere(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		other := newVault(t)
		w.vault.tagKey = other.tagKey
		_, warm := w.issue()
		w.want(warm, "valid")
		if got := w.flood(5, 1000, from("10.0.0.1")); got < 200 || got > 200+20*6 {
			t.Errorf("vault was asked about %d texts of one client", got)
		}
		// Others are not held up, and those next door of an IPv6 client are the same.
		_, cold := w.issue()
		w.want(cold, "valid", from("10.0.0.2"))
		if got := w.flood(5, 1000, from("2001:db8::1")); got > 200+20*6 {
			t.Errorf("vault was asked about %d texts", got)
		}
		if got := w.flood(1, 1000, from("2001:db8::ffff:1")); got > 20*3 {
			t.Errorf("vault was asked about %d texts of the same network", got)
		}
		if got := w.flood(8, 1500); got > 5000+500*9 || got < 5000+500*5 {
			t.Errorf("vault was asked about %d texts", got)
		}
		w.want(warm, "valid")
		w.want("nonsense", "invalid")
		if w.asks.became[overBudget] == 0 {
			t.Error("nothing was over the budget")
		}
	})
}

// Whoever waits keeps a connection of the gateway. Those of a flood must not be kept from
// others by what cannot be asked in time anyway.
func TestAFloodIsNotWaitedFor(t *testing.T) {
	for name, change := range map[string]func(q *Question){"of nobody": func(*Question) {}, "of one client": from("10.0.0.1")} {
		in(t, Settings{}, func(w *world) {
			w.vault.tagKey = newVault(t).tagKey
			w.mu.Lock()
			w.onTold = func(context.Context, *wire.Told) error { time.Sleep(20 * time.Millisecond); return nil }
			w.mu.Unlock()
			w.flood(5, 2000, change)
			texts := make([]string, 2000)
			for i := range texts {
				texts[i] = w.text(apikeyID(), 1)
			}
			begun := time.Now()
			w.all(texts, change)
			if took := time.Since(begun); took > 200*time.Millisecond {
				t.Errorf("%s: it took %s", name, took)
			}
		})
	}
}

func TestARefusedTextIsNotAskedAgainForAWhile(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		id, _ := w.issue()
		forged := w.text(id, 3)
		for range 100 {
			w.want(forged, "invalid")
		}
		w.wantCalls(1)
		// Its version is made meanwhile, of which the feed tells.
		w.change(id, func(k *record.Key) {
			next := k.Versions[0]
			next.Number = 3
			k.Versions = append([]record.Version{next}, k.Versions...)
		})
		time.Sleep(100 * time.Millisecond)
		w.want(forged, "valid")
		w.vault.calls()
		dead := w.text(apikeyID(), 1)
		w.want(dead, "invalid")
		time.Sleep(refusedFor + time.Millisecond)
		w.want(dead, "invalid")
		w.wantCalls(2)
	})
}

func TestAKeyThatIsNotKnownTakesNoLongerThanItMay(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue()
		w.mu.Lock()
		w.busy = true
		w.mu.Unlock()
		begun := time.Now()
		w.want(text, "busy")
		if took := time.Since(begun); took != coldTimeout {
			t.Errorf("it took %s", took)
		}
		if asked := len(w.vault.calls()); asked > 30 {
			t.Errorf("vault was asked %d times in two seconds", asked)
		}
		w.mu.Lock()
		w.busy = false
		w.mu.Unlock()
		w.silence(errAway)
		time.Sleep(2 * second)
		w.want(text, "stale")
	})
}

func TestOnlyKeysOfItsRolesAreKeys(t *testing.T) {
	as := func(role string) func(q *Question) { return func(q *Question) { q.Role = role } }
	ops := func(w *world) string {
		w.mu.Lock()
		w.roles["ops"] = record.Role{UID: "u2", AllowedScopes: []string{"*"}, Limits: record.Limits{RateLimitPeriod: 1}}
		w.mu.Unlock()
		_, text := w.issue(func(k *record.Key) { k.Role, k.RoleUID = "ops", "u2" })
		return text
	}
	for name, tc := range map[string]struct {
		roles                      []string
		web, none, ops, opsIn, two string
	}{
		"one role":      {[]string{"web"}, "valid", "valid", "invalid", "invalid", "invalid"},
		"several roles": {[]string{"web", "ops"}, "valid", ErrRoleNeeded.Error(), "valid", "invalid", ErrRoleNeeded.Error()},
		"any role":      {nil, "valid", "valid", "valid", "invalid", "valid"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Settings{Roles: tc.roles}, func(w *world) {
				_, web := w.issue()
				of := ops(w)
				for range 2 {
					w.want(of, tc.opsIn, as("web")) // first: what it leaves must not count at the other door
					w.want(web, tc.web, as("web"))
					w.want(web, tc.none, as(""))
					w.want(of, tc.ops, as("ops"))
					w.want(of, tc.two, as(""))
					w.announce("planet:mars") // all is dropped
					time.Sleep(100 * time.Millisecond)
				}
			})
		})
	}
}

// A door at which the gate is not let in holds up nobody at another.
func TestADoorThatIsNotAnsweredAtHoldsUpNoOther(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		w.mu.Lock()
		w.deny = "ops"
		w.mu.Unlock()
		for range 30 {
			_, text := w.issue()
			other := w.text(apikeyID(), 1)
			go func() { _, _ = w.verify(other, func(q *Question) { q.Role = "ops" }) }()
			begun := time.Now()
			w.want(text, "valid")
			if took := time.Since(begun); took > 0 {
				t.Fatalf("it took %s", took)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if denied := w.Status().Denied; len(denied) != 1 || denied[0] != "gate/resolve/ops" {
			t.Errorf("denied are %v", denied)
		}
	})
}
