package edge

import (
	"context"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

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
		polls := w.polled()
		w.hardware.sleep(second)
		time.Sleep(lookEvery + minPause)
		if w.polled() == polls {
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
		w.set(func() { w.ahead = 24 * time.Hour })
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

func TestWhoNamesACursorIsNotAnsweredByWhatIsNotConfirmed(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		id, text := w.issue()
		w.want(text, "valid")
		time.Sleep(second)
		named := w.Status().Cursor
		w.mu.Lock()
		w.onConfirm = func(*wire.Confirmed) error { return errAway }
		k := w.keys[id]
		k.RevokedAt = w.present()
		w.keys[id] = k
		w.mu.Unlock()
		w.failover()
		time.Sleep(second)
		w.want(text, "valid")
		w.want(text, "revoked", func(q *Question) { q.MinCursor = named })
	})
}

// A term that any answer was of deposes those before it, whatever else was heard.
func TestAnAnswerOfANewTermDeposesTheOneBefore(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue()
		w.want(text, "valid")
		of := func(cursor wire.Cursor) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.onTold = func(_ context.Context, a *wire.Told) error { a.Cursor = cursor.String(); return nil }
		}
		of(wire.Cursor{Term: 8, Suffix: suffix})
		_, other := w.issue()
		w.want(other, "valid")
		for _, past := range []wire.Cursor{{Term: 7, Suffix: suffix, Sequence: 99}, {Term: 8, Suffix: "1111111111111111", Sequence: 99}} {
			of(past)
			_, third := w.issue()
			w.want(third, "stale")
		}
		time.Sleep(maxStaleness)
		w.want(text, "closed") // by what the old leader goes on to say
		w.mu.Lock()
		w.onTold = nil
		w.mu.Unlock()
		w.failover()
		time.Sleep(maxPause)
		w.want(text, "valid")
	})
}

// An engine that has to read each record may have no time for as many as it may be asked
// about.
func TestWhatIsNotConfirmedInTimeIsConfirmedInParts(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		var ids []string
		for range 400 {
			id, text := w.issue()
			w.want(text, "valid")
			ids = append(ids, id)
		}
		w.mu.Lock()
		w.onConfirm = func(*wire.Confirmed) error {
			if last := w.known[len(w.known)-1].Known; len(last) > 100*(wire.IDLength+wire.FingerprintLength) {
				return errAway
			}
			return nil
		}
		w.mu.Unlock()
		w.failover()
		time.Sleep(20 * second)
		for _, id := range ids {
			if e, ok := w.held.keys.Peek(id); !ok || e.epoch.Load() != w.feed.epoch.Load() {
				t.Fatal("a key is not confirmed")
			}
		}
	})
}
