package edge

import (
	"context"
	"testing"
	"time"

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
			if s := w.Status(); !s.Ready || s.Reason == "" {
				t.Errorf("while it is fresh enough, nobody hears why it will not be: %+v", s)
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
			if a := w.want(text, "valid"); a.Stale != 0 || w.Status().Reason != "" {
				t.Errorf("it is stale: %s, %+v", a.Stale, w.Status())
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
		"that there is more": func(a *wire.Changes) error {
			a.Reset, a.More, a.Changes, a.Cursor = false, true, nil, before.Cursor
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

// While it is waited for an answer about a key, the feed grows too old to go by it.
func TestTheAgeIsThatOfWhenItAnswers(t *testing.T) {
	in(t, Settings{MaxStaleness: 3 * second}, func(w *world) {
		w.mu.Lock()
		w.onPoll = func(context.Context, *wire.Changes) error { return errAway }
		w.onTold = func(context.Context, *wire.Told) error { time.Sleep(second + second/2); return nil }
		w.mu.Unlock()
		time.Sleep(2 * second)
		_, text := w.issue()
		w.want(text, "closed")
	})
}
