package upkeep

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

func TestTidyRemovesNothingByAClockThatIsNotSettled(t *testing.T) {
	t.Parallel()
	for name, certain := range map[string]func(record.Seconds) bool{
		"in doubt":                       func(record.Seconds) bool { return false },
		"two hours after a jump forward": func(ago record.Seconds) bool { return ago <= 2*hour },
	} {
		w := newWorld(t)
		w.retention(3 * hour)
		old := w.issue()
		next, err := w.Rotate(t.Context(), lifecycle.Target{ID: old.Key.ID}, lifecycle.RotateRequest{})
		w.must(err)
		w.revokeNow(w.issue())
		w.clock.Move(100 * hour)
		w.clock.Certain = certain
		tidier := NewTidier(w.kept)
		w.quiet(func() {
			if s := w.tidied(tidier); s.State != TidyFailed || s.KeysRemoved != 0 || !strings.Contains(s.Error, "clock") {
				t.Errorf("%s it is %+v", name, s)
			}
		})
		w.clock.Certain = nil
		if s := w.tidied(tidier); s.State != TidyDone || s.KeysRemoved != 2 {
			t.Errorf("%s, and then not, it is %+v", name, s)
		}
		if got := w.code(next); got != verify.Invalid {
			t.Errorf("a key that is gone is %s", got)
		}
	}
}

// The doubt begins after the run has found what it would remove.
func TestARunStopsRemovingWhenTheClockJumps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(hour)
	for range 20 {
		w.revokeNow(w.issue())
	}
	w.clock.Move(100 * hour)
	asked := 0
	w.clock.Certain = func(record.Seconds) bool { asked++; return asked < 12 }
	s := w.tidied(NewTidier(w.kept))
	if s.State != TidyFailed || s.KeysRemoved < 1 || s.KeysRemoved > 11 {
		t.Errorf("it is %+v", s)
	}
}

func TestTidyDoesNotStartByItselfInDoubtAndDoesAfterTheTimeWentBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tidier := NewTidier(w.kept)
	runs := func() bool {
		tidier.StartWhenDue()
		tidier.worker.wait()
		ran := tidier.Status().State != TidyNever
		tidier.status = TidyStatus{State: TidyNever}
		return ran
	}
	if runs() {
		t.Error("it began at once")
	}
	w.clock.Backs++
	w.clock.Certain = func(record.Seconds) bool { return false }
	if runs() {
		t.Error("it began in doubt")
	}
	w.clock.Certain = nil
	if !runs() || runs() {
		t.Error("after the time went back it did not begin, or twice")
	}
	tidier.status.State = TidyRunning // a run that began before
	w.clock.Backs++
	tidier.StartWhenDue()
	tidier.status.State = TidyNever
	if !runs() || runs() {
		t.Error("after the time went back during a run it did not begin, or twice")
	}
}

func TestTidyMendsWhatWasDatedByAWrongClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(hour)
	w.clock.Move(50_000 * hour)
	m := w.issue()
	w.clock.Move(-50_000 * hour)
	w.clock.Dates = func(at record.Time) record.Time { return min(at, start) }
	w.clock.Move(60)
	w.tidied(NewTidier(w.kept))
	if k := w.key(m.Key.ID); k.CreatedAt != start || k.Current().ExpiresAt != start.Add(10*hour) {
		t.Errorf("it was made at %+d and ends at %+d", k.CreatedAt.Sub(start), k.Current().ExpiresAt.Sub(start))
	}
	w.clock.Move(10*hour - 61)
	if got := w.code(m); got != verify.Valid {
		t.Errorf("before its end it is %s", got)
	}
	w.clock.Move(1)
	if got := w.code(m); got != verify.Expired {
		t.Errorf("at its end it is %s", got)
	}
}

func TestARenewalBeforeTheDatesAreMendedCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("web", func(r *record.Role) { r.GenerateLease, r.MaxTTL = true, 50*hour })
	w.clock.Move(50_000 * hour)
	m := w.issue()
	w.clock.Move(-50_000 * hour)
	w.clock.Dates = func(at record.Time) record.Time {
		if at > start.Add(1000*hour) {
			return at.Add(-50_000 * hour)
		}
		return at
	}
	w.clock.Move(hour)
	got, err := w.Renew(t.Context(), lifecycle.RenewRequest{ID: m.Key.ID, Version: 1, Grant: func(lifetime, most record.Seconds) (record.Seconds, error) { return min(lifetime, most), nil }})
	if err != nil || got.Until != start.Add(11*hour) {
		t.Fatalf("it was renewed to %+d, %v", got.Until.Sub(start), err)
	}
	w.tidied(NewTidier(w.kept))
	if v := w.key(m.Key.ID).Versions[0]; v.CreatedAt != start || v.ExpiresAt != got.Until {
		t.Errorf("it was made at %+d and ends at %+d", v.CreatedAt.Sub(start), v.ExpiresAt.Sub(start))
	}
}

// It ends when it ended, and is kept for as long as any.
func TestWhatWasSeenToEndByAWrongClockIsDatedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(3 * hour)
	w.clock.Move(50_000 * hour)
	m := w.issue()
	w.clock.Move(10 * hour)
	if got := w.code(m); got != verify.Expired {
		t.Fatal(got)
	}
	w.clock.Move(-50_000 * hour)
	w.clock.Dates = func(at record.Time) record.Time {
		if at > w.clock.Now().Add(300) {
			return at.Add(-50_000 * hour)
		}
		return at
	}
	tidier := NewTidier(w.kept)
	for range 3 {
		w.tidied(tidier)
		if end := w.key(m.Key.ID).Versions[0].ExpiresAt; end != start.Add(10*hour) {
			t.Errorf("it ended at %+d", end.Sub(start))
		}
		w.clock.Move(hour)
	}
}

// Of a process that is gone nobody knows by how much its clock was ahead.
func TestAKeyDatedAheadDoesNotLiveForYears(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Move(50_000 * hour)
	m := w.issue()
	w.clock.Move(-50_000 * hour)
	for range 11 {
		w.tidied(NewTidier(w.kept))
		if got := w.code(m); (got == verify.Valid) != (w.clock.Now() < start.Add(10*hour)) {
			t.Errorf("%+d after it was found it is %s", w.clock.Now().Sub(start), got)
		}
		w.clock.Move(hour)
	}
}

func TestWhatWasSeenToEndIsWrittenDownWhenTheTimeWentBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, unseen := w.issue(), w.issue()
	w.clock.Move(10 * hour)
	if got := w.code(m); got != verify.Expired {
		t.Fatal(got)
	}
	w.clock.Move(-hour)
	if w.code(m) != verify.Expired || w.code(unseen) != verify.Valid {
		t.Errorf("they are %s and %s", w.code(m), w.code(unseen))
	}
	w.tidied(NewTidier(w.kept))
	if end := w.key(m.Key.ID).Versions[0].ExpiresAt; end != start.Add(9*hour) {
		t.Errorf("its record ends at %+d", end.Sub(start))
	}
}

func TestAGraceThatWasSeenToEndIsWrittenDownWhenTheTimeWentBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, grace := w.issue(), 2*hour
	_, err := w.Rotate(t.Context(), lifecycle.Target{ID: m.Key.ID}, lifecycle.RotateRequest{Grace: &grace})
	w.must(err)
	w.clock.Move(grace)
	if got := w.code(m); got != verify.Superseded {
		t.Fatal(got)
	}
	w.clock.Move(-hour)
	w.tidied(NewTidier(w.kept))
	if end := w.key(m.Key.ID).Versions[1].ValidUntil; end != start.Add(hour) {
		t.Errorf("in its record the grace ends at %+d", end.Sub(start))
	}
	w.quiet(func() { w.tidied(NewTidier(w.kept)) })
}
