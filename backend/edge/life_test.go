package edge

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

func TestAKeyThatExpiresIsAskedForAgainOnceASecond(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		id, text := w.issue(func(k *record.Key) { k.Versions[0].ExpiresAt = w.present().Add(30) })
		w.want(text, "valid")
		time.Sleep(31 * second)
		w.vault.calls()
		observed := w.seen.count()
		for range 100 {
			w.want(text, "expired")
			time.Sleep(30 * time.Millisecond)
		}
		if asked := len(w.vault.calls()); asked < 3 || asked > 4 {
			t.Errorf("in three seconds vault was asked %d times", asked)
		}
		if told := w.seen.count() - observed; told != 100 {
			t.Errorf("of 100 decisions %d were told", told)
		}
		w.mu.Lock()
		k := w.keys[id].Clone()
		k.Versions[0].ExpiresAt = w.present().Add(60) // whose change is on its way
		w.keys[id] = k
		w.mu.Unlock()
		time.Sleep(second)
		w.want(text, "valid")
		w.wantCalls(1)
		// Where Vault is silent it has expired.
		time.Sleep(58 * second)
		w.silence(errAway)
		time.Sleep(5 * second)
		w.want(text, "expired")
	})
}

func TestAVersionThatWaitsTakesEffectByItsFirstUse(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		id, _ := w.issue(func(k *record.Key) {
			next := k.Versions[0]
			next.Number, next.PendingUntil, next.Grace = 2, w.present().Add(3600), 5
			k.Versions = append([]record.Version{next}, k.Versions...)
		})
		old := w.text(id, 1)
		next := w.text(id, 2)
		w.want(old, "valid")
		w.want(next, "valid", func(q *Question) { q.Cost = 0 }) // which uses nothing
		time.Sleep(10 * second)
		w.want(old, "valid")
		w.want(next, "valid")
		if a := w.want(old, "valid"); a.Version.SupersededAt == 0 {
			t.Error("the version before is not in its grace")
		}
		time.Sleep(6 * second)
		w.want(old, "superseded")
		w.want(next, "valid")
	})
}

func TestAKeyInUseHereIsNotIdle(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		w.setRole(func(r *record.Role) { r.IdleTimeout = 60 })
		_, text := w.issue()
		for range 10 {
			w.want(text, "valid")
			time.Sleep(30 * second)
		}
		time.Sleep(31 * second)
		w.want(text, "expired")
	})
}

func TestARateIsSharedByAllGates(t *testing.T) {
	for share, want := range map[float64]int{1: 100, 0.5: 50, 0: 25, 0.001: 1} {
		in(t, Settings{RateShare: share}, func(w *world) {
			w.mu.Lock()
			w.gates = 4
			w.mu.Unlock()
			_, text := w.issue(func(k *record.Key) { k.Limits = record.Limits{RateLimit: 100, RateLimitPeriod: 3600} })
			time.Sleep(2 * second)
			texts := make([]string, 200)
			for i := range texts {
				texts[i] = text
			}
			if got := w.all(texts)["valid"]; got != want {
				t.Errorf("of a share of %v it lets %d pass, want %d", share, got, want)
			}
			if a, _ := w.verify(text); a.Limits.RateLimit != 100 {
				t.Errorf("it shows a limit of %d", a.Limits.RateLimit)
			}
		})
	}
}

func TestWhatWasNeverToldIsFoundOut(t *testing.T) {
	var said bytes.Buffer
	in(t, Settings{Logger: slog.New(slog.NewTextHandler(&said, nil))}, func(w *world) {
		id, text := w.issue()
		gone, ended := w.issue(func(k *record.Key) { k.RevokedAt = 1 })
		told, other := w.issue()
		for _, text := range []string{text, other} {
			w.want(text, "valid")
		}
		w.want(ended, "revoked")
		w.mu.Lock()
		k := w.keys[id]
		k.Disabled = true
		w.keys[id] = k
		delete(w.keys, gone) // tidy says nothing of it
		w.mu.Unlock()
		time.Sleep(confirmWithin)
		w.want(text, "disabled")
		w.want(other, "valid")
		if got := w.drift.count(); got != 1 || !strings.Contains(said.String(), "key:"+id) {
			t.Errorf("%d were found, and it says %s", got, &said)
		}
		// A change of which the feed tells after the confirmation did is none.
		w.mu.Lock()
		w.onConfirm = func(a *wire.Confirmed) error {
			k := w.keys[told]
			k.Disabled = true
			w.keys[told] = k
			a.Changed = append(a.Changed, told)
			go func() { time.Sleep(second); w.announce("key:" + told) }()
			w.onConfirm = nil
			return nil
		}
		w.mu.Unlock()
		w.mu.Lock()
		r := w.roles["web"]
		r.Disabled = true
		w.roles["web"] = r
		w.mu.Unlock()
		time.Sleep(confirmWithin)
		w.want(other, "disabled")
		if got := w.drift.count(); got != 2 || !strings.Contains(said.String(), "role:web") {
			t.Errorf("%d were found, and it says %s", got, &said)
		}
	})
}

func TestEverythingIsConfirmedOnceInTenMinutes(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		for range 10 {
			_, text := w.issue()
			w.want(text, "valid")
		}
		time.Sleep(confirmWithin + confirmWithin/2)
		counts := map[string]int{}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.known {
			for text := c.Known; text != ""; text = text[wire.IDLength+wire.FingerprintLength:] {
				counts[text[:wire.IDLength]]++
			}
		}
		for id, n := range counts {
			if n < 1 || n > 3 {
				t.Errorf("%s was confirmed %d times", id, n)
			}
		}
		if len(counts) != 10 || w.drift.count() != 0 {
			t.Errorf("%d keys were confirmed, %d drifted", len(counts), w.drift.count())
		}
	})
}

func TestTheEnginesClockIsFollowedWithinItsTerm(t *testing.T) {
	var said bytes.Buffer
	in(t, Settings{Logger: slog.New(slog.NewTextHandler(&said, nil))}, func(w *world) {
		off := func() time.Duration { return time.Until(w.clock.Now().Std()) }
		want := func(least, most time.Duration) {
			t.Helper()
			if got := off(); got < least-second || got > most+second/100 {
				t.Errorf("the time is ahead by %s, want %s to %s", got, least, most)
			}
		}
		time.Sleep(second)
		want(0, 0)
		w.mu.Lock()
		w.ahead = -time.Hour
		w.mu.Unlock()
		last := w.clock.Now()
		for range 100 {
			time.Sleep(second / 2)
			if now := w.clock.Now(); now < last {
				t.Fatal("the time went back within a term")
			} else {
				last = now
			}
		}
		w.failover()
		time.Sleep(2 * second)
		want(-time.Hour, -time.Hour)
		if !strings.Contains(said.String(), "jumped") {
			t.Errorf("it says %q", said.String())
		}
		w.mu.Lock()
		w.ahead = time.Hour
		w.mu.Unlock()
		time.Sleep(2 * second)
		want(time.Hour, time.Hour) // an engine's clock that is ahead is followed at once
		// Half of a long round trip is added, and no more.
		w.mu.Lock()
		w.onPoll = func(context.Context, *wire.Changes) error { time.Sleep(800 * time.Millisecond); return nil }
		w.mu.Unlock()
		w.failover()
		time.Sleep(10 * second)
		want(time.Hour, time.Hour+800*time.Millisecond)
	})
}

// What was seen to end by a clock that was wrong is judged anew by the next process's.
func TestAnEndByAWrongClockIsTakenBackWithTheTerm(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue(func(k *record.Key) { k.Versions[0].ExpiresAt = w.present().Add(3600) })
		w.want(text, "valid")
		for _, tc := range []struct {
			ahead time.Duration
			want  string
		}{{2 * time.Hour, "expired"}, {0, "valid"}} {
			w.mu.Lock()
			w.ahead = tc.ahead
			w.mu.Unlock()
			w.failover()
			time.Sleep(2 * second)
			w.want(text, tc.want)
		}
	})
}
