package upkeep

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	ends := NewIdleEnds(w.kept)
	w.must(ends.Start(t.Context()))
	return w, ends
}

// told has somebody told that keys are idle.
func (w *world) told(keys ...lifecycle.Minted) {
	w.Helper()
	for _, m := range keys {
		if got := w.code(m); got != verify.Expired {
			w.Errorf("it is %s", got)
		}
	}
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
		if k := w.key(m.Key.ID); k.Current().ExpiresAt != start.Add(hour) {
			t.Errorf("it expires at %+d", k.Current().ExpiresAt.Sub(start))
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
	for name, do := range map[string]func(w *world, m lifecycle.Minted){
		"on a standby":                        func(w *world, _ lifecycle.Minted) { w.writable = false },
		"after a use that was decided before": func(w *world, m lifecycle.Minted) { w.use(m.Key.ID, 1, start+1) },
		"of a key that is gone": func(w *world, m lifecycle.Minted) {
			w.must(w.Delete(w.Context(), lifecycle.Target{ID: m.Key.ID}))
		},
		"by a clock in doubt": func(w *world, _ lifecycle.Minted) { w.clock.Certain = func(record.Seconds) bool { return false } },
	} {
		synctest.Test(t, func(t *testing.T) {
			w, ends := idling(t)
			m := w.issue()
			w.clock.Move(hour)
			l, err := w.Resolve(t.Context(), m.Key, w.clock.Now())
			w.must(err)
			do(w, m)
			writes := w.disk.Writes()
			w.Witness(&l)
			time.Sleep(time.Minute)
			ends.Stop()
			if got := w.disk.Writes() - writes; got != 0 {
				t.Errorf("%s it wrote %d times", name, got)
			}
			if log := w.log.String(); strings.Contains(log, "not written down") {
				t.Errorf("%s the log says %s", name, log)
			}
			if waits := len(w.idle.Waiting()) > 0; waits != (strings.Contains(name, "standby") || strings.Contains(name, "doubt")) {
				t.Errorf("%s it waits: %v", name, waits)
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
		w.clock.Move(hour)
		w.disk.Intercept(memory.Before(fails("put", "key/")))
		w.told(all...)
		synctest.Wait()
		w.disk.Intercept(nil)
		ends.Stop()
		for _, m := range all {
			if got := w.key(m.Key.ID).Versions[0].ExpiresAt; got != start.Add(hour) {
				t.Errorf("one expires at %+d", got.Sub(start))
			}
		}
		w.must(ends.Start(t.Context())) // too late, and harmless
	})
}

func TestTroubleWithAnIdleEndIsLoggedAndItIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		defer ends.Stop()
		m := w.issue()
		w.clock.Move(hour)
		w.disk.Intercept(memory.Before(fails("put", "key/")))
		w.told(m)
		synctest.Wait()
		if log := w.log.String(); !strings.Contains(log, "disk trouble") || !strings.Contains(log, m.Key.ID) {
			t.Errorf("the log says %s", log)
		}
		w.disk.Intercept(nil)
		time.Sleep(flushRetry)
		synctest.Wait()
		if end := w.key(m.Key.ID).Versions[0].ExpiresAt; end != start.Add(hour) {
			t.Errorf("it expires at %+d", end.Sub(start))
		}
	})
}

// What is written down stays over for this process, whatever its clock says then, and
// is written once.
func TestAWrittenIdleEndIsKeptInMindByItsRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		defer ends.Stop()
		m := w.issue()
		w.use(m.Key.ID, 1, start+9)
		w.clock.Move(hour + 9)
		writes := w.disk.Writes()
		w.told(m, m)
		time.Sleep(time.Minute)
		w.told(m)
		if got, end := w.disk.Writes()-writes, w.key(m.Key.ID).Versions[0].ExpiresAt; got != 1 || end != start.Add(hour+9) {
			t.Errorf("%d writes, it expires at %+d", got, end.Sub(start))
		}
		if waiting := w.idle.Waiting(); len(waiting) != 0 {
			t.Errorf("it still waits: %v", waiting)
		}
		w.clock.Move(-hour)
		w.told(m)
	})
}

func TestOneIdleEndThatCannotBeWrittenHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		defer ends.Stop()
		first, second, third := w.issue(), w.issue(), w.issue()
		w.clock.Move(hour)
		w.disk.Intercept(memory.Before(fails("put", "key/"+second.Key.ID[:2]+"/"+second.Key.ID)))
		w.told(first, second, third)
		synctest.Wait()
		for m, want := range map[string]record.Time{first.Key.ID: start.Add(hour), second.Key.ID: start.Add(10 * hour), third.Key.ID: start.Add(hour)} {
			if got := w.key(m).Versions[0].ExpiresAt; got != want {
				t.Errorf("one expires at %+d", got.Sub(start))
			}
		}
	})
}
