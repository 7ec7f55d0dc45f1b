package upkeep

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// flusher is that of the next process on the world's storage, in its clock's
// time, with a tracker and a meter of its own.
func (w *world) flusher() *Flusher {
	w.Helper()
	yes := func() bool { return true }
	w.Store = store.New(w.disk)
	w.kept.Store, w.Resolver.Reader, w.kept.Resolver.Reader = w.Store, w.Store, w.Store
	w.uses = usage.New(w.Store, 1000, yes)
	w.idle = idle.New(w.uses, w.Store, yes, w.clock)
	w.Resolver.Idle, w.kept.Resolver.Idle = w.idle, w.idle
	w.meter = limit.NewMeter(w.Store)
	f := NewFlusher(w.kept, w.uses, w.meter)
	w.must(f.Start(w.Context()))
	return f
}

func (w *world) interval(s record.Seconds) {
	w.Helper()
	_, err := w.Store.UpdateConfig(w.Context(), func(c *record.Config) error { c.UsageFlushInterval = s; return nil })
	w.must(err)
}

// lastUse is what storage holds.
func (w *world) lastUse(id string) record.Time {
	w.Helper()
	u, err := store.New(w.disk.Clone()).Usage(w.Context(), record.OfKey(id))
	w.must(err)
	return u.Last
}

func TestUsesAreWrittenOnceInAnInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.interval(30)
		id := w.issue().Key.ID
		f := w.flusher()
		defer f.Stop()
		for _, step := range []struct {
			sleep time.Duration
			touch record.Time
			want  record.Time
		}{
			{0, 100, 0}, {29 * time.Second, 101, 0}, {time.Second, 0, 101}, {time.Second, 102, 101}, {28 * time.Second, 0, 101}, {time.Second, 0, 102},
		} {
			time.Sleep(step.sleep)
			synctest.Wait()
			if got := w.lastUse(id); got != step.want {
				t.Errorf("after %s more %d is stored, want %d", step.sleep, got, step.want)
			}
			if step.touch != 0 {
				w.use(id, 1, step.touch)
			}
		}
		writes := w.disk.Writes()
		time.Sleep(time.Hour)
		if got := w.disk.Writes() - writes; got != 0 {
			t.Errorf("an hour without a use wrote %d times", got)
		}
	})
}

func TestAShorterIntervalTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.interval(3600)
		id := w.issue().Key.ID
		f := w.flusher()
		defer f.Stop()
		w.use(id, 1, 100)
		time.Sleep(time.Minute)
		w.interval(30)
		f.Configure(record.Config{})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.lastUse(id); got != 100 {
			t.Errorf("%d is stored", got)
		}
	})
}

// A configuration that names no interval must not make the flusher spin.
func TestAnIntervalOfNothingIsASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.interval(0)
		id := w.issue().Key.ID
		f := w.flusher()
		defer f.Stop()
		w.use(id, 1, 100)
		time.Sleep(time.Second)
		synctest.Wait() // never returns while it spins
		if got := w.lastUse(id); got != 100 {
			t.Errorf("%d is stored", got)
		}
	})
}

func TestAnOrderlyEndLosesNothingAndACrashAnInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.role("web", func(r *record.Role) { r.Quota, r.IdleTimeout = 640, 100 })
		m := w.issue()
		f := w.flusher()
		w.use(m.Key.ID, 1, start+50)
		w.must(spend(w, m))
		f.Stop()
		if q, _, err := w.Store.Quota(t.Context(), m.Key.ID); w.lastUse(m.Key.ID) != start+50 || q.Total != 1 || err != nil {
			t.Errorf("after an orderly end %d and %+v are stored, %v", w.lastUse(m.Key.ID), q, err)
		}
		w.clock.Move(60)
		w.flusher().worker.stop() // a crash: no last flush
		active := func() record.Time {
			t.Helper()
			end, _, err := w.idle.Of(t.Context(), &m.Key, &record.Role{IdleTimeout: 100})
			w.must(err)
			return end.Add(-100)
		}
		if got := active(); got != start+50 {
			t.Errorf("after an orderly end it was active until %+d", got.Sub(start))
		}
		w.clock.Move(60)
		f = w.flusher()
		if got := active(); got != start+120 {
			t.Errorf("after a crash it was active until %+d", got.Sub(start))
		}
		f.Stop()
		f.Stop() // again
		if err := f.Start(t.Context()); err != nil {
			t.Errorf("a start after the stop answers %v", err)
		}
	})
}

func spend(w *world, m lifecycle.Minted) error {
	line := limit.Line{ID: m.Key.ID, Created: m.Key.CreatedAt, Limits: record.Limits{Quota: 640}}
	_, err := w.meter.Take(w.Context(), []limit.Line{line}, 1, start)
	return err
}

func TestAFlusherThatCannotTakeOverIsStartedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for op, id := range map[string]string{"get": "aa00000000000001", "put": "aa00000000000002"} {
			w := newWorld(t)
			f := NewFlusher(w.kept, w.uses, w.meter)
			w.disk.Intercept(memory.Before(fails(op, "usage/mark")))
			if err := f.Start(t.Context()); err == nil {
				t.Errorf("without a %s it started", op)
			}
			w.use(id, 1, 100)
			time.Sleep(time.Hour)
			w.disk.Intercept(nil)
			if got := w.lastUse(id); got != 0 {
				t.Error("it flushed before its mark stood")
			}
			w.must(f.Start(t.Context()))
			w.must(f.Start(t.Context()))
			f.Stop()
		}
	})
}

func TestTroubleWithAFlushIsLoggedAndTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.interval(10)
		id := w.issue().Key.ID
		var broken atomic.Bool
		trouble := fails("put", "usage/")
		w.disk.Intercept(memory.Before(func(op, path string) error {
			if broken.Load() {
				return trouble(op, path)
			}
			return nil
		}))
		f := w.flusher()
		w.use(id, 1, 100)
		broken.Store(true)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if log := w.log.String(); !strings.Contains(log, "disk trouble") {
			t.Errorf("the log says %s", log)
		}
		broken.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := w.lastUse(id); got != 100 {
			t.Errorf("%d is stored", got)
		}
		w.use(id, 1, 200)
		broken.Store(true)
		f.Stop()
		broken.Store(false)
		if w.lastUse(id) != 100 {
			t.Error("a failed flush wrote")
		}
		if gaps, err := store.New(w.disk).UsageGaps(t.Context(), 300); err != nil || len(gaps) != 1 {
			t.Errorf("after a last flush that failed the mark tells %v, %v", gaps, err)
		}
	})
}

// What a crash may have lost is what came since the last flush that succeeded,
// however long the mount was down.
func TestAKeyThatWasUsedBeforeACrashLivesOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		idle    record.Seconds // since its last use that is stored, at the last flush
		refused record.Seconds // how long flushes were refused before the crash
		down    record.Seconds
		lives   bool
	}{
		"down for an hour":           {24 * hour, 0, 61 * 60, true},
		"down for a day":             {24 * hour, 0, 24 * hour, true},
		"refused for some time":      {25*hour - 300, 15 * 60, 60, true},
		"idle before the last flush": {25*hour + 1, 15 * 60, 61 * 60, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.interval(30)
			w.role("web", func(r *record.Role) { r.TTL, r.IdleTimeout = 90*hour, 25*hour })
			m := w.issue()
			f := w.flusher()
			w.clock.Move(tc.idle)
			time.Sleep(31 * time.Second)
			synctest.Wait()
			w.disk.Intercept(memory.Before(fails("put", "usage/")))
			w.clock.Move(tc.refused)
			w.use(m.Key.ID, 1, w.clock.Now())
			time.Sleep(31 * time.Second)
			synctest.Wait()
			f.worker.stop() // a crash: no last flush
			w.disk.Intercept(nil)
			w.clock.Move(tc.down)
			f = w.flusher()
			defer f.Stop()
			end, _, err := w.idle.Of(t.Context(), &m.Key, &record.Role{IdleTimeout: 25 * hour})
			if lives := w.clock.Now() < end; err != nil || lives != tc.lives {
				t.Errorf("%s: it ends at %+d, %v", name, end.Sub(start), err)
			}
		})
	}
}
