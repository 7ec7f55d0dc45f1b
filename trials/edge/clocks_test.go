package edge_test

import (
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// A key ends at a gate by the engine's time: never later, and earlier by no more than a
// round trip. Where the engine's clock is set, and where another node has another, the
// gate goes with it as soon as it hears from there.
func TestAKeyEndsByTheEnginesTime(t *testing.T) {
	for what, c := range map[string]struct {
		set    time.Duration  // the engine's wall clock, some seconds before the end
		become func(s *scene) // what happens with that
		ends   time.Duration  // by the passing of time
	}{
		"as it goes":                    {0, nil, 20 * time.Second},
		"a clock that is put on":        {1500 * time.Millisecond, nil, 18500 * time.Millisecond},
		"a clock that jumps":            {time.Hour, nil, 20 * time.Second},
		"a clock that jumps back":       {-time.Hour, nil, 20 * time.Second},
		"a process with a clock ahead":  {5 * time.Second, (*scene).restartNow, 15 * time.Second},
		"a process with a clock behind": {-5 * time.Second, (*scene).restartNow, 25 * time.Second},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, nil)
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
				s.id, s.text = s.issue(map[string]any{"ttl": 20})
				issued := time.Now()
				s.g.is(t, s.text, verify.Valid)
				time.Sleep(10 * time.Second)
				s.m.Wrong.Store(int64(c.set))
				if c.become != nil {
					c.become(s)
				}
				time.Sleep(time.Until(issued.Add(c.ends - 500*time.Millisecond)))
				h := newHammer(t, s.g, question{text: s.text}, time.Millisecond)
				engine := s.ends(t, issued.Add(30*time.Second))
				if d := engine.Sub(issued) - c.ends; d.Abs() > 2*time.Millisecond {
					t.Fatalf("at the engine it ends after %v", engine.Sub(issued))
				}
				time.Sleep(1500 * time.Millisecond)
				early := engine.Sub(h.last(verify.Valid))
				if early < 0 || early > 2*fine.delay+3*time.Millisecond {
					t.Errorf("a key that ends at %s was valid until %v before", clockTime(engine), early)
				}
			})
		})
	}
}

func (s *scene) restartNow() { s.restart() }

// ends is when the engine says for the first time that a key is not valid.
func (s *scene) ends(t *testing.T, by time.Time) time.Time {
	t.Helper()
	for time.Now().Before(by) {
		codes, err := s.verify("", []question{{text: s.text}})
		if err != nil {
			t.Fatal(err)
		}
		if codes[0] != verify.Valid {
			return time.Now()
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it does not end")
	return by
}

// An answer that is late, and one that is sent again, set no clock back.
func TestOldAnswersSetNoClockBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		s.id, s.text = s.issue(map[string]any{"ttl": 20})
		_, other := s.issue(nil)
		h := newHammer(t, s.g, question{text: s.text}, 5*time.Millisecond)
		unknown := newHammer(t, s.g, question{text: other}, 50*time.Millisecond)
		time.Sleep(5 * time.Second)
		s.g.net.set(weather{delay: 900 * time.Millisecond, stale: 500})
		time.Sleep(14 * time.Second)
		engine := s.ends(t, time.Now().Add(30*time.Second))
		time.Sleep(3 * time.Second)
		h.never(t, "expired", verify.Valid, engine)
		if len(unknown.all()) == 0 {
			t.Error("nothing else was asked")
		}
	})
}
