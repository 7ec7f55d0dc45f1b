package upkeep

import (
	"strings"
	"testing"
	"testing/synctest"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// idling is a world whose keys end when nobody uses them for an hour, with idle
// ends written down as in a mount.
func idling(t *testing.T) (*world, *IdleEnds) {
	w := newWorld(t)
	w.role("web", func(r *record.Role) { r.IdleTimeout = hour })
	w.uses.Recover(nil)
	ends := NewIdleEnds(w.kept, w.uses)
	w.verify.Observer = verify.Observers{NewFlusher(w.kept, w.uses, w.meter), ends}
	return w, ends
}

func TestAnIdleEndIsForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		defer ends.Stop()
		m, used := w.issue(), w.issue()
		w.clock.Move(hour - 1)
		if w.code(used) != verify.Valid {
			t.Error("it ended before its time")
		}
		w.clock.Move(1)
		if w.code(m) != verify.Expired || w.code(used) != verify.Valid {
			t.Errorf("they are %s and %s", w.code(m), w.code(used))
		}
		synctest.Wait()
		if k := w.key(m.Key.ID); k.Newest().ExpiresAt != start.Add(hour) {
			t.Errorf("it expires at %+d", k.Newest().ExpiresAt.Sub(start))
		}
		w.role("web", func(r *record.Role) { r.IdleTimeout = 0 })
		if got := w.code(m); got != verify.Expired {
			t.Errorf("after the timeout was lifted it is %s", got)
		}
		if _, err := w.Rotate(t.Context(), lifecycle.Target{ID: m.Key.ID}, lifecycle.RotateRequest{}); err == nil {
			t.Error("a rotation revived it")
		}
	})
}

func TestAnIdleEndIsNotWrittenWhereItMustNot(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(w *world, m lifecycle.Minted, ends *IdleEnds){
		"on a standby":                        func(w *world, _ lifecycle.Minted, _ *IdleEnds) { w.writable = false },
		"after a use that was decided before": func(w *world, m lifecycle.Minted, _ *IdleEnds) { w.uses.Touch(m.Key.ID, 1, start+1) },
		"of a key that is gone": func(w *world, m lifecycle.Minted, _ *IdleEnds) {
			w.must(w.Delete(w.Context(), lifecycle.Target{ID: m.Key.ID}))
		},
		"that comes after its expiry": func(w *world, m lifecycle.Minted, _ *IdleEnds) {},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, ends := idling(t)
			m := w.issue()
			do(w, m, ends)
			writes := w.disk.Writes()
			at := start.Add(hour)
			if strings.Contains(name, "expiry") {
				at = start.Add(11 * hour)
			}
			ends.Note(m.Key.ID, at, start)
			synctest.Wait()
			if got := w.disk.Writes() - writes; got != 0 {
				t.Errorf("%s it wrote %d times", name, got)
			}
			ends.Stop()
			if log := w.log.String(); strings.Contains(log, "not written down") {
				t.Errorf("%s the log says %s", name, log)
			}
		})
	}
}

func TestWhatWaitsIsWrittenAtAnOrderlyEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		var all []lifecycle.Minted
		for range 20 {
			all = append(all, w.issue())
		}
		for _, m := range all {
			ends.Note(m.Key.ID, start.Add(hour), start)
		}
		ends.Stop()
		for _, m := range all {
			if got := w.key(m.Key.ID).Versions[0].ExpiresAt; got != start.Add(hour) {
				t.Errorf("one expires at %+d", got.Sub(start))
			}
		}
		ends.Note(all[0].Key.ID, start, start) // too late, and harmless
	})
}

func TestTroubleWithAnIdleEndIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		m := w.issue()
		w.disk.Intercept(memory.Before(fails("put", "key/")))
		ends.Note(m.Key.ID, start.Add(hour), start)
		synctest.Wait()
		ends.Stop()
		if log := w.log.String(); !strings.Contains(log, "disk trouble") || !strings.Contains(log, m.Key.ID) {
			t.Errorf("the log says %s", log)
		}
	})
}

func TestMoreIdleEndsThanCanWaitBlockNobody(t *testing.T) {
	t.Parallel()
	w, ends := idling(t)
	m, stuck := w.issue(), make(chan struct{})
	w.disk.Intercept(memory.Before(func(op, path string) error {
		if op == "put" && strings.HasPrefix(path, "key/") {
			<-stuck
		}
		return nil
	}))
	for range 3 * idleQueue {
		ends.Note(m.Key.ID, start.Add(hour), start)
	}
	close(stuck)
	ends.Stop()
}

func TestAKeyThatNobodyUsedIsToldUntilItIsNoted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		defer ends.Stop()
		m := w.issue()
		w.uses.Touch(m.Key.ID, 1, start+9)
		w.clock.Move(hour + 9)
		writes := w.disk.Writes()
		for range 2 {
			if got := w.code(m); got != verify.Expired {
				t.Errorf("it is %s", got)
			}
			synctest.Wait()
		}
		if got, end := w.disk.Writes()-writes, w.key(m.Key.ID).Versions[0].ExpiresAt; got != 1 || end != start.Add(hour+9) {
			t.Errorf("%d writes, it expires at %+d", got, end.Sub(start))
		}
	})
	for name, do := range map[string]func(w *world, m lifecycle.Minted){
		"revoked by itself":       func(w *world, m lifecycle.Minted) { w.revokeNow(m) },
		"expired by itself":       func(w *world, _ lifecycle.Minted) { w.clock.Move(9 * hour) },
		"used a second too early": func(w *world, m lifecycle.Minted) { w.uses.Touch(m.Key.ID, 1, start+1) },
	} {
		synctest.Test(t, func(t *testing.T) {
			w, ends := idling(t)
			m := w.issue()
			w.clock.Move(hour)
			do(w, m)
			writes := w.disk.Writes()
			w.code(m)
			synctest.Wait()
			ends.Stop()
			if got := w.disk.Writes() - writes; got != 0 || w.ends.Of(&m.Key).Idle {
				t.Errorf("%s: it is noted, with %d writes", name, got)
			}
		})
	}
}

func TestAnIdleEndThatWasNotWrittenIsOfferedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		defer ends.Stop()
		m := w.issue()
		w.clock.Move(hour)
		w.disk.Intercept(memory.Before(fails("put", "key/")))
		if got := w.code(m); got != verify.Expired {
			t.Errorf("it is %s", got)
		}
		synctest.Wait()
		w.disk.Intercept(nil)
		if got := w.code(m); got != verify.Expired {
			t.Errorf("it is %s", got)
		}
		synctest.Wait()
		if end := w.key(m.Key.ID).Versions[0].ExpiresAt; end != start.Add(hour) {
			t.Errorf("it expires at %+d", end.Sub(start))
		}
	})
}
