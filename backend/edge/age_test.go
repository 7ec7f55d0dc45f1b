package edge

import (
	"context"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

const second = time.Second

// until looks each hundredth of a second for how long a key is answered with valid.
func (w *world) until(text string, most time.Duration) time.Duration {
	w.t.Helper()
	begun := time.Now()
	for time.Since(begun) < most {
		if a, err := w.verify(text); err != nil || !a.Valid() {
			return time.Since(begun)
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("after %s it is still valid", most)
	return 0
}

func TestARevocationIsHeardAtOnce(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		id, text := w.issue()
		w.want(text, "valid")
		time.Sleep(3 * second)
		w.revoke(id)
		if took := w.until(text, second); took > 100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		w.want(text, "revoked")
	})
}

func TestKnowledgeIsNoOlderThanItMayBe(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		in(t, Settings{StaleGrace: grace}, func(w *world) {
			_, text := w.issue()
			w.want(text, "valid")
			time.Sleep(20 * second)
			w.silence(errAway)
			last := time.Now()
			w.revoke("")
			time.Sleep(maxStaleness - time.Since(last) - second - late)
			if a := w.want(text, "valid"); a.Stale != 0 {
				t.Errorf("it is stale: %s", a.Stale)
			}
			time.Sleep(time.Until(last.Add(maxStaleness + time.Millisecond)))
			if grace > 0 {
				if a := w.want(text, "valid"); a.Stale <= maxStaleness || !w.Status().Degraded || !w.Status().Ready {
					t.Errorf("within its grace it is stale for %s, %+v", a.Stale, w.Status())
				}
				_, unknown := w.issue()
				w.want(unknown, "stale")
				time.Sleep(time.Until(last.Add(maxStaleness + grace + time.Millisecond)))
			}
			w.want(text, "closed")
			w.want("nonsense", "invalid")
			if s := w.Status(); s.Ready || s.Reason == "" {
				t.Errorf("it is %+v", s)
			}
			w.silence(nil)
			time.Sleep(maxPause)
			if a := w.want(text, "valid"); a.Stale != 0 {
				t.Errorf("it is stale: %s", a.Stale)
			}
		})
	}
}

// An answer that the network held up for long says what was so when it was composed.
func TestTheAgeIsCountedFromWhenAnAnswerWasComposed(t *testing.T) {
	in(t, Settings{MaxStaleness: 3 * second}, func(w *world) {
		id, text := w.issue()
		w.want(text, "valid")
		w.mu.Lock()
		w.onPoll = func(ctx context.Context, _ *wire.Changes) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(900 * time.Millisecond): // each answer comes late, and in time
				return nil
			}
		}
		w.mu.Unlock()
		time.Sleep(10 * second)
		if age := w.Status().Age; age < 900*time.Millisecond {
			t.Errorf("what was composed 900 ms before it came is %s old", age)
		}
		w.mu.Lock()
		w.onPoll = func(ctx context.Context, _ *wire.Changes) error { <-ctx.Done(); return ctx.Err() }
		w.mu.Unlock()
		w.revoke(id)
		if took := w.until(text, 4*second); took > 3*second {
			t.Errorf("a revoked key was valid for %s", took)
		}
	})
}

func TestAnswersThatAreNoneChangeNothing(t *testing.T) {
	var before wire.Changes
	for name, forge := range map[string]func(a *wire.Changes) error{
		"of another nonce": func(a *wire.Changes) error { a.Nonce = "x"; return nil },
		"of none":          func(a *wire.Changes) error { a.Nonce = ""; return nil },
		"replayed":         func(a *wire.Changes) error { *a = before; return nil },
		"late":             func(*wire.Changes) error { time.Sleep(firstWait + late + time.Millisecond); return nil },
		"of an earlier term": func(a *wire.Changes) error {
			a.Cursor = wire.Cursor{Term: 6, Suffix: suffix, Sequence: 9}.String()
			return nil
		},
		"that went back": func(a *wire.Changes) error {
			a.Reset, a.Cursor = false, wire.Cursor{Term: 7, Suffix: suffix}.String()
			return nil
		},
		"without a cursor":   func(a *wire.Changes) error { a.Cursor = ""; return nil },
		"from the future":    func(a *wire.Changes) error { a.Waited = 60000; return nil },
		"before it was sent": func(a *wire.Changes) error { a.Waited = -1; return nil },
		"denied":             func(*wire.Changes) error { return ErrDenied },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Settings{}, func(w *world) {
				id, text := w.issue()
				w.want(text, "valid")
				w.mu.Lock()
				w.onPoll = func(_ context.Context, a *wire.Changes) error { before = *a; return nil }
				w.mu.Unlock()
				w.announce("key:other")
				time.Sleep(2 * second)
				w.mu.Lock()
				w.onPoll = func(_ context.Context, a *wire.Changes) error { a.Reset = true; return forge(a) }
				w.mu.Unlock()
				w.revoke(id)

				if took := w.until(text, 11*second); took < 8*second || took > maxStaleness+10*time.Millisecond { // as often as it looks
					t.Errorf("it was taken, or made it no older: valid for %s", took)
				}
				w.want(text, "closed")
				if got := w.Mirror.feed.resets.Load(); got != 0 {
					t.Errorf("it was reset %d times", got)
				}
				if name == "denied" && len(w.Status().Denied) != 1 {
					t.Errorf("it says %+v", w.Status())
				}

			})
		})
	}
}

func TestAResetLeavesNothingConfirmed(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		var texts []string
		var ids []string
		for range 20 {
			id, text := w.issue()
			w.want(text, "valid")
			ids, texts = append(ids, id), append(texts, text)
		}
		for range 5 {
			w.want(texts[7], "valid")
		}
		time.Sleep(5 * second)
		w.vault.calls()
		w.mu.Lock()
		k := w.keys[ids[3]]
		k.Disabled = true // of which nobody is told: the old process died
		w.keys[ids[3]] = k
		w.mu.Unlock()
		w.failover()
		time.Sleep(second)
		w.mu.Lock()
		known := w.known
		w.mu.Unlock()
		if len(known) != 1 || known[0].Known[:wire.IDLength] != ids[7] {
			t.Fatalf("%d calls confirmed", len(known))
		}
		w.wantCalls(2) // roles and owners
		for i, text := range texts {
			if i == 3 {
				w.want(text, "disabled")
			} else {
				w.want(text, "valid")
			}
		}
		w.wantCalls(1) // the one that was changed
	})
}

func TestWhatIsNotConfirmedIsAskedForBeforeItIsTooOld(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		id, text := w.issue()
		w.want(text, "valid")
		time.Sleep(5 * second)
		w.mu.Lock()
		w.onConfirm = func(*wire.Confirmed) error { return ErrDenied }
		k := w.keys[id]
		k.RevokedAt = w.present()
		w.keys[id] = k
		w.mu.Unlock()
		w.failover()
		w.want(text, "valid") // as certain as it was
		if took := w.until(text, maxStaleness+second); took > maxStaleness {
			t.Errorf("a key that was not confirmed was valid for %s", took)
		}
		w.want(text, "revoked")
	})
}

func TestAMinimalCursorIsReachedOrStale(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue()
		w.want(text, "valid")
		w.announce("key:other")
		time.Sleep(second)
		at := func(cursor string) func(q *Question) { return func(q *Question) { q.MinCursor = cursor } }
		for cursor, want := range map[string]string{
			wire.Cursor{Term: 7, Suffix: suffix, Sequence: 1}.String():             "valid",
			wire.Cursor{Term: 7, Suffix: suffix, Sequence: 2}.String():             "stale",
			wire.Cursor{Term: 8, Suffix: suffix}.String():                          "stale",
			wire.Cursor{Term: 6, Suffix: suffix, Sequence: 9}.String():             "valid",
			wire.Cursor{Term: 7, Suffix: "0000000000000000", Sequence: 0}.String(): "stale",
			"x": ErrCursor.Error(),
		} {
			w.want(text, want, at(cursor))
		}
	})
}

func TestASuspendedMachineMakesEverythingStale(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue()
		w.want(text, "valid")
		time.Sleep(5 * second)
		w.silence(errAway)
		w.hardware.sleep(second)
		time.Sleep(lookEvery)
		w.want(text, "closed")
		w.silence(nil)
		time.Sleep(maxPause)
		w.want(text, "valid")
		polls := len(w.polls)
		w.hardware.sleep(second)
		time.Sleep(lookEvery + minPause)
		if len(w.polls) == polls {
			t.Error("it was not polled at once")
		}
		w.want(text, "valid")
		w.silence(errAway)
		w.hardware.sleep(time.Hour)
		time.Sleep(lookEvery)
		if age := w.Status().Age; age < time.Hour {
			t.Errorf("after an hour's sleep it is %s old", age)
		}
	})
}

func TestBeforeTheFirstAnswerNothingIsDecided(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		m := New(w.vault, Settings{}, w.hardware)
		m.settings.Load().Gate = "other"
		w.Mirror = m
		_, text := w.issue()
		w.want(text, "closed")
		w.want("nonsense", "invalid")
		if s := m.Status(); s.Ready || s.Reason != "no answer yet" || s.Age != 0 || s.Cursor != "" {
			t.Errorf("it is %+v", s)
		}
	})
}

func TestTheEnginesTimeDecides(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		w.ahead = 24 * time.Hour
		w.failover()
		time.Sleep(2 * second)
		_, text := w.issue(func(k *record.Key) { k.Versions[0].ExpiresAt = w.present().Add(20) })
		w.want(text, "valid")
		end := w.present().Add(20)
		for w.present() < end-1 {
			time.Sleep(100 * time.Millisecond)
			w.want(text, "valid")
		}
		time.Sleep(second)
		w.want(text, "expired")
	})
}
