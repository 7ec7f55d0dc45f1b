package upkeep

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// tidied runs tidy to its end.
func (w *world) tidied(tidier *Tidier) TidyStatus {
	w.Helper()
	if s := tidier.Start(); s.State != TidyRunning || s.StartedAt != w.clock.Now() || s.FinishedAt != 0 {
		w.Errorf("it started as %+v", s)
	}
	w.eventually("tidy ends", func() bool { return tidier.Status().State != TidyRunning })
	return tidier.Status()
}

func TestTidyRemovesWhatEndedLongAgo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(2 * hour)
	revoked, expiring, short := w.issue(), w.issue(), w.issue()
	_, err := w.Store.UpdateKey(t.Context(), short.Key.ID, func(k *record.Key) error { k.Versions[0].ExpiresAt = start.Add(hour); return nil })
	w.must(err)
	w.revokeNow(revoked)
	tidier := NewTidier(w.kept)
	if got := tidier.Status(); got != (TidyStatus{State: TidyNever}) {
		t.Errorf("before it is %+v", got)
	}
	for _, step := range []struct {
		move    record.Seconds
		removed int
		left    []lifecycle.Minted
	}{
		{2*hour - 1, 0, []lifecycle.Minted{revoked, expiring, short}},
		{1, 1, []lifecycle.Minted{expiring, short}},
		{hour, 1, []lifecycle.Minted{expiring}},
		{8 * hour, 0, []lifecycle.Minted{expiring}}, // expired an hour ago
		{hour, 1, nil},
	} {
		w.clock.Move(step.move)
		s := w.tidied(tidier)
		if s.State != TidyDone || s.KeysRemoved != step.removed || s.Error != "" || s.FinishedAt != w.clock.Now() {
			t.Errorf("at %+d it is %+v", w.clock.Now().Sub(start), s)
		}
		for _, m := range step.left {
			w.key(m.Key.ID)
		}
		left := 0
		w.must(w.Store.EachKey(t.Context(), "", func(string) (bool, error) { left++; return true, nil }))
		if left != len(step.left) {
			t.Errorf("%d are left", left)
		}
	}
	w.each(func(path, _ string) {
		if strings.Contains(path, "key/") || strings.Contains(path, "owner") {
			t.Errorf("%s is left", path)
		}
	})
}

func TestTidyForgetsHashesAndMendsHints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(hour)
	old := w.issue()
	next, err := w.Rotate(t.Context(), lifecycle.Target{ID: old.Key.ID}, lifecycle.RotateRequest{Grace: new(hour)})
	w.must(err)
	w.disk.Lose("owner-key/acme/" + old.Key.ID[:2] + "/" + old.Key.ID)
	w.must(w.Store.CreateKey(t.Context(), record.Key{ID: strings.Repeat("0", 16), Role: "web", RoleUID: "u1", Versions: old.Key.Versions}))
	w.disk.Lose("key/00/" + strings.Repeat("0", 16))
	w.Store.Invalidate("key/00/" + strings.Repeat("0", 16))
	w.clock.Move(2*hour - 1)
	if s := w.tidied(NewTidier(w.kept)); s.EntriesRepaired != 2 || s.KeysRemoved != 0 {
		t.Errorf("it is %+v", s)
	}
	if got := w.code(old); got != verify.Superseded {
		t.Errorf("within its retention it is %s", got)
	}
	w.clock.Move(1)
	if s := w.tidied(NewTidier(w.kept)); s.EntriesRepaired != 0 {
		t.Errorf("it is %+v", s)
	}
	if w.code(old) != verify.Invalid || w.code(next) != verify.Valid || !w.key(old.Key.ID).Versions[1].Hash.None() {
		t.Errorf("then they are %s and %s", w.code(old), w.code(next))
	}
	w.quiet(func() { w.tidied(NewTidier(w.kept)) })
}

func TestTheRetentionOfAKeyWithoutARoleBeginsWithTidy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(hour)
	m := w.issue()
	w.role("web", func(r *record.Role) { r.UID = "u2" })
	w.clock.Move(hour)
	w.tidied(NewTidier(w.kept))
	if k := w.key(m.Key.ID); k.RevokedAt != start.Add(hour) || k.RevokeReason != record.RoleGone {
		t.Errorf("it was revoked at %+d: %q", k.RevokedAt.Sub(start), k.RevokeReason)
	}
	w.clock.Move(hour)
	if s := w.tidied(NewTidier(w.kept)); s.KeysRemoved != 1 {
		t.Errorf("it is %+v", s)
	}
}

func TestTidySaysWhyItFailed(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(op, path string) error{
		"with the configuration": fails("get", "config"), "with the keys": fails("list", "key/"), "with a hint": fails("get", "role-key/"), "with the owners": fails("list", "owner/"),
	} {
		w := newWorld(t)
		w.issue()
		w.Store.Invalidate("config")
		w.disk.Intercept(memory.Before(fail))
		tidier := NewTidier(w.kept)
		s := w.tidied(tidier)
		if w.disk.Intercept(nil); s.State != TidyFailed || !strings.Contains(s.Error, "disk trouble") || s.FinishedAt == 0 {
			t.Errorf("%s it is %+v", name, s)
		}
		if s := w.tidied(tidier); s.State != TidyDone || s.Error != "" {
			t.Errorf("%s, then it is %+v", name, s)
		}
	}
}

func TestTidyIsOneRunAtATimeAndEndsWithTheMount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stuck := make(chan struct{})
	w.disk.Intercept(memory.Before(func(op, path string) error {
		if op == "list" && path == "key/00/" {
			<-stuck
		}
		return nil
	}))
	tidier := NewTidier(w.kept)
	first := tidier.Start()
	w.clock.Move(60)
	if again := tidier.Start(); again != first {
		t.Errorf("a second start answered %+v", again)
	}
	time.AfterFunc(10*time.Millisecond, func() { close(stuck) })
	tidier.Stop()
	if s := tidier.Status(); s.State != TidyCancelled || s.Error != "" || s.FinishedAt != start.Add(60) {
		t.Errorf("it ended as %+v", s)
	}
	if s := tidier.Start(); s.State != TidyCancelled {
		t.Errorf("after the stop it started as %+v", s)
	}
}

func TestARunThatPanicsHasFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.disk.Intercept(memory.Before(func(op, _ string) error {
		if op == "list" {
			panic("with a secret")
		}
		return nil
	}))
	tidier := NewTidier(w.kept)
	if s := w.tidied(tidier); s.State != TidyFailed || s.Error != "internal error" {
		t.Errorf("it is %+v", s)
	}
	tidier.Stop()
	if log := w.log.String(); !strings.Contains(log, "fault") || strings.Contains(log, "secret") {
		t.Errorf("the log says %s", log)
	}
}

func TestARunThatIsStartedAtTheLastOnesEndRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tidier := NewTidier(w.kept)
	for range 60 {
		if s := w.ended(tidier); s.State != TidyDone {
			t.Fatalf("it is %+v", s)
		}
	}
}

// ended is tidied without a pause between its looks.
func (w *world) ended(tidier *Tidier) TidyStatus {
	tidier.Start()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if s := tidier.Status(); s.State != TidyRunning {
			return s
		}
	}
	return tidier.Status()
}

func TestTidyRunsByItselfOnceAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		tidier := NewTidier(w.kept)
		runs := 0
		for range 3 * 60 {
			tidier.StartWhenDue()
			synctest.Wait()
			if tidier.Status().State == TidyDone {
				tidier.status.State = TidyNever
				runs++
			}
			time.Sleep(time.Minute)
		}
		if runs != 3 { // after ten minutes, seventy, and so on
			t.Errorf("it ran %d times in three hours", runs)
		}
	})
}

func TestTidyRestsForAsLongAsItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		began := time.Now()
		const work = 10 * time.Millisecond
		for range 10 * stepsPerPause {
			p.step(t.Context())
			time.Sleep(work)
		}
		const worked = 10 * stepsPerPause * work
		if took := time.Since(began); took < 19*worked/10 || took > 2*worked {
			t.Errorf("%s of work took %s", worked, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		for range 10 * stepsPerPause {
			p.step(ctx)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("cancelled it rests for %s", took)
		}
	})
}
